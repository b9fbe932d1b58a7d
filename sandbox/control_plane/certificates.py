"""Who proves to whom who it is: the certificates of one control plane, made once and kept in CLUSTER_DIR/pki.

Three authorities, as kubeadm has them (kubernetes.io, "PKI certificates and requirements"): the cluster's, whose
certificate is CLUSTER_DIR/ca.crt; etcd's, so that a client of the cluster is none of etcd; and the front proxy's, so
that nobody else may name users in headers.
"""

from dataclasses import dataclass
from pathlib import Path

from sandbox.control_plane.authority import Authority, Pair, ensure_key
from sandbox.control_plane.network import ADVERTISED, KUBERNETES_SERVICE

_LOOPBACK = ("localhost", "127.0.0.1")
_API_SERVER = (
    *_LOOPBACK,
    ADVERTISED,
    KUBERNETES_SERVICE,
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True)
class Certificates:
    """Files; each pair is named after who holds it."""

    authority: Pair
    etcd_authority: Pair
    proxy_authority: Pair
    api_server: Pair
    etcd: Pair
    etcd_client: Pair
    kubelet_client: Pair
    proxy_client: Pair
    controller_manager: Pair
    scheduler: Pair
    service_account_key: Path


def ensure(directory: Path) -> Certificates:
    """The certificates of the cluster in `directory`, made where they are missing."""
    folder = directory / "pki"

    def pair(name: str) -> Pair:
        return Pair(folder / f"{name}.crt", folder / f"{name}.key")

    cluster = Authority(Pair(directory / "ca.crt", folder / "ca.key"), "kubernetes")
    etcd, proxy = Authority(pair("etcd-ca"), "etcd-ca"), Authority(pair("front-proxy-ca"), "front-proxy-ca")
    manager, scheduler = "system:kube-controller-manager", "system:kube-scheduler"
    return Certificates(
        authority=cluster.pair,
        etcd_authority=etcd.pair,
        proxy_authority=proxy.pair,
        api_server=cluster.issue(pair("apiserver"), "kube-apiserver", hosts=_API_SERVER),
        etcd=etcd.issue(pair("etcd"), "etcd", hosts=_LOOPBACK),
        etcd_client=etcd.issue(pair("apiserver-etcd-client"), "kube-apiserver-etcd-client"),
        # A kubelet asks RBAC whether this client may read logs.
        kubelet_client=cluster.issue(
            pair("apiserver-kubelet-client"), "kube-apiserver-kubelet-client", "system:masters"
        ),
        proxy_client=proxy.issue(pair("front-proxy-client"), "front-proxy-client"),
        controller_manager=cluster.issue(pair("controller-manager"), manager, hosts=_LOOPBACK),
        scheduler=cluster.issue(pair("scheduler"), scheduler, hosts=_LOOPBACK),
        service_account_key=ensure_key(folder / "sa.key"),
    )
