"""Tables: what `kubectl get` prints for the kinds that people look at; others show name and age.

Source of the columns: k8s.io/kubernetes/pkg/printers/internalversion/printers.go.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from sandbox.kubernetes.api.cells import CELLS
from sandbox.kubernetes.resources import Resource

Object = dict[str, Any]
Column = tuple[str, str, Callable[[Object], Any]]  # title, type, cell


def wanted(request: Request) -> bool:
    """Whether the client prefers a Table."""
    return "as=Table" in request.headers.get("accept", "")


def table(resource: Resource, objects: Sequence[Object], meta: Object) -> Object:
    """A `meta.k8s.io/v1` Table with one row per object."""
    columns: list[Column] = [("Name", "string", _name), *_columns(resource)]
    definitions = [
        {"name": title, "type": kind, "format": "name" if title == "Name" else "", "description": "", "priority": 0}
        for title, kind, _ in columns
    ]
    rows = [{"cells": [cell(obj) for _, _, cell in columns], "object": _partial(obj)} for obj in objects]
    kept = {key: meta[key] for key in ("resourceVersion", "continue", "remainingItemCount") if key in meta}
    head = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": kept}
    return head | {"columnDefinitions": definitions, "rows": rows}


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _partial(obj: Object) -> Object:
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta}


def _columns(resource: Resource) -> list[Column]:
    if resource.columns:
        return [_custom(column) for column in resource.columns]
    cells = CELLS.get(resource.key, ())
    return [(title, "string", cell) for title, cell in cells] + [("Age", "string", _age)]


def _custom(column: Object) -> Column:
    path = column["jsonPath"].strip(".").split(".")

    def cell(obj: Object) -> Any:
        node: Any = obj
        for part in path:
            node = node.get(part) if isinstance(node, dict) else None
        return _duration(node) if column["type"] == "date" and node else node

    return column["name"], "string" if column["type"] == "date" else column["type"], cell


def _age(obj: Object) -> str:
    return _duration(obj["metadata"].get("creationTimestamp", ""))


def _duration(since: str) -> str:
    """`5d3h`, `12m`, `40s`."""
    try:
        start = datetime.fromisoformat(since)
    except ValueError:
        return "<unknown>"
    seconds = max(int((datetime.now(UTC) - start).total_seconds()), 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 120:
        return f"{minutes}m"
    return f"{hours}h" if hours < 48 else f"{days}d"
