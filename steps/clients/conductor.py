"""Conductor's HTTP API (Conductor API 2.0.0), reached through the Kubernetes API's service proxy.

Without OAuth Conductor knows one organisation, `local`, and asks for no authentication; it is reachable only inside
the cluster while Podium uses it so (design.md §6).
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from steps.clients.kubernetes import Kube, Object, ServiceAnswer
from steps.errors import Code, Fault, PodiumError, TransientError
from steps.scrubbing import scrub

ORGANISATION = "local"
SERVICE = "conductor"
PORT = 8090


@dataclass(frozen=True)
class Token:
    """An API key just made: Conductor tells its secret once."""

    name: str
    secret: str = field(repr=False)


class ConductorApi:
    """One Conductor in one namespace."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace

    def is_supported(self) -> bool:
        """Whether this Conductor has the HTTP API: an older one answers 404, or a page, to every /v2 path."""
        answer = self._send("GET", "/apps")
        if answer.status == 404 or (answer.status < 400 and not isinstance(answer.json(), list)):
            return False
        self._check(answer, "list applications")
        return True

    def register_app(self, app: str) -> None:
        """Register the application; nothing changes when it is registered."""
        self._check(self._send("PUT", f"/apps/{_quoted(app)}", {}), f"register application {app}")

    def is_registered(self, app: str) -> bool:
        answer = self._send("GET", f"/apps/{_quoted(app)}")
        return answer.status != 404 and self._check(answer, f"look at application {app}") is not None

    def token_names(self) -> list[str]:
        answer = self._check(self._send("GET", "/tokens"), "list tokens")
        return [str(token["tokenName"]) for token in answer or []]

    def create_token(self, name: str, app: str) -> Token:
        """Make an API key for one application."""
        answer = self._check(
            self._send("POST", f"/tokens/{_quoted(name)}", {"appNames": [app]}), f"create token {name}"
        )
        return Token(name, str(answer["token"]))

    def delete_token(self, name: str) -> None:
        answer = self._send("DELETE", f"/tokens/{_quoted(name)}")
        if answer.status != 404:
            self._check(answer, f"delete token {name}")

    def executors(self, app: str) -> list[Object]:
        """The application's executors: `executorId`, `status` (HEALTHY, DISCONNECTED, DEAD), `hostname`, and more."""
        found: list[Object] = self._check(self._send("GET", f"/apps/{_quoted(app)}/executors"), "list executors") or []
        return found

    def _send(self, method: str, path: str, body: Object | None = None) -> ServiceAnswer:
        full = f"/v2/orgs/{ORGANISATION}{path}"
        return self._kube.service_request(self._namespace, SERVICE, PORT, method, full, body=body)

    def _check(self, answer: ServiceAnswer, what: str) -> Any:
        """The answer's JSON (None when it has no body)."""
        if answer.status < 400:
            return answer.json()
        problem = answer.json()
        detail = problem.get("detail") or problem.get("title") if isinstance(problem, dict) else None
        message = scrub(f"Conductor refused to {what}: HTTP {answer.status}: {detail or 'no reason given'}")[:500]
        if answer.status == 429 or answer.status >= 500:
            raise TransientError(
                Code.CONDUCTOR_UNAVAILABLE,
                message,
                fault=Fault.PROVIDER,
                retryable=True,
                remedy="Look at Conductor's log and its database connection, then retry.",
            )
        raise PodiumError.by_provider(
            Code.CONDUCTOR_REJECTED, message, "Check the application's name and Conductor's licence, then retry."
        )


def _quoted(name: str) -> str:
    return quote(name, safe="")
