"""What whole installs on real Kubernetes share: the sandbox's settings and where the charts come from."""

from typing import Any

import httpx2

from tests.cluster.planes import ROOT

GROUP = "podium"
REAL = {
    "SANDBOX_KUBERNETES": "real",
    "SANDBOX_EKS_ADMIN_GROUP": GROUP,
    "SANDBOX_EKS_BOOTSTRAP_MANIFEST": str(ROOT / "deploy" / "kubernetes" / "rbac.yaml"),
}


def charts(url: str) -> dict[str, Any]:
    """The spec's `charts`, all from one repository."""
    return {name: {"repository": url} for name in ("ingress_nginx", "sealed_secrets", "keda")}


def answers(url: str) -> bool:
    """Whether there is a 200."""
    try:
        return httpx2.get(url).status_code == 200
    except httpx2.TransportError:
        return False
