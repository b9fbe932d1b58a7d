"""The kinds of objects Podium deals with, and where the API serves them.

A table instead of the API's discovery: what Podium applies is known, and each look-up saved is one round trip less.
"""

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Kind:
    """How the API's paths name a kind, e.g. `Kind("apps/v1", "deployments")`."""

    api_version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The path of the collection (of all namespaces without `namespace`), or of one object.

        A colon stays as it is: the service proxy takes `name:port` as a name.
        """
        root = "/api" if "/" not in self.api_version else "/apis"
        parts = [root, self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=":"))
        return "/".join(parts)


KINDS = {
    "Namespace": Kind("v1", "namespaces", namespaced=False),
    "Node": Kind("v1", "nodes", namespaced=False),
    "Pod": Kind("v1", "pods"),
    "Service": Kind("v1", "services"),
    "Secret": Kind("v1", "secrets"),
    "Event": Kind("v1", "events"),
    "ConfigMap": Kind("v1", "configmaps"),
    "Deployment": Kind("apps/v1", "deployments"),
    "ReplicaSet": Kind("apps/v1", "replicasets"),
    "Job": Kind("batch/v1", "jobs"),
    "Ingress": Kind("networking.k8s.io/v1", "ingresses"),
    "ServiceAccount": Kind("v1", "serviceaccounts"),
    "ClusterRole": Kind("rbac.authorization.k8s.io/v1", "clusterroles", namespaced=False),
    "ClusterRoleBinding": Kind("rbac.authorization.k8s.io/v1", "clusterrolebindings", namespaced=False),
    "Role": Kind("rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": Kind("rbac.authorization.k8s.io/v1", "rolebindings"),
    "IngressClass": Kind("networking.k8s.io/v1", "ingressclasses", namespaced=False),
    "APIService": Kind("apiregistration.k8s.io/v1", "apiservices", namespaced=False),
    "ValidatingWebhookConfiguration": Kind(
        "admissionregistration.k8s.io/v1", "validatingwebhookconfigurations", namespaced=False
    ),
    "SelfSubjectAccessReview": Kind("authorization.k8s.io/v1", "selfsubjectaccessreviews", namespaced=False),
    "CustomResourceDefinition": Kind("apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False),
    "SealedSecret": Kind("bitnami.com/v1alpha1", "sealedsecrets"),
    "ScaledObject": Kind("keda.sh/v1alpha1", "scaledobjects"),
    "ScaledJob": Kind("keda.sh/v1alpha1", "scaledjobs"),
    "TriggerAuthentication": Kind("keda.sh/v1alpha1", "triggerauthentications"),
    "ClusterTriggerAuthentication": Kind("keda.sh/v1alpha1", "clustertriggerauthentications", namespaced=False),
    "CloudEventSource": Kind("eventing.keda.sh/v1alpha1", "cloudeventsources"),
    "ClusterCloudEventSource": Kind("eventing.keda.sh/v1alpha1", "clustercloudeventsources", namespaced=False),
}


def kind_of(name: str) -> Kind:
    """The kind of that name; KeyError when Podium does not know it (a mistake in the code, not of a user)."""
    return KINDS[name]
