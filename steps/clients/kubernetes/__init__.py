"""A thin, thread-safe client of one cluster's Kubernetes API: plain dictionaries in, plain dictionaries out.

It speaks HTTP itself (httpx2): the official client costs 40 MB and half a second for models that Podium, which applies
YAML, has no use for.
"""

from steps.clients.kubernetes.client import Kube, Object, ServiceAnswer, TokenSource
from steps.clients.kubernetes.kubeconfig import kubeconfig

__all__ = ["Kube", "Object", "ServiceAnswer", "TokenSource", "kubeconfig"]
