"""The table of resources that the API serves, and the registry that custom resource definitions extend.

A resource's key is `<plural>` in the core group and `<plural>.<group>` elsewhere ("pods", "deployments.apps").
"""

from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes.errors import PathNotFound, UnknownPath

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


_VERSIONED_GROUPS = (
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "coordination.k8s.io",
)


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource type. `versions` are those served, the stored one first."""

    group: str
    versions: tuple[str, ...]
    plural: str
    kind: str
    namespaced: bool = True
    status: bool = False  # has a status subresource
    scale: bool = False
    generation: bool = False  # metadata.generation counts changes of the desired state
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    singular: str = ""
    list_kind: str = ""
    schemas: dict[str, Any] | None = None  # custom resources: openAPIV3Schema by version
    scale_paths: dict[str, str] | None = None  # custom resources: the scale subresource's JSON paths
    columns: tuple[dict[str, Any], ...] = ()  # custom resources: additionalPrinterColumns

    @property
    def key(self) -> str:
        """`deployments.apps`; the name by which Store knows it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def versioned_updates(self) -> bool:
        """Whether a replacement must say which version it replaces (AllowUnconditionalUpdate is false)."""
        return self.custom or self.group in _VERSIONED_GROUPS or self.key == "poddisruptionbudgets.policy"

    @property
    def custom(self) -> bool:
        """Whether a CustomResourceDefinition defines it."""
        return self.schemas is not None

    @property
    def api_version(self) -> str:
        """`apps/v1`, `v1`: the version it is stored in."""
        return self.api_version_of(self.versions[0])

    def api_version_of(self, version: str) -> str:
        """The `apiVersion` of objects served as `version`."""
        return f"{self.group}/{version}" if self.group else version

    @property
    def singular_name(self) -> str:
        """The lower-case name of one."""
        return self.singular or self.kind.lower()

    @property
    def qualified_kind(self) -> str:
        """`Deployment.apps`, `Pod`: as error texts name it."""
        return f"{self.kind}.{self.group}" if self.group else self.kind


def _core(plural: str, kind: str, **options: Any) -> Resource:
    return Resource("", ("v1",), plural, kind, **options)


_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"

BUILT_IN: tuple[Resource, ...] = (
    _core("namespaces", "Namespace", namespaced=False, status=True, short=("ns",)),
    _core("nodes", "Node", namespaced=False, status=True, short=("no",)),
    _core("persistentvolumes", "PersistentVolume", namespaced=False, status=True, short=("pv",)),
    _core("pods", "Pod", status=True, generation=True, short=("po",), categories=("all",)),
    _core("services", "Service", status=True, short=("svc",), categories=("all",)),
    _core("endpoints", "Endpoints", short=("ep",)),
    _core("secrets", "Secret"),
    _core("configmaps", "ConfigMap", short=("cm",)),
    _core("serviceaccounts", "ServiceAccount", short=("sa",)),
    _core("events", "Event", short=("ev",)),
    _core("persistentvolumeclaims", "PersistentVolumeClaim", status=True, short=("pvc",)),
    _core("resourcequotas", "ResourceQuota", status=True, short=("quota",)),
    _core("limitranges", "LimitRange", short=("limits",)),
    Resource(
        "apps", ("v1",), "deployments", "Deployment",
        status=True, scale=True, generation=True, short=("deploy",), categories=("all",),
    ),
    Resource(
        "apps", ("v1",), "replicasets", "ReplicaSet",
        status=True, scale=True, generation=True, short=("rs",), categories=("all",),
    ),
    Resource(
        "apps", ("v1",), "statefulsets", "StatefulSet",
        status=True, scale=True, generation=True, short=("sts",), categories=("all",),
    ),
    Resource(
        "apps", ("v1",), "daemonsets", "DaemonSet",
        status=True, generation=True, short=("ds",), categories=("all",),
    ),
    Resource("apps", ("v1",), "controllerrevisions", "ControllerRevision"),
    Resource("batch", ("v1",), "jobs", "Job", status=True, generation=True, categories=("all",)),
    Resource(
        "batch", ("v1",), "cronjobs", "CronJob", status=True, generation=True, short=("cj",), categories=("all",)
    ),
    Resource(
        "autoscaling", ("v2",), "horizontalpodautoscalers", "HorizontalPodAutoscaler",
        status=True, short=("hpa",), categories=("all",),
    ),
    Resource("networking.k8s.io", ("v1",), "ingresses", "Ingress", status=True, generation=True, short=("ing",)),
    Resource("networking.k8s.io", ("v1",), "ingressclasses", "IngressClass", namespaced=False, generation=True),
    Resource("networking.k8s.io", ("v1",), "networkpolicies", "NetworkPolicy", generation=True, short=("netpol",)),
    Resource("discovery.k8s.io", ("v1",), "endpointslices", "EndpointSlice", generation=True),
    Resource(_RBAC, ("v1",), "roles", "Role"),
    Resource(_RBAC, ("v1",), "rolebindings", "RoleBinding"),
    Resource(_RBAC, ("v1",), "clusterroles", "ClusterRole", namespaced=False),
    Resource(_RBAC, ("v1",), "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    Resource(
        "policy", ("v1",), "poddisruptionbudgets", "PodDisruptionBudget", status=True, generation=True, short=("pdb",)
    ),
    Resource("coordination.k8s.io", ("v1",), "leases", "Lease"),
    Resource(
        _ADMISSION, ("v1",), "mutatingwebhookconfigurations", "MutatingWebhookConfiguration",
        namespaced=False, generation=True, categories=("api-extensions",),
    ),
    Resource(
        _ADMISSION, ("v1",), "validatingwebhookconfigurations", "ValidatingWebhookConfiguration",
        namespaced=False, generation=True, categories=("api-extensions",),
    ),
    Resource(
        "apiregistration.k8s.io", ("v1",), "apiservices", "APIService",
        namespaced=False, status=True, categories=("api-extensions",),
    ),
    Resource(
        "apiextensions.k8s.io", ("v1",), "customresourcedefinitions", "CustomResourceDefinition",
        namespaced=False, status=True, generation=True, short=("crd", "crds"), categories=("api-extensions",),
    ),
    Resource("storage.k8s.io", ("v1",), "storageclasses", "StorageClass", namespaced=False, short=("sc",)),
    Resource("scheduling.k8s.io", ("v1",), "priorityclasses", "PriorityClass", namespaced=False, short=("pc",)),
)  # fmt: skip


def not_served(group: str) -> PathNotFound:
    """What to raise for a version or resource that is not there: a Status in built-in groups, else plain text."""
    built_in = group in ("authentication.k8s.io", "authorization.k8s.io") or any(
        each.group == group for each in BUILT_IN
    )
    return PathNotFound() if built_in else UnknownPath()


class Registry:
    """The resources served now: the built-in ones and those of established definitions."""

    def __init__(self) -> None:
        self._resources: dict[str, Resource] = {resource.key: resource for resource in BUILT_IN}

    def all(self) -> list[Resource]:
        """Every resource, built-in first."""
        return list(self._resources.values())

    def by_key(self, key: str) -> Resource:
        """The resource of that key; raises PathNotFound when it is not served."""
        resource = self._resources.get(key)
        if resource is None:
            raise PathNotFound
        return resource

    def known(self, key: str) -> bool:
        """Whether a resource of that key is served."""
        return key in self._resources

    def find(self, group: str, version: str, plural: str) -> Resource:
        """The resource at that path; raises PathNotFound, or UnknownPath outside the built-in group versions."""
        resource = self._resources.get(f"{plural}.{group}" if group else plural)
        if resource is not None and version in resource.versions:
            return resource
        raise not_served(group)

    def define(self, resource: Resource) -> None:
        """Serves a custom resource, or its new definition."""
        self._resources[resource.key] = resource

    def forget(self, key: str) -> None:
        """Stops serving a custom resource."""
        self._resources.pop(key, None)

    def groups(self) -> dict[str, list[str]]:
        """API group -> versions served, the core group (empty name) included."""
        found: dict[str, list[str]] = {}
        for resource in self._resources.values():
            versions = found.setdefault(resource.group, [])
            versions.extend(version for version in resource.versions if version not in versions)
        return found
