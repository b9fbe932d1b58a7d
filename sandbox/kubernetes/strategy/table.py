"""Which strategy belongs to which resource key."""

from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.strategy.base import DEFAULT, Strategy
from sandbox.kubernetes.strategy.batch import CRONJOB, JOB
from sandbox.kubernetes.strategy.cluster import AUTOSCALER, BINDING, BUDGET, NAMESPACE, NODE, ROLE
from sandbox.kubernetes.strategy.configuration import CLAIM, CONFIGMAP, SECRET, STORAGE_CLASS
from sandbox.kubernetes.strategy.definitions import DEFINITION, custom_strategy
from sandbox.kubernetes.strategy.networking import ENDPOINT_SLICE, ENDPOINTS, INGRESS, NETWORK_POLICY
from sandbox.kubernetes.strategy.pod import POD
from sandbox.kubernetes.strategy.service import SERVICE
from sandbox.kubernetes.strategy.workloads import DAEMONSET, DEPLOYMENT, REPLICASET, STATEFULSET

_STRATEGIES: dict[str, Strategy] = {
    "namespaces": NAMESPACE,
    "nodes": NODE,
    "pods": POD,
    "services": SERVICE,
    "secrets": SECRET,
    "configmaps": CONFIGMAP,
    "persistentvolumeclaims": CLAIM,
    "deployments.apps": DEPLOYMENT,
    "replicasets.apps": REPLICASET,
    "statefulsets.apps": STATEFULSET,
    "daemonsets.apps": DAEMONSET,
    "endpoints": ENDPOINTS,
    "endpointslices.discovery.k8s.io": ENDPOINT_SLICE,
    "jobs.batch": JOB,
    "cronjobs.batch": CRONJOB,
    "horizontalpodautoscalers.autoscaling": AUTOSCALER,
    "ingresses.networking.k8s.io": INGRESS,
    "networkpolicies.networking.k8s.io": NETWORK_POLICY,
    "roles.rbac.authorization.k8s.io": ROLE,
    "clusterroles.rbac.authorization.k8s.io": ROLE,
    "rolebindings.rbac.authorization.k8s.io": BINDING,
    "clusterrolebindings.rbac.authorization.k8s.io": BINDING,
    "poddisruptionbudgets.policy": BUDGET,
    "customresourcedefinitions.apiextensions.k8s.io": DEFINITION,
    "storageclasses.storage.k8s.io": STORAGE_CLASS,
}


def strategy_for(resource: Resource) -> Strategy:
    """The strategy of a built-in or custom resource."""
    if resource.custom:
        return custom_strategy(resource)
    return _STRATEGIES.get(resource.key, DEFAULT)
