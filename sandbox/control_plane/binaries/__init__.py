"""The programs of a Kubernetes control plane, built from their Go modules once and kept outside the checkout."""
