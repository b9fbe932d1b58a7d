"""The container images that the sandbox can run, one module each; `registry.py` finds them by image name."""
