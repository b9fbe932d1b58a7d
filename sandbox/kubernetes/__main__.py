"""Process 3 of the sandbox: one cluster's API server and controllers, on https://127.0.0.1:PORT.

`python -m sandbox.kubernetes --dir CLUSTER_DIR --port P --cluster NAME --account A --region R --aws-endpoint URL`.
"""

import asyncio
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx2
import uvicorn

from sandbox.kubernetes import controllers, lifecycle
from sandbox.kubernetes.api.app import Application
from sandbox.kubernetes.api.auth import Authenticator
from sandbox.kubernetes.api.context import Server
from sandbox.kubernetes.api.protocol import Protocol
from sandbox.kubernetes.arguments import parser_of, settings_of
from sandbox.kubernetes.authorization.rbac import Authorizer
from sandbox.kubernetes.certificates import ensure_certificates
from sandbox.kubernetes.kubeconfig import ensure_kubeconfig
from sandbox.kubernetes.service_account_tokens import Tokens
from sandbox.kubernetes.settings import Settings
from sandbox.kubernetes.store import Store
from sandbox.processes import exit_with_parent

log = logging.getLogger("sandbox.kubernetes")


def _settings() -> tuple[Settings, bool]:
    parser = parser_of("sandbox.kubernetes", __doc__)
    parser.add_argument("--kubernetes-version", default="v1.34.1", help="what /version tells")
    found = parser.parse_args()
    return replace(settings_of(found), kubernetes_version=found.kubernetes_version), found.parent_pipe


async def serve(settings: Settings, *, parent_pipe: bool) -> None:
    """Runs the server and the controllers until SIGTERM, SIGINT or, with `parent_pipe`, the parent's end."""
    settings.directory.mkdir(parents=True, exist_ok=True)
    authority, certificate, key = ensure_certificates(settings.directory)
    token = ensure_kubeconfig(settings, authority)
    store = Store(settings.directory / "state.sqlite")
    lifecycle.bootstrap(store, settings.port)
    async with httpx2.AsyncClient(timeout=httpx2.Timeout(10, read=None), trust_env=False) as client:
        authorizer, accounts = Authorizer(store), Tokens(settings.directory, store)
        authenticator = Authenticator(settings, token, client, authorizer, accounts)
        server = Server(store, settings, client, authorizer, accounts, authenticator)
        runner = _Runner(_configuration(Application(server), settings.port, certificate, key), server)
        if parent_pipe:
            exit_with_parent(runner.stop)
        tasks = [asyncio.create_task(lifecycle.run(store)), *controllers.start(store, settings)]
        await runner.serve()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    store.close()


def _configuration(app: Application, port: int, certificate: Path, key: Path) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        ssl_certfile=str(certificate),
        ssl_keyfile=str(key),
        http=Protocol,
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        backlog=512,
    )


class _Runner(uvicorn.Server):
    """A uvicorn server that ends open watches before it waits for connections to close."""

    def __init__(self, config: uvicorn.Config, server: Server) -> None:
        super().__init__(config)
        self._server = server

    def stop(self) -> None:
        """Begins the shutdown."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT begin the shutdown; unlike uvicorn's own, they are not raised again after it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        yield

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """As uvicorn's, after ending the watches and dropping idle connections, whose clients may never close TLS."""
        self._server.stopping.set()
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, Protocol) and connection.idle:
                connection.transport.abort()
        await super().shutdown(sockets)  # type: ignore[arg-type]


def main() -> None:
    """The command line."""
    settings, parent_pipe = _settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    asyncio.run(serve(settings, parent_pipe=parent_pipe))


if __name__ == "__main__":
    main()
