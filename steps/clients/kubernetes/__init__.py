"""A thin, thread-safe client of one cluster's Kubernetes API: plain dictionaries in, plain dictionaries out.

It goes through the package `kubernetes`, imported when the first cluster is talked to, but not through its models:
Podium applies YAML, and has no use for them.
"""

from steps.clients.kubernetes.client import Kube, Object, ServiceAnswer
from steps.clients.kubernetes.kubeconfig import kubeconfig
from steps.clients.kubernetes.token import Clock, TokenSource

__all__ = ["Clock", "Kube", "Object", "ServiceAnswer", "TokenSource", "kubeconfig"]
