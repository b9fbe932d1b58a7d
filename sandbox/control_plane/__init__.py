"""A real Kubernetes control plane behind the sandbox's EKS: etcd, kube-apiserver and its companions as processes."""
