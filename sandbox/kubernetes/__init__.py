"""Kubernetes API server stand-in of the sandbox, with the controllers an install needs (process 3 of the sandbox)."""
