"""Node objects: registration as a kubelet does it on EKS, then a heartbeat (Lease and Ready condition)."""

import asyncio
import hashlib
import logging
import re
from dataclasses import dataclass

from sandbox.nodes import clock
from sandbox.nodes.api import LEASES, NODES, ApiError, Client, Object

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
UNKNOWN_TYPE = (2, 8192, 29)  # for a type that is not in the table: the commonest size


@dataclass(frozen=True)
class NodeGroup:
    """The nodes of one agent."""

    names: list[str]
    instance_type: str
    group: str
    zones: list[str]  # one for each node; empty: made up from the region in the node's name

    def zone(self, name: str) -> str:
        """The availability zone of a node."""
        index = self.names.index(name)
        return self.zones[index] if index < len(self.zones) else region(name) + "abc"[index % 3]


class Registrar:
    """Registers the group's nodes and keeps them alive."""

    def __init__(self, client: Client, group: NodeGroup, kubelet_port: int) -> None:
        self._client, self._group, self._port = client, group, kubelet_port
        self._version = ""
        self._known: dict[str, Object] = {}  # the Node objects as last written

    async def register(self) -> None:
        """Creates the Node objects, or brings those of before up to date; they are Ready when this returns."""
        self._version = (await self._client.raw("/version")).get("gitVersion", "v1.31.0")
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
        status = node_status(self._group.instance_type, self._version, self._port, current.get("status") or {})
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


def node_status(instance_type: str, version: str, kubelet_port: int, before: Object) -> Object:
    """The status of a Ready node; `before` keeps its transition times."""
    cpu, memory, pods = INSTANCE_TYPES.get(instance_type, UNKNOWN_TYPE)
    # What EKS reserves (amazon-eks-ami bootstrap.sh): 70 millicores of two, and 355 MiB + 11 MiB for each pod.
    free_memory = memory - 355 - 11 * pods
    return {
        "capacity": {"cpu": str(cpu), "memory": f"{memory}Mi", "pods": str(pods)},
        "allocatable": {"cpu": f"{cpu * 1000 - 70}m", "memory": f"{free_memory}Mi", "pods": str(pods)},
        "conditions": [_condition(before, *fact) for fact in _FACTS],
        "addresses": [
            {"type": "InternalIP", "address": "127.0.0.1"},
            {"type": "Hostname", "address": "localhost"},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet_port}},
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
