"""Reading watches."""

import json
from collections.abc import Iterator
from typing import Any

from tests.contract.kube import Kube


def watch(kube: Kube, count: int, kind: str = "secrets", **options: Any) -> list[tuple[str, Any]]:
    """The first `count` events as (type, object), fewer when the watch ends before (after 5 seconds)."""
    return list(stream(kube, count, kind, **options))


def stream(kube: Kube, count: int, kind: str, **options: Any) -> Iterator[tuple[str, Any]]:
    """As `watch`, one by one."""
    params: dict[str, Any] = {"watch": "true", "timeoutSeconds": 5} | options
    with kube.client.stream("GET", kube.path(kind), params=params) as response:
        assert response.status_code == 200, response.read()
        for line in response.iter_lines():
            event = json.loads(line)
            yield event["type"], event["object"]
            count -= 1
            if not count:
                return


def seen(events: list[tuple[str, Any]]) -> list[tuple[str, str]]:
    """The events as (type, name)."""
    return [(change, obj["metadata"]["name"]) for change, obj in events]
