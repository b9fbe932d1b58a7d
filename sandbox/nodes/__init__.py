"""The node agent: kubelet and kube-proxy of one EKS node group, as one process on 127.0.0.1.

It speaks only the Kubernetes API. Pods bound to its nodes run as local processes or tasks (`images/`), Services
get a local listener each (`proxy.py`), and cluster DNS names are rewritten to those listeners (`dns.py`).
"""
