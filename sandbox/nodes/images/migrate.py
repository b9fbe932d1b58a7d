"""The sample application's migration image: its entrypoint is the `dbos` command (examples/app/Dockerfile.migrate)."""

from dataclasses import dataclass

from sandbox.nodes.images.postgres import SYSTEM_PATH
from sandbox.nodes.images.registry import ContainerSpec, ImageContext, Running, Subprocess, repository


@dataclass(frozen=True)
class Migrate:
    """Runs the application environment's `dbos`, in the scratch directory: no configuration of ours is read there."""

    def matches(self, image: str) -> bool:
        """A repository named `…-migrate` in any registry."""
        return repository(image).endswith("-migrate")

    async def start(self, spec: ContainerSpec, context: ImageContext) -> Running:
        """Starts the command; args alone go to `dbos`."""
        folder = context.app_python.parent
        # Through the interpreter: a script's first line has no room for the path of a deep folder.
        words = spec.command or [str(context.app_python), str(folder / "dbos")]
        env = spec.env | {"PATH": f"{folder}:{SYSTEM_PATH}"}
        return await Subprocess.start([*words, *spec.args], env, spec)


IMAGE = Migrate()
