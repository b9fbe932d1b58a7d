"""What is built: modules with their versions, programs, link flags.

There are no ready-made binaries in any package registry; the Go module proxy has the sources. Kubernetes' own module
asks for `k8s.io/x v0.0.0` and replaces it by folders of its repository, which a module proxy does not serve; the
released `k8s.io/x v0.Y.Z` is the same code (staging/README.md in the Kubernetes repository).
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field

KUBERNETES = "1.34.4"
_STAMP = "k8s.io/component-base/version"


@dataclass(frozen=True)
class Recipe:
    """One build: `programs` maps the binary's name to its package in `module`.

    `staging`: the version that stands in for each `v0.0.0` requirement. `origin`: the module that replaces `module`
    (a fork, or a repository that was renamed).
    """

    name: str
    module: str
    version: str
    programs: dict[str, str]
    staging: str = ""
    origin: str = ""
    stamps: dict[str, str] = field(default_factory=dict)
    """Variables set at link time, e.g. the version that the API server reports (helm refuses v0.0.0-master)."""

    @property
    def key(self) -> str:
        """Names the folder of the built programs: changes whenever the recipe does."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
        return f"{self.name}-{self.version}-{digest[:8]}"


RECIPES = (
    Recipe(
        name="kubernetes",
        module="k8s.io/kubernetes",
        version=f"v{KUBERNETES}",
        staging=f"v0.{KUBERNETES.split('.', 1)[1]}",
        programs={
            "kube-apiserver": "cmd/kube-apiserver",
            "kube-controller-manager": "cmd/kube-controller-manager",
            "kube-scheduler": "cmd/kube-scheduler",
        },
        stamps={
            f"{_STAMP}.gitVersion": f"v{KUBERNETES}",
            f"{_STAMP}.gitMajor": KUBERNETES.split(".", maxsplit=1)[0],
            f"{_STAMP}.gitMinor": KUBERNETES.split(".")[1],
        },
    ),
    Recipe(name="etcd", module="go.etcd.io/etcd/server/v3", version="v3.6.6", programs={"etcd": ""}),
    Recipe(
        name="helm",
        module="helm.sh/helm/v3",
        version="v3.19.2",
        programs={"helm": "cmd/helm"},
        stamps={"helm.sh/helm/v3/internal/version.version": "v3.19.2"},
    ),
    Recipe(
        name="sealed-secrets",
        module="github.com/bitnami/sealed-secrets",
        origin="github.com/bitnami-labs/sealed-secrets",
        version="v0.40.0",
        programs={"sealed-secrets-controller": "cmd/controller"},
        stamps={"main.VERSION": "0.40.0"},
    ),
)
"""In the order of their need."""

DATA_MODULES = {
    "sealed-secrets": ("github.com/bitnami-labs/sealed-secrets", "v0.40.0"),
    "keda": ("github.com/kedacore/keda/v2", "v2.21.0"),
    "cert-manager": ("github.com/cert-manager/cert-manager", "v1.21.2"),
}
"""Modules whose folders hold charts or CustomResourceDefinitions that the tests install; never copied into this one."""
