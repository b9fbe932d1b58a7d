"""The sample application's migration image, as examples/app/Dockerfile.migrate makes it: its entrypoint is `dbos`."""

from dataclasses import dataclass

from sandbox.nodes.images.app import SOURCE
from sandbox.nodes.images.postgres import SYSTEM_PATH
from sandbox.nodes.images.registry import ContainerSpec, ImageContext, Running, Subprocess, repository

WORKDIR = SOURCE / "migrate"  # holds the image's dbos-config.yaml


@dataclass(frozen=True)
class Migrate:
    """Runs the `dbos` of the application's environment."""

    def matches(self, image: str) -> bool:
        """A repository named `…-migrate` in any registry."""
        return repository(image).endswith("-migrate")

    async def start(self, spec: ContainerSpec, context: ImageContext) -> Running:
        """Starts the command; args alone go to `dbos`."""
        folder = context.app_python.parent
        # Through the interpreter: a script's first line has no room for the path of a deep folder.
        words = spec.command or [str(context.app_python), str(folder / "dbos")]
        env = spec.env | {"PATH": f"{folder}:{SYSTEM_PATH}"}
        return await Subprocess.start([*words, *spec.args], env, spec, cwd=WORKDIR)


IMAGE = Migrate()
