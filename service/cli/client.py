"""A thin client of the REST API for the command line."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx2

from service.cli.errors import CliError
from service.settings import DEFAULT_URL

_TIMEOUT = httpx2.Timeout(10.0, read=30.0)
_LOOK = httpx2.Timeout(10.0, read=90.0)
"""A look for drift asks AWS and the cluster for up to a minute."""


def read_env(file: Path) -> dict[str, str]:
    """KEY=value lines of a file such as sandbox.env; empty when there is none."""
    if not file.exists():
        return {}
    lines = (line.partition("=") for line in file.read_text().splitlines() if not line.startswith("#"))
    return {name.strip(): value.strip() for name, equals, value in lines if equals}


def connect(home: Path) -> "Api":
    """The service that PODIUM_URL names, else the one of the sandbox in `home`, else the default address."""
    env = {**read_env(home / "sandbox.env"), **os.environ}
    if "PODIUM_URL" in os.environ and "PODIUM_API_KEY" not in os.environ:
        env.pop("PODIUM_API_KEY", None)  # a sandbox's key is for the sandbox's service only
    return Api(env.get("PODIUM_URL", DEFAULT_URL), env.get("PODIUM_API_KEY"))


class Api:
    """Raises CliError with the problem's detail and remedy for every answer that is no success."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=_TIMEOUT, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def installations(self) -> list[dict[str, Any]]:
        """All of them, page by page."""
        found: list[dict[str, Any]] = []
        path: str | None = "/v1/installations?page_size=100"
        while path is not None:
            page = self.get(path)
            found += page["installations"]
            path = page["next"]
        return found

    def installation(self, name: str) -> dict[str, Any]:
        return self.get(f"/v1/installations/{quote(name)}")

    def create(self, spec: dict[str, Any], idempotency_key: str) -> dict[str, Any]:
        return self._send("POST", "/v1/installations", json=spec, headers={"Idempotency-Key": idempotency_key})

    def retry(self, name: str, from_phase: str | None = None) -> dict[str, Any]:
        body = {"from_phase": from_phase} if from_phase else {}
        return self._send("POST", f"/v1/installations/{quote(name)}:retry", json=body)

    def cancel(self, name: str) -> dict[str, Any]:
        return self._send("POST", f"/v1/installations/{quote(name)}:cancel")

    def uninstall(self, name: str, *, data: str, force: bool) -> dict[str, Any]:
        params = {"data": data, "force": str(force).lower()}
        return self._send("DELETE", f"/v1/installations/{quote(name)}", params=params)

    def plan_change(self, spec: dict[str, Any]) -> dict[str, Any]:
        """What `apply` would do."""
        params = {"validate_only": "true"}
        return self._send("PUT", f"/v1/installations/{quote(_name_of(spec))}", json=spec, params=params)

    def apply(self, spec: dict[str, Any]) -> dict[str, Any]:
        """The operation that was begun, or the plan that says that there is nothing to do."""
        return self._send("PUT", f"/v1/installations/{quote(_name_of(spec))}", json=spec)

    def drift(self, name: str) -> dict[str, Any]:
        return self._send("GET", f"/v1/installations/{quote(name)}/drift", timeout=_LOOK)

    def repair(self, name: str) -> dict[str, Any]:
        """The operation that was begun, or the report that says that there is nothing to do."""
        return self._send("POST", f"/v1/installations/{quote(name)}:repair", timeout=_LOOK)

    def events(self, name: str) -> Iterator[dict[str, Any]]:
        """The whole log, oldest first."""
        path: str | None = f"/v1/installations/{quote(name)}/events"
        while path is not None:
            page = self.get(path)
            yield from page["events"]
            path = page["next"]

    def follow(self, name: str) -> Iterator[str]:
        """The data of each server-sent event, for as long as the service keeps the stream open."""
        headers = {"Accept": "text/event-stream"}
        path = f"/v1/installations/{quote(name)}/events"
        try:
            with self._http.stream("GET", path, headers=headers, timeout=httpx2.Timeout(10.0, read=60.0)) as answer:
                if answer.is_error:
                    answer.read()
                    raise _refused(answer)
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        yield line.removeprefix("data: ")
        except httpx2.TransportError as error:
            raise self._unreachable() from error

    def get(self, path: str) -> dict[str, Any]:
        return self._send("GET", path)

    def ready(self) -> bool:
        """Whether the service answers and can work."""
        try:
            return self._http.get("/readyz").status_code == 200
        except httpx2.TransportError:
            return False

    def _send(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, **options)
        except httpx2.TransportError as error:
            raise self._unreachable() from error
        if answer.is_error:
            raise _refused(answer)
        body: dict[str, Any] = answer.json()
        return body

    def _unreachable(self) -> CliError:
        return Unreachable(
            f"no Podium answers at {self.url}. Start one with podium serve or podium demo, or set PODIUM_URL."
        )


def _name_of(spec: dict[str, Any]) -> str:
    name = spec.get("name")
    if not isinstance(name, str) or not name:
        raise CliError("the spec has no name: add the name of the installation that is to change.")
    return name


class Unreachable(CliError):
    """Nobody answered."""


class Refused(CliError):
    """The service said no; `problem` is its problem document."""

    def __init__(self, text: str, problem: dict[str, Any]) -> None:
        super().__init__(text)
        self.problem = problem


def _refused(answer: httpx2.Response) -> Refused:
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return Refused(f"{answer.url} answered {answer.status_code}; is that a Podium?", {"code": "UNKNOWN"})
    problem: dict[str, Any] = answer.json()
    lines = [f"{problem['detail']} {problem.get('remedy') or ''}".strip()]
    lines += [
        f"  {one.get('field', '')}: {one['message']} {one.get('remedy', '')}" for one in problem.get("errors", [])
    ]
    return Refused("\n".join(lines), problem)
