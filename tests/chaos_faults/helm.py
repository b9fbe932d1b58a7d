"""A helm that fails when it is told to: a program in front of the sandbox's, which notes each run.

Real helm's words for what goes wrong: its own source (pkg/action, pkg/getter, pkg/kube) and Go's network errors.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from steps.errors import Code, Fault
from tests.chaos_faults.kinds import Combination, Request, numbered

REPOSITORY = "https://charts.example.com"
API = "https://127.0.0.1:6443"
PULLING = {
    "throttled": f"Error: failed to fetch {REPOSITORY}/x.tgz : 429 Too Many Requests",
    "500": f'Error: looks like "{REPOSITORY}" is not a valid chart repository or cannot be reached: failed to fetch '
    f"{REPOSITORY}/index.yaml : 500 Internal Server Error",
    "reset": f'Error: Get "{REPOSITORY}/index.yaml": read tcp 10.0.0.1:4711->10.0.0.2:443: read: connection reset',
    "denied": f"Error: failed to fetch {REPOSITORY}/x.tgz : 401 Unauthorized",
    "broken off": "Error: unexpected EOF",
    "page": f'Error: looks like "{REPOSITORY}" is not a valid chart repository or cannot be reached: error converting '
    "YAML to JSON: yaml: line 7: mapping values are not allowed in this context",
}
DEPLOYING = {
    "throttled": "Error: UPGRADE FAILED: the server has received too many requests and has asked us to try again later",
    "500": "Error: UPGRADE FAILED: Internal error occurred: etcdserver: request timed out",
    "reset": f'Error: Kubernetes cluster unreachable: Get "{API}/version": dial tcp: connect: connection refused',
    "denied": 'Error: UPGRADE FAILED: roles.rbac.authorization.k8s.io is forbidden: User "podium" cannot create it',
    "quota": 'Error: UPGRADE FAILED: deployments.apps "x" is forbidden: exceeded quota: objects, limited: services=1',
    "conflict": "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
}
SCRIPTS = {
    "killed": "kill -9 $$",
    "killed in the middle": '"$real" "$@" & running=$!; sleep 0.7; kill -9 $running; exit 137',
    "timeout": "exec sleep 60",
}
DONE = {
    "failed, done": '"$real" "$@"; echo "Error: UPGRADE FAILED: context deadline exceeded" >&2; exit 1',
    "killed, done": '"$real" "$@" >/dev/null; kill -9 $$',
    "timeout, done": '"$real" "$@"; exec sleep 60',
}


class HelmInFront:
    """The program is `path`; a fault is a line of shell that the next run of a verb does in place of helm."""

    def __init__(self, folder: Path, real: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self._log, self._fault = folder / "helm", folder / "runs", folder / "fault-"
        self._log.touch()
        lines = (
            "#!/bin/sh",
            f"real={shlex.quote(real)} log={shlex.quote(str(self._log))} fault={shlex.quote(str(self._fault))}$1",
            'echo "$1" >> "$log"',
            'if mv "$fault" "$fault.struck" 2>/dev/null; then . "$fault.struck"; fi',
            'exec "$real" "$@"',
        )
        self.path.write_text("\n".join(lines) + "\n")
        self.path.chmod(0o755)

    @contextmanager
    def recorded(self) -> Iterator[list[str]]:
        self._log.write_text("")
        found: list[str] = []
        yield found
        found += [f"helm {verb}" for verb in self._log.read_text().split()]

    def combinations(self, calls: list[str]) -> Iterator[Combination]:
        for request in numbered((name, True) for name in dict.fromkeys(calls)):
            verb = request.name.removeprefix("helm ")
            words = PULLING if verb == "pull" else DEPLOYING
            says = {way: f"echo {shlex.quote(text)} >&2; exit 1" for way, text in words.items()}
            for way, script in {**says, **SCRIPTS, **({} if verb == "pull" else DONE)}.items():
                rule = {"verb": verb, "script": script}
                yield Combination(request, way, rule, frozenset({Code.HELM_FAILED}))
            if verb == "pull":
                yield self._spoilt(request)

    def fault(self, rule: dict[str, Any]) -> None:
        Path(f"{self._fault}{rule['verb']}").write_text(rule["script"] + "\n")

    def struck(self) -> bool:
        done = list(self._log.parent.glob("fault-*.struck"))
        for path in self._log.parent.glob("fault-*"):
            path.unlink()
        return bool(done)

    def lines(self, calls: list[str]) -> list[str]:
        """Releases are in the cluster."""
        return []

    def secrets(self) -> list[str]:
        return []

    def _spoilt(self, request: Request) -> Combination:
        """A repository that serves a page under the chart's name: what was pulled is no archive."""
        script = (
            '"$real" "$@"; for each; do if [ "$last" = --destination ]; then '
            'for chart in "$each"/*.tgz; do echo "<html>" > "$chart"; done; fi; last=$each; done; exit 0'
        )
        codes = frozenset({Code.HELM_FAILED})
        return Combination(request, "half an archive", {"verb": "pull", "script": script}, codes, False, Fault.USER)
