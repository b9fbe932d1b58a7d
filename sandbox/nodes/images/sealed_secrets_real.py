"""The real sealed-secrets controller, in place of the stand-in, when the agent was started with `--real-images`.

The program insists on its ServiceAccount's files at their fixed place and on KUBERNETES_SERVICE_HOST and _PORT, as any
in-cluster client does: it runs in a mount namespace with the container's volumes at their mount paths.
"""

import itertools
import os
import sys
from pathlib import Path

from sandbox.nodes import mounts
from sandbox.nodes.images.registry import ContainerSpec, Running, StartError, Subprocess
from sandbox.nodes.ports import HOST

PROGRAM = "sealed-secrets-controller"
PORTS = {"--listen-addr": 8080, "--listen-metrics-addr": 8081}  # what it listens on unless told otherwise


async def start(program: Path, spec: ContainerSpec) -> Running:
    """Starts it with the container's arguments. StartError when it could not reach the API server."""
    if "KUBERNETES_SERVICE_HOST" not in spec.env:
        raise StartError("the real controller needs a cluster with a pod network (--pod-network)")
    binds = [word for path, real in spec.mounts.items() for word in ("--bind", f"{real}:{path}")]
    launcher = [sys.executable, "-I", "-S", mounts.__file__, *binds, "--"]
    words = [*launcher, str(program), *spec.args, *listen_arguments(spec.args, spec.ports)]
    return await Subprocess.start(words, {"PATH": os.defpath} | spec.env, spec)


def listen_arguments(args: list[str], ports: dict[int, int]) -> list[str]:
    """Arguments that move its listeners to local ports: of two equal flags the last one counts."""
    found: list[str] = []
    for flag, default in PORTS.items():
        given = [after for word, after in itertools.pairwise(args) if word == flag]
        given += [word.partition("=")[2] for word in args if word.startswith(f"{flag}=")]
        port = int(given[-1].rpartition(":")[2]) if given else default
        found += [flag, f"{HOST}:{ports.get(port, 0)}"]  # 0: any port, for one that the pod does not declare
    return found
