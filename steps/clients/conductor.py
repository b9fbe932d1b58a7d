"""Conductor's HTTP API (Conductor API 2.0.0), reached through the Kubernetes API's service proxy.

Without OAuth Conductor knows one organisation, `local`, and asks for no authentication; it is reachable only inside
the cluster while Podium uses it so (design.md §6).
"""

from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

from steps.clients.kubernetes import Kube, Object, ServiceAnswer
from steps.errors import Code, PodiumError, TransientError
from steps.scrubbing import scrub

ORGANISATION = "local"
SERVICE = "conductor"
PORT = 8090
NO_CONTENT = 204
T = TypeVar("T")


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
        """Whether this Conductor has the HTTP API: an older one answers 404, or a page, to every /v2 path.

        One such answer may be somebody else's, a proxy's for instance: two must say so.
        """
        answer = self._send("GET", "/apps")
        if not _is_of_older(answer):
            self._checked(answer, "list applications", list)
            return True
        if _is_of_older(self._send("GET", "/tokens")):
            return False
        raise _unreadable(answer, "list applications")

    def register_app(self, app: str) -> None:
        """Register the application; nothing changes when it is registered."""
        self._check(self._send("PUT", f"/apps/{_quoted(app)}", {}), f"register application {app}")

    def is_registered(self, app: str) -> bool:
        answer = self._send("GET", f"/apps/{_quoted(app)}")
        return answer.status != 404 and bool(self._checked(answer, f"look at application {app}", dict))

    def token_names(self) -> list[str]:
        found = self._checked(self._send("GET", "/tokens"), "list tokens", list)
        return [str(token["tokenName"]) for token in found]

    def create_token(self, name: str, app: str) -> Token:
        """Make an API key for one application."""
        answer = self._send("POST", f"/tokens/{_quoted(name)}", {"appNames": [app]})
        return Token(name, str(self._checked(answer, f"create token {name}", dict)["token"]))

    def delete_token(self, name: str) -> None:
        answer = self._send("DELETE", f"/tokens/{_quoted(name)}")
        if answer.status != 404:
            self._check(answer, f"delete token {name}")

    def executors(self, app: str) -> list[Object]:
        """The application's executors: `executorId`, `status` (HEALTHY, DISCONNECTED, DEAD), `hostname`, and more."""
        answer = self._send("GET", f"/apps/{_quoted(app)}/executors")
        return self._checked(answer, "list executors", list)

    def _send(self, method: str, path: str, body: Object | None = None) -> ServiceAnswer:
        full = f"/v2/orgs/{ORGANISATION}{path}"
        return self._kube.service_request(self._namespace, SERVICE, PORT, method, full, body=body)

    def _checked(self, answer: ServiceAnswer, what: str, kind: type[T]) -> T:
        """The answer's JSON, of this type. Raises as `_check` does, and TransientError for anything else."""
        if answer.status >= 400:
            raise _refused(answer, what)
        found = answer.json()
        if not isinstance(found, kind):
            raise _unreadable(answer, what)
        return found

    def _check(self, answer: ServiceAnswer, what: str) -> None:
        """For operations whose success is documented as 204, without a body: CONDUCTOR_REJECTED, TransientError."""
        if answer.status >= 400:
            raise _refused(answer, what)
        if answer.status != NO_CONTENT:
            raise _unreadable(answer, what)


def _is_of_older(answer: ServiceAnswer) -> bool:
    return answer.status == 404 or (answer.status < 400 and answer.text.lstrip().startswith("<"))


def _refused(answer: ServiceAnswer, what: str) -> PodiumError:
    problem = answer.json()
    detail = problem.get("detail") or problem.get("title") if isinstance(problem, dict) else None
    message = scrub(f"Conductor refused to {what}: HTTP {answer.status}: {detail or 'no reason given'}")[:500]
    if answer.status == 429 or answer.status >= 500:
        return _unavailable(message, "Look at Conductor's log and its database connection, then retry.")
    return PodiumError.by_provider(
        Code.CONDUCTOR_REJECTED, message, "Check the application's name and Conductor's licence, then retry."
    )


def _unreadable(answer: ServiceAnswer, what: str) -> TransientError:
    """Its text is not shown: it may be half of an answer with a key in it."""
    return _unavailable(
        f"What answered for Conductor, asked to {what}, was not Conductor (HTTP {answer.status})",
        "Retry; if it stays so, look what runs behind the Service conductor, and at what stands before the cluster.",
    )


def _unavailable(message: str, remedy: str) -> TransientError:
    return TransientError.by_provider(Code.CONDUCTOR_UNAVAILABLE, message, remedy)


def _quoted(name: str) -> str:
    return quote(name, safe="")
