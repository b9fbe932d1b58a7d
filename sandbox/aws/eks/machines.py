"""What stands behind an EKS cluster in the sandbox: a Kubernetes API server and node agents, as processes of their own.

`Machines` is what EKS needs of them; `NoMachines` is EKS alone (`--no-clusters`), for tests of AWS calls only.
"""

from pathlib import Path
from typing import Protocol

from sandbox.aws.eks.store import Cluster, Nodegroup
from sandbox.certificates import self_signed


class Machines(Protocol):
    """None of these wait: starting and stopping go on in the background, `..._ready` and `..._gone` say how far.

    `start_nodes`: the agent of one batch. `drain_nodes`: pods of the group's leaving nodes are evicted, then the nodes
    removed. `keep_nodes`: leave it at that.
    """

    def start_api(self, cluster: Cluster) -> None: ...
    def api_ready(self, cluster: Cluster) -> bool: ...
    def certificate(self, cluster: Cluster) -> bytes: ...
    def delete_api(self, cluster: Cluster) -> None: ...
    def api_gone(self, cluster: Cluster) -> bool: ...
    def show_version(self, cluster: Cluster) -> None: ...
    def start_nodes(self, cluster: Cluster, group: Nodegroup, batch: int) -> None: ...
    def nodes_ready(self, cluster: Cluster, group: Nodegroup) -> bool: ...
    def drain_nodes(self, cluster: Cluster, group: Nodegroup) -> None: ...
    def nodes_gone(self, cluster: Cluster, group: Nodegroup) -> bool: ...
    def keep_nodes(self, cluster: Cluster, group: Nodegroup) -> None: ...
    def install_addon(self, cluster: Cluster, name: str, version: str, configuration: str) -> None: ...
    def remove_addon(self, cluster: Cluster, name: str) -> None: ...
    def addon_ready(self, cluster: Cluster, name: str) -> bool: ...
    def watch(self) -> None: ...
    def close(self) -> None: ...


class NoMachines:
    """Clusters that are only AWS's word."""

    def __init__(self, home: Path) -> None:
        self._certificates = home / "aws" / "eks-certificates"

    def start_api(self, cluster: Cluster) -> None:
        self.certificate(cluster)

    def api_ready(self, cluster: Cluster) -> bool:
        return True

    def certificate(self, cluster: Cluster) -> bytes:
        return self_signed(self._certificates / "-".join(cluster.key), "kubernetes")[0].read_bytes()

    def delete_api(self, cluster: Cluster) -> None:
        """Nothing runs."""

    def api_gone(self, cluster: Cluster) -> bool:
        return True

    def show_version(self, cluster: Cluster) -> None:
        """Nobody to tell."""

    def start_nodes(self, cluster: Cluster, group: Nodegroup, batch: int) -> None:
        """Nothing runs."""

    def nodes_ready(self, cluster: Cluster, group: Nodegroup) -> bool:
        return True

    def drain_nodes(self, cluster: Cluster, group: Nodegroup) -> None:
        """Nothing runs."""

    def keep_nodes(self, cluster: Cluster, group: Nodegroup) -> None:
        """Nothing was begun."""

    def nodes_gone(self, cluster: Cluster, group: Nodegroup) -> bool:
        return True

    def install_addon(self, cluster: Cluster, name: str, version: str, configuration: str) -> None:
        """Nothing to install into."""

    def remove_addon(self, cluster: Cluster, name: str) -> None:
        """Nothing to remove from."""

    def addon_ready(self, cluster: Cluster, name: str) -> bool:
        return True

    def watch(self) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing runs."""
