"""Node objects: registration as a kubelet does it on EKS, then a heartbeat (Lease and Ready condition)."""

import asyncio
import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.nodes import clock
from sandbox.nodes.api import LEASES, NODES, ApiError, Client, Object
from sandbox.nodes.ports import HOST

log = logging.getLogger(__name__)
HEARTBEAT = 10.0  # seconds
LEASE_SECONDS = 40
LEASE_NAMESPACE = "kube-node-lease"

# vCPU, memory MiB, pods that the VPC CNI has addresses for (awslabs/amazon-eks-ami, eni-max-pods.txt).
INSTANCE_TYPES = {
    "t3.small": (2, 2048, 11),
    "t3.medium": (2, 4096, 17),
    "t3.large": (2, 8192, 35),
    "t3.xlarge": (4, 16384, 58),
    "t4g.medium": (2, 4096, 17),
    "t4g.large": (2, 8192, 35),
    "m5.large": (2, 8192, 29),
    "m5.xlarge": (4, 16384, 58),
    "m6i.large": (2, 8192, 29),
    "m6i.xlarge": (4, 16384, 58),
    "m7i.large": (2, 8192, 29),
    "c5.large": (2, 4096, 29),
    "c6i.large": (2, 4096, 29),
    "r5.large": (2, 16384, 29),
}
DISK_GIB = 20  # the root volume of a managed node group, unless it asks for another
UNKNOWN_TYPE = (2, 8192, 29)  # for a type that is not in the table: the commonest size


@dataclass(frozen=True)
class NodeGroup:
    """The nodes of one agent."""

    names: list[str]
    instance_type: str
    group: str
    zones: list[str]  # one for each node; empty: made up from the region in the node's name
    version: str | None = None  # of the kubelets; None: as the API server's

    def zone(self, name: str) -> str:
        """The availability zone of a node."""
        index = self.names.index(name)
        return self.zones[index] if index < len(self.zones) else region(name) + "abc"[index % 3]


class Registrar:
    """Registers the group's nodes and keeps them alive. `kubelets`: node name -> where its kubelet listens."""

    def __init__(self, client: Client, group: NodeGroup, kubelets: Mapping[str, tuple[str, int]]) -> None:
        self._client, self._group, self._kubelets = client, group, kubelets
        self._version = ""
        self._known: dict[str, Object] = {}  # the Node objects as last written

    async def register(self) -> None:
        """Creates the Node objects, or brings those of before up to date; they are Ready when this returns."""
        known = self._group.version or (await self._client.raw("/version")).get("gitVersion")
        self._version = known or "v1.31.0"
        for name in self._group.names:
            body = node(self._group, name)
            try:
                self._known[name] = await self._client.create(NODES, body)
            except ApiError as error:
                if error.status not in {0, 409}:
                    raise
                labels = {"metadata": {"labels": body["metadata"]["labels"]}}
                self._known[name] = await self._client.patch(NODES, name, labels)
            await self._beat(name)

    async def heartbeat(self) -> None:
        """Renews until cancelled. A Node that somebody deleted is not made again, as by a kubelet."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            for name in self._group.names:
                try:
                    await self._beat(name)
                except ApiError as error:
                    log.info("heartbeat of %s: %s", name, error)

    async def _beat(self, name: str) -> None:
        current = self._known[name]
        before = current.get("status") or {}
        status = node_status(self._group.instance_type, self._version, self._kubelets[name], before)
        self._known[name] = await self._client.patch_status(NODES, name, status)
        lease = {"holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": clock.now_micro()}
        try:
            await self._client.patch(LEASES, name, {"spec": lease}, LEASE_NAMESPACE)
        except ApiError as error:
            if error.status != 404:
                raise
            await self._client.create(LEASES, _lease(current, lease), LEASE_NAMESPACE)


def node(group: NodeGroup, name: str) -> Object:
    """The Node as an EKS managed node registers itself."""
    zone = group.zone(name)
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "arm64" if re.match(r"[a-z]+\d+g", group.instance_type) else "amd64",
        "node.kubernetes.io/instance-type": group.instance_type,
        "topology.kubernetes.io/region": zone[:-1],
        "topology.kubernetes.io/zone": zone,
        "eks.amazonaws.com/nodegroup": group.group,
        "eks.amazonaws.com/capacityType": "ON_DEMAND",
    }
    instance = "i-" + hashlib.sha256(name.encode()).hexdigest()[:17]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"providerID": f"aws:///{zone}/{instance}"},
    }


def allocatable(instance_type: str) -> dict[str, str]:
    """What pods may have of a node: all but what EKS reserves (amazon-eks-ami bootstrap.sh): 70 millicores of two, and
    355 MiB + 11 MiB for each pod; of the disk (20 GiB, EKS's default) the kubelet keeps a tenth for eviction.
    """
    cpu, memory, pods = INSTANCE_TYPES.get(instance_type, UNKNOWN_TYPE)
    free_memory = memory - 355 - 11 * pods
    disk = str(DISK_GIB * 2**30 * 9 // 10)
    return {"cpu": f"{cpu * 1000 - 70}m", "memory": f"{free_memory}Mi", "pods": str(pods), "ephemeral-storage": disk}


def node_status(instance_type: str, version: str, kubelet: tuple[str, int], before: Object) -> Object:
    """The status of a Ready node whose kubelet listens at `kubelet`; `before` keeps its transition times."""
    cpu, memory, pods = INSTANCE_TYPES.get(instance_type, UNKNOWN_TYPE)
    address, port = kubelet
    sizes = {"cpu": str(cpu), "memory": f"{memory}Mi", "pods": str(pods), "ephemeral-storage": f"{DISK_GIB}Gi"}
    return {
        "capacity": sizes,
        "allocatable": allocatable(instance_type),
        "conditions": [_condition(before, *fact) for fact in _FACTS],
        # An API server asks for logs at the Hostname first, and nothing resolves a node's name here.
        "addresses": [
            {"type": "InternalIP", "address": address},
            {"type": "Hostname", "address": "localhost" if address == HOST else address},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "nodeInfo": {
            "kubeletVersion": version,
            "kubeProxyVersion": version,
            "operatingSystem": "linux",
            "architecture": "amd64",
            "containerRuntimeVersion": "sandbox://1",
            "osImage": "Podium sandbox",
            "kernelVersion": "",
            "bootID": "",
            "machineID": "",
            "systemUUID": "",
        },
    }


_FACTS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


def region(name: str) -> str:
    """The region in a private DNS name: `ip-192-168-1-2.us-west-2.compute.internal`; us-east-1's names have none."""
    match = re.search(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.", name)
    return match[1] if match else "us-east-1"


def _condition(before: Object, kind: str, status: str, reason: str, message: str) -> Object:
    old: Object = next((item for item in before.get("conditions") or [] if item["type"] == kind), {})
    since = old["lastTransitionTime"] if old.get("status") == status else clock.now()
    heard = {"lastHeartbeatTime": clock.now(), "lastTransitionTime": since}
    return {"type": kind, "status": status, "reason": reason, "message": message, **heard}


def _lease(owner: Object, spec: Object) -> Object:
    name, uid = owner["metadata"]["name"], owner["metadata"]["uid"]
    reference = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": LEASE_NAMESPACE, "ownerReferences": [reference]},
        "spec": spec,
    }
