"""The environment variables about Services that a kubelet gives every container.

Those of the API server (Service `kubernetes` in `default`) always; those of the pod's own namespace too, unless its
`enableServiceLinks` is false: they can collide with an application's own names, here as on a real cluster.
Source: k8s.io/kubernetes pkg/kubelet/envvars. Other than there, KUBERNETES_SERVICE_HOST and _PORT are the API server's
own address: the Service's ClusterIP, 10.100.0.1, is the same in all clusters that share a network.
"""

from sandbox.nodes.api import Object
from sandbox.nodes.endpoints import Backends, Items

MASTER = ("default", "kubernetes")


def variables(services: Items, backends: Backends, pod: Object) -> dict[str, str]:
    """`{"KUBERNETES_SERVICE_HOST": "172.31.0.1", …}`."""
    chosen = [service for name, service in services.items() if name == MASTER]
    if pod["spec"].get("enableServiceLinks", True):
        namespace = pod["metadata"]["namespace"]
        chosen += [service for name, service in services.items() if name[0] == namespace and name != MASTER]
    env: dict[str, str] = {}
    for service in chosen:
        if service["spec"].get("clusterIP") not in {None, "", "None"}:
            env |= _of(service)
    for host, port in backends(*MASTER, "https")[:1]:
        env |= {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
    return env


def _of(service: Object) -> dict[str, str]:
    name = service["metadata"]["name"].upper().replace("-", "_")
    address, ports = service["spec"]["clusterIP"], service["spec"].get("ports") or []
    env = {f"{name}_SERVICE_HOST": address}
    for index, port in enumerate(ports):
        protocol, number = port.get("protocol", "TCP"), port["port"]
        url, prefix = f"{protocol.lower()}://{address}:{number}", f"{name}_PORT_{number}_{protocol}"
        if index == 0:
            env |= {f"{name}_SERVICE_PORT": str(number), f"{name}_PORT": url}
        if port.get("name"):
            env[f"{name}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(number)
        env |= {prefix: url, f"{prefix}_PROTO": protocol.lower(), f"{prefix}_PORT": str(number)}
        env[f"{prefix}_ADDR"] = address
    return env
