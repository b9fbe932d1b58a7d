"""From an entry of spec.containers to what a process on this machine is started with."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sandbox.nodes import dns, environment, volumes
from sandbox.nodes.api import Object
from sandbox.nodes.environment import Lookup
from sandbox.nodes.images.registry import ContainerSpec
from sandbox.nodes.node_context import NodeContext


async def build(
    definition: Object,
    pod: Object,
    node: NodeContext,
    *,
    directory: Path,
    log: Path,
    ports: Mapping[int, int],
    mounted: Mapping[str, Path],
) -> ContainerSpec:
    """The spec with everything resolved. Raises `ConfigError` when a Secret, ConfigMap or key is missing."""
    lookup = Lookup(node.client, pod["metadata"]["namespace"])
    env = await environment.resolve(definition, pod, lookup, node.allocatable)

    def local(text: str) -> str:
        """A value as a process on this machine needs it: real paths, addresses instead of Service names."""
        return dns.rewrite(volumes.substitute(text, mounted), node.images.resolve, node.sole_port)

    def words(field: str) -> list[str]:
        return [local(environment.expand(word, env)) for word in definition.get(field) or []]

    return ContainerSpec(
        name=definition["name"],
        image=definition["image"],
        command=words("command") or None,
        args=words("args"),
        env=_base(pod, directory) | node.service_env(pod) | _mapped(env, local) | _port_variables(ports),
        ports=dict(ports),
        pod_name=pod["metadata"]["name"],
        namespace=pod["metadata"]["namespace"],
        pod_ip=pod["status"]["podIP"],
        directory=directory,
        log=log,
        mounts=dict(mounted),
        local=local,
    )


def _base(pod: Object, directory: Path) -> dict[str, str]:
    """What a container runtime sets, and what makes Python write its log at once."""
    return {"HOME": str(directory), "HOSTNAME": pod["metadata"]["name"], "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


def _mapped(env: Mapping[str, str], change: Callable[[str], str]) -> dict[str, str]:
    return {name: change(value) for name, value in env.items()}


def _port_variables(ports: Mapping[int, int]) -> dict[str, str]:
    """PORT is the first local port; PORT_8090 the one that stands for containerPort 8090."""
    variables: dict[str, Any] = {f"PORT_{number}": str(local) for number, local in ports.items()}
    return variables | ({"PORT": str(next(iter(ports.values())))} if ports else {})
