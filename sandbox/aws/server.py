"""Puts the stand-in together and serves it over HTTP/1.1 on 127.0.0.1."""

import logging
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.aws import iam, sts
from sandbox.aws.clock import Clock
from sandbox.aws.cloud import Cloud
from sandbox.aws.control import Control
from sandbox.aws.credentials import Credentials, own_credentials
from sandbox.aws.front import Front, Ticker
from sandbox.aws.moto_app import Moto
from sandbox.aws.rds.servers import DatabaseServers
from sandbox.aws.snapshot import Snapshots

if TYPE_CHECKING:
    from sandbox.aws.extensions import Extensions

REGION = "us-west-2"


class _Requests(WSGIRequestHandler):
    """Keep-alive, and no line per request on the terminal (the call log has them)."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        logging.getLogger("werkzeug").debug(message, *args)


class Server:
    """One AWS stand-in. `start` returns at once; calls wait until moto is loaded."""

    def __init__(self, home: Path, port: int, clock: Clock, with_clusters: bool = True) -> None:
        self.cloud = Cloud(home, port, clock, Credentials(own_credentials(home)))
        self._moto = Moto(port)
        self._snapshots = Snapshots(home / "aws" / "state.pickle", self.cloud.lock, self._own_state)
        self.cloud.lifecycle.on_change = self._snapshots.mark
        self._control = Control(self.cloud, self._snapshots.mark)
        self._checkpoints: dict[str, bytes] = {}
        self._control.add("PUT", "/checkpoints/([^/]+)", self._checkpoint)
        self._control.add("POST", "/checkpoints/([^/]+)", self._go_back)
        self._front = Front(self.cloud, self._moto, self._snapshots, self._handlers(), self._control)
        self._with_clusters = with_clusters
        self._databases = DatabaseServers(self.cloud)
        self._extensions: Extensions | None = None
        self._http: BaseWSGIServer = make_server(
            "127.0.0.1", port, self._front, threaded=True, request_handler=_Requests
        )
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="aws-http", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._databases.start()
        self._moto.load(self._install, REGION)

    def stop(self) -> None:
        """Stop answering, then write the state."""
        self._front.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._moto.settled()
        self._snapshots.stop()
        if self._extensions is not None:
            self._extensions.close()
        self._databases.close()
        self.cloud.workers.shutdown(wait=False, cancel_futures=True)

    def _handlers(self) -> dict[str, Any]:
        cloud = self.cloud
        return {
            "sts:GetCallerIdentity": lambda call: sts.caller_identity(
                call,
                cloud.credentials.identify(call.service, call.access_key),
                cloud.credentials.secret_key(call.access_key),
            ),
            "iam:SimulatePrincipalPolicy": lambda call: iam.simulate_principal_policy(call, cloud.settings),
            "servicequotas:*": cloud.quotas.answer,
        }

    def _install(self) -> None:
        """After moto's import, before its first use: our subclasses, then the saved state."""
        from sandbox.aws.extensions import Extensions  # noqa: PLC0415

        with self.cloud.lock:
            extensions = Extensions(
                self.cloud, self._control, self._databases, region=REGION, with_clusters=self._with_clusters
            )
            self._extensions = extensions
            restored = self._snapshots.restore()
            if restored is not None:
                self._restore(restored)
            self._front.handlers.update(extensions.handlers())
            extensions.resume()
        self._snapshots.start()
        Ticker(self.cloud, self._front.stopping, extensions.tick).start()

    def _checkpoint(self, query: dict[str, str], body: Any, path: re.Match[str]) -> Any:
        """Keeps everything as it is now under a name, in memory. For a stand-in without clusters behind it."""
        self._moto.settled()
        with self.cloud.lock:
            self._checkpoints[path[1]] = self._snapshots.taken()
        return {"bytes": len(self._checkpoints[path[1]])}

    def _go_back(self, query: dict[str, str], body: Any, path: re.Match[str]) -> Any:
        """Makes everything as it was at that checkpoint; raises KeyError when there is none of the name."""
        with self.cloud.lock:
            own = self._snapshots.put_back(self._checkpoints[path[1]])
            if self._extensions is not None:
                self._extensions.eks.store.clusters.clear()
                self._restore(own)
                self._extensions.resume()
        return {"restored": path[1]}

    def _own_state(self) -> dict[str, Any]:
        cloud = self.cloud
        return {
            "settings": cloud.settings,
            "changes": cloud.lifecycle.changes,
            "tokens": cloud.tokens,
            "credentials": cloud.credentials.states,
            "clusters": self._extensions.eks.store.clusters if self._extensions is not None else {},
        }

    def _restore(self, own: dict[str, Any]) -> None:
        self.cloud.settings.change(vars(own["settings"]))
        self.cloud.lifecycle.changes = own["changes"]
        self.cloud.tokens = own["tokens"]
        self.cloud.credentials.states = own["credentials"]
        if self._extensions is not None:
            self._extensions.eks.store.clusters.update(own["clusters"])
