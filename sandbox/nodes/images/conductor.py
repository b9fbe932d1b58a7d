"""The image `dbosdev/conductor`: a process of its own, `python -m sandbox.conductor`.

The tag `before-api` stands for an image from before Conductor had an HTTP API: without /v2.
"""

import os
import sys
from pathlib import Path

from sandbox.nodes.images.registry import ContainerSpec, ImageContext, Running, StartError, Subprocess, repository, tag

DEFAULT_PORT = 8090
OLD_TAG = "before-api"
ROOT = Path(__file__).parents[3]  # the folder that holds the package `sandbox`


class Conductor:
    """Listens on DBOS__CONDUCTOR_PORT (8090); everything else it needs is in its environment."""

    def matches(self, image: str) -> bool:
        """`dbosdev/conductor`, also through a registry that mirrors it."""
        return repository(image).split("/")[-2:] == ["dbosdev", "conductor"]

    async def start(self, spec: ContainerSpec, context: ImageContext) -> Running:
        """Starts the process; `StartError` when the pod does not declare the port it listens on."""
        if spec.command or spec.args:
            raise StartError(f"the sandbox's Conductor takes no command or arguments: {spec.command or spec.args}")
        declared = int(spec.env.get("DBOS__CONDUCTOR_PORT", DEFAULT_PORT))
        if declared not in spec.ports:
            raise StartError(f"Conductor listens on {declared}, which is not among the container's ports")
        argv = [sys.executable, "-m", "sandbox.conductor", "--port", str(spec.ports[declared])]
        env = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **spec.env}
        env |= {"CONDUCTOR_API": "none"} if tag(spec.image) == OLD_TAG else {}
        return await Subprocess.start(argv, env, spec)


IMAGE = Conductor()
