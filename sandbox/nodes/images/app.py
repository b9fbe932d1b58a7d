"""The sample application's image, as examples/app/Dockerfile makes it: `python main.py`, listening on $HOST:$PORT."""

from dataclasses import dataclass
from pathlib import Path

from sandbox.nodes.images.postgres import SYSTEM_PATH
from sandbox.nodes.images.registry import ContainerSpec, ImageContext, Running, StartError, Subprocess, repository

SOURCE = Path(__file__).parents[3] / "examples" / "app"
COMMAND = ["python", "main.py"]  # the Dockerfile's CMD
PORT = 8080  # the Dockerfile's EXPOSE


@dataclass(frozen=True)
class App:
    """Runs the application in its own environment, which has the dbos release that it pins."""

    def matches(self, image: str) -> bool:
        """A repository named `…-app` in any registry."""
        return repository(image).endswith("-app")

    async def start(self, spec: ContainerSpec, context: ImageContext) -> Running:
        """Starts the server on the local port for 8080, or for the first port. `StartError` when there is none."""
        if not spec.ports:
            raise StartError(f"the container declares no port; the application listens on {PORT}")
        port = spec.ports.get(PORT, next(iter(spec.ports.values())))
        path = {"PATH": f"{context.app_python.parent}:{SYSTEM_PATH}"}
        env = spec.env | path | {"HOST": "127.0.0.1", "PORT": str(port)}
        words = [*(spec.command or []), *spec.args] or COMMAND
        return await Subprocess.start(words, env, spec, cwd=SOURCE)


IMAGE = App()
