"""The fault matrix: every request to the outside, failing in every way that it can (docs/reliability.md)."""
