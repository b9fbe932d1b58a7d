"""HTTP to one cluster's API through the package `kubernetes`: its Configuration and its ApiClient (urllib3).

Imported at the first call, not with this module: the package costs 0.3 s and 6 MiB (14 by itself), and an idle service
has no cluster to talk to. Of the package only the transport is used: Podium applies YAML, so its models and its
deserialisation stay out of the way, and what comes back is an `Answer`.
"""

import base64
import json
import logging
import threading
from dataclasses import dataclass
from typing import Any

from urllib3.exceptions import HTTPError

from steps.clients.kubernetes.errors import unreachable
from steps.gate import pass_gate

CONNECTIONS = 32
"""Connections kept open for reuse: twice the threads that run steps. More may be open for a moment; none waits."""
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
BODY_LOGGER = "kubernetes.client.rest"
"""To this, versions of the package write the bodies of responses, Secrets among them, at DEBUG."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read wholly."""

    status: int
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")

    @property
    def object(self) -> dict[str, Any] | None:
        """The API's object of any kind; None when the answer is something else."""
        try:
            body = json.loads(self.data)
        except ValueError:
            return None
        return body if isinstance(body, dict) and "kind" in body else None

    @property
    def refusal(self) -> dict[str, Any]:
        """The Status object of an answer, {} when it is something else: tells the API's words from a Service's."""
        found = self.object or {}
        return found if found.get("kind") == "Status" else {}


class Transport:
    """Connections to one API server, shared by threads. Nothing is imported or opened before the first request."""

    def __init__(self, endpoint: str, ca_data_base64: str) -> None:
        self.endpoint = endpoint
        self._authority = base64.b64decode(ca_data_base64).decode()
        self._lock = threading.Lock()
        self._client: Any = None

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()

    def request(
        self,
        method: str,
        path: str,
        token: str,
        *,
        params: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        content_type: str | None = None,
        read_seconds: float = READ_SECONDS,
    ) -> Answer:
        """One attempt; `path` is quoted already. TransientError KUBERNETES_UNAVAILABLE when no whole answer comes.

        The token goes along with this one call: kept in the Configuration, another thread's could take its place.
        """
        client = self._opened()
        headers = {"Accept": "application/json, */*"} | ({"Content-Type": content_type} if content_type else {})
        call = client.param_serialize(
            method, path, None, params, headers, body, auth_settings=["BearerToken"], _request_auth=_bearer(token)
        )
        pass_gate()
        try:
            response = client.call_api(*call, _request_timeout=(CONNECT_SECONDS, read_seconds))
            return Answer(response.status, response.read())
        except (HTTPError, _package_error()) as error:
            raise unreachable(f"{method} {self.endpoint}", error) from error

    def _opened(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = _open(self.endpoint, self._authority)
            return self._client


def _open(endpoint: str, authority: str) -> Any:
    """An ApiClient that trusts only this authority (PEM), asks no proxy, repeats nothing and follows no redirect.

    A repetition is for the step to decide, which knows whether it may: see `TransientError`.
    """
    from kubernetes.client import ApiClient, Configuration  # noqa: PLC0415 - costly: see the module's docstring

    silence_bodies()
    configuration = Configuration(
        host=endpoint, ca_cert_data=authority, retries=False, connection_pool_maxsize=CONNECTIONS
    )
    configuration.proxy = None
    client = ApiClient(configuration)
    client.user_agent = "podium"
    return client


def _package_error() -> Any:
    """The exception into which the package turns a failed TLS handshake."""
    from kubernetes.client import ApiException  # noqa: PLC0415 - imported by now

    return ApiException


def _bearer(token: str) -> dict[str, str]:
    return {"type": "api_key", "in": "header", "key": "authorization", "value": f"Bearer {token}"}


def _nothing(_record: logging.LogRecord) -> bool:
    return False


def silence_bodies() -> None:
    """Let the logger that may write bodies emit nothing, whatever level anybody sets on it or above it.

    A filter, since a logging configuration that is loaded later resets a logger's level and `disabled`.
    """
    logging.getLogger(BODY_LOGGER).addFilter(_nothing)
