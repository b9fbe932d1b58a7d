"""The cluster's API server seen from outside: its record of requests, its faults, what is in it."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from tests.chaos_faults.cluster_kinds import combinations
from tests.chaos_faults.kinds import Combination
from tests.e2e import outside

COLLECTIONS = (
    *("/api/v1/namespaces", "/api/v1/configmaps", "/api/v1/secrets", "/api/v1/services", "/apis/batch/v1/jobs"),
    *("/apis/apps/v1/deployments", "/apis/networking.k8s.io/v1/ingresses", "/apis/bitnami.com/v1alpha1/sealedsecrets"),
    *("/apis/keda.sh/v1alpha1/scaledobjects", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
)
CONDUCTOR = "/api/v1/namespaces/dbos/services/conductor:8090/proxy/v2/orgs/local"
TOLD: dict[str, Callable[[dict[str, Any]], Any]] = {
    "ConfigMap": lambda one: one.get("data"),
    "Deployment": lambda one: one["spec"]["template"],
    "Ingress": lambda one: one["spec"],
    "Job": lambda one: one["metadata"]["labels"].get("podium/try"),
    "ScaledObject": lambda one: one["spec"],
    "SealedSecret": lambda one: one["metadata"]["annotations"],
    "Secret": lambda one: sorted(one.get("data") or {}),
    "Service": lambda one: one["spec"].get("ports"),
}
"""What of an object must be the same besides its name and labels."""
GENERATION = re.compile(r"(?<=^Job dbos/dbos-migrate)-[0-9a-f]{8}\b")
"""Of the migration Job: another one for each retry (steps/jobs.py)."""


class Cluster:
    """As the administrator sees it. `env`: the sandbox's environment."""

    def __init__(self, env: dict[str, str]) -> None:
        self._http = outside.Cluster(env).http

    def close(self) -> None:
        self._http.close()

    @contextmanager
    def recorded(self) -> Iterator[list[str]]:
        found: list[str] = []
        self.forget()
        yield found
        found += self.requests()

    def forget(self) -> None:
        """Begins a new record."""
        self._http.delete("/_sandbox/calls").raise_for_status()

    def requests(self) -> list[str]:
        """Podium's, as far as they are remembered."""
        calls = self._http.get("/_sandbox/calls").raise_for_status().json()
        return [f"{one['verb']} {one['path']}" for one in calls if one["agent"].startswith("podium")]

    def answers(self) -> bool:
        try:
            return self._http.get("/readyz").status_code == 200
        except httpx2.TransportError:
            return False

    def watched(self, found: list[str]) -> bool:
        """Whether it still answers; keeps the requests so far in `found`, since they go with it."""
        try:
            found[:] = self.requests()
        except httpx2.TransportError:
            return False
        return True

    def combinations(self, calls: list[str]) -> Iterator[Combination]:
        return combinations(calls)

    def fault(self, *rules: dict[str, Any]) -> None:
        self._http.post("/_sandbox/faults", json=list(rules)).raise_for_status()

    def mend(self) -> list[str]:
        """Takes all faults back; what those that have not struck were meant for."""
        left = self._http.get("/_sandbox/faults").raise_for_status().json()
        self._http.delete("/_sandbox/faults").raise_for_status()
        return [rule["match"] for rule in left if rule["times"]]

    def struck(self) -> bool:
        (rule,) = self._http.get("/_sandbox/faults").raise_for_status().json()
        self._http.delete("/_sandbox/faults").raise_for_status()
        return bool(rule["times"] == 0)

    def lines(self, calls: list[str]) -> list[str]:
        """All objects that an installation makes, helm's releases, and what Conductor knows."""
        return sorted(f"{title} {told}" for title, told in self._everything())

    def titles(self) -> list[str]:
        """The same by name only, as it is in every sandbox and after any number of retries."""
        return sorted(GENERATION.sub("", title) for title, _ in self._everything())

    def _everything(self) -> Iterator[tuple[str, str]]:
        for path in COLLECTIONS:
            yield from self._collection(path)
        for one in self._conductor():
            yield one, ""

    def secrets(self) -> list[str]:
        items = self._http.get("/api/v1/secrets").json()["items"]
        kept = (one for one in items if one["metadata"]["namespace"] == "dbos")
        return [base64.b64decode(value).decode() for one in kept for value in one["data"].values() if len(value) > 8]

    def _collection(self, path: str) -> Iterator[tuple[str, str]]:
        answer = self._http.get(path)
        if answer.status_code == 404:  # a kind whose definition is not there
            return
        kind = answer.raise_for_status().json()["kind"].removesuffix("List")
        for one in answer.json()["items"]:
            meta = one["metadata"]
            labels = meta.get("labels") or {}
            if labels.get("owner") == "helm":
                if labels["status"] != "superseded":
                    yield f"release {meta['namespace']}/{labels['name']} {labels['status']}", ""
            elif kind != "Secret" or meta["namespace"] == "dbos":
                told = TOLD[kind](one) if kind in TOLD else None
                own = {key: value for key, value in labels.items() if "uid" not in key}
                going = "deletionTimestamp" in meta
                title = f"{kind} {meta.get('namespace', '')}/{meta['name']}{' going' if going else ''}"
                yield title, json.dumps([own, told], sort_keys=True)

    def _conductor(self) -> Iterator[str]:
        for what in ("apps", "tokens"):
            answer = self._http.get(f"{CONDUCTOR}/{what}")
            if answer.status_code == 200:
                yield from sorted(f"{what} {one.get('appName') or one.get('tokenName')}" for one in answer.json())
