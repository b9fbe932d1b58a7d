"""The control API under /_sandbox: what happened, faults, credentials, settings, images, who may enter a cluster."""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from sandbox.aws.cloud import Cloud
from sandbox.aws.errors import Answer, AwsError, json_answer
from sandbox.aws.front import CONTROL

Query = dict[str, str]
Route = Callable[[Query, Any, re.Match[str]], Any]


class Control:
    """Routes by method and path; bodies and answers are JSON. Other modules add routes with `add`."""

    def __init__(self, cloud: Cloud, changed: Callable[[], None]) -> None:
        self._cloud = cloud
        self._changed = changed
        self._routes: list[tuple[str, re.Pattern[str], Route]] = []
        self.add("GET", "/healthz", lambda query, body, path: {"status": "ok"})
        self.add("GET", "/calls", lambda query, body, path: cloud.calls.listed())
        self.add("DELETE", "/calls", lambda query, body, path: cloud.calls.clear())
        self.add("GET", "/faults", lambda query, body, path: cloud.faults.listed())
        self.add("POST", "/faults", self._add_faults)
        self.add("DELETE", "/faults", lambda query, body, path: cloud.faults.clear())
        self.add("POST", "/credentials", self._set_credentials)
        self.add("GET", "/settings", lambda query, body, path: vars(cloud.settings))
        self.add("PUT", "/settings", self._set_settings)

    def add(self, method: str, pattern: str, route: Route) -> None:
        """Answer `method` on CONTROL + `pattern` (a regular expression) with the JSON of what `route` returns."""
        self._routes.append((method, re.compile(CONTROL + pattern), route))

    def __call__(self, environ: dict[str, Any], body: bytes) -> Answer:
        query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
        for method, pattern, route in self._routes:
            path = pattern.fullmatch(environ.get("PATH_INFO", ""))
            if path and method == environ["REQUEST_METHOD"]:
                try:
                    return json_answer(route(query, json.loads(body or b"null"), path))
                except (ValueError, TypeError, KeyError, re.error) as problem:
                    return json_answer({"message": f"{type(problem).__name__}: {problem}"}, 400)
                except AwsError as problem:
                    return json_answer({"code": problem.code, "message": problem.message}, problem.status)
        return json_answer({"message": "no such control"}, 404)

    def _add_faults(self, query: Query, body: Any, path: re.Match[str]) -> Any:
        """One rule or a list of rules."""
        self._cloud.faults.add(body if isinstance(body, list) else [body])
        return self._cloud.faults.listed()

    def _set_credentials(self, query: Query, body: Any, path: re.Match[str]) -> Any:
        """{"access_key": ..., "state": "valid" or "expired"}: a key set valid is accepted from now on."""
        if body["state"] not in ("valid", "expired"):
            raise ValueError(f"state must be valid or expired: {body['state']}")
        self._cloud.credentials.states[body["access_key"]] = body["state"]
        self._changed()
        return self._cloud.credentials.states

    def _set_settings(self, query: Query, body: Any, path: re.Match[str]) -> Any:
        self._cloud.settings.change(body)
        self._changed()
        return vars(self._cloud.settings)
