"""Shapes of the built-in types and structural schemas of custom resources: decoding, pruning, type errors."""
