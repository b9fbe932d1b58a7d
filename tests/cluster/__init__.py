"""What needs real Kubernetes programs; run by `python -m tests.cluster`, never by plain pytest."""
