"""The sample application's image: uvicorn serves `app:app` of examples/app, as its Dockerfile says."""

from dataclasses import dataclass
from pathlib import Path

from sandbox.nodes.images.postgres import SYSTEM_PATH
from sandbox.nodes.images.registry import ContainerSpec, ImageContext, Running, StartError, Subprocess, repository

SOURCE = Path(__file__).parents[3] / "examples" / "app"
PORT = 8080  # the Dockerfile's EXPOSE


@dataclass(frozen=True)
class App:
    """Runs the application in its own environment, which has the dbos release that it pins."""

    def matches(self, image: str) -> bool:
        """A repository named `…-app` in any registry."""
        return repository(image).endswith("-app")

    async def start(self, spec: ContainerSpec, context: ImageContext) -> Running:
        """Starts the server on the local port for 8080, or for the only port there is."""
        folder = context.app_python.parent
        env = spec.env | {"PATH": f"{folder}:{SYSTEM_PATH}"}
        if spec.command:
            return await Subprocess.start([*spec.command, *spec.args], env, spec, cwd=SOURCE)
        if not spec.ports:
            raise StartError(f"the container declares no port; the application listens on {PORT}")
        port = spec.ports.get(PORT, next(iter(spec.ports.values())))
        server = ["-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", str(port)]
        return await Subprocess.start([str(context.app_python), *server, *spec.args], env, spec, cwd=SOURCE)


IMAGE = App()
