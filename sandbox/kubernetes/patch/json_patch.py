"""JSON patch (RFC 6902), as lenient as the apiserver's library: replacing a field that is not there adds it, and a test
for null holds where nothing is. Source: gopkg.in/evanphx/json-patch.v4.
"""

import copy
from typing import Any

from sandbox.kubernetes.errors import ApiError, BadRequest


class PatchFailed(ApiError):
    """422: an operation does not fit the document; which one, the real server does not say."""

    code, reason = 422, "Invalid"

    def __init__(self) -> None:
        super().__init__("the server rejected our request due to an error in our request", details={})


def json_patch(target: Any, operations: Any) -> Any:
    """`target` after the operations; raises BadRequest (not a list of operations) or PatchFailed."""
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        found = {dict: "object", str: "string", bool: "bool"}.get(type(operations), "number")
        raise BadRequest(
            f"error decoding patch: json: cannot unmarshal {found} into Go value of type []handlers.jsonPatchOp"
        )
    document = {"": copy.deepcopy(target)}
    for operation in operations:
        _run(document, operation)
    return document[""]


def _run(document: dict[str, Any], operation: dict[str, Any]) -> None:
    verb, path = operation.get("op"), _split(operation.get("path"))
    if verb in ("add", "replace") and "value" not in operation:
        raise PatchFailed
    if verb == "test":
        _test(document, path, operation.get("value"))
    elif verb == "remove":
        _remove(document, path)
    elif verb == "replace":
        _replace(document, path, operation["value"])
    elif verb == "add":
        _add(document, path, operation["value"])
    elif verb in ("move", "copy"):
        source = _split(operation.get("from"))
        value = copy.deepcopy(_lookup(document, source))
        if verb == "move":
            _remove(document, source)
        _add(document, path, value)
    else:
        raise PatchFailed


def _split(path: Any) -> list[str]:
    if not isinstance(path, str) or (path and not path.startswith("/")):
        raise PatchFailed
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")]


def _replace(document: Any, path: list[str], value: Any) -> None:
    parent = _lookup(document, path[:-1])
    if isinstance(parent, list):
        _remove(document, path)
    _add(document, path, value)


def _lookup(document: Any, path: list[str]) -> Any:
    node = document
    for part in path:
        try:
            node = node[_index(node, part)] if isinstance(node, list) else node[part]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise PatchFailed from error
    return node


def _index(items: list[Any], part: str) -> int:
    index = int(part)
    if not -len(items) <= index < len(items):
        raise IndexError(part)
    return index


def _test(document: Any, path: list[str], value: Any) -> None:
    try:
        found = _lookup(document, path)
    except PatchFailed:
        found = None
    if found != value:
        raise PatchFailed


def _remove(document: Any, path: list[str]) -> None:
    _lookup(document, path)
    parent = _lookup(document, path[:-1])
    if isinstance(parent, list):
        del parent[_index(parent, path[-1])]
    else:
        del parent[path[-1]]


def _add(document: Any, path: list[str], value: Any) -> None:
    parent = _lookup(document, path[:-1])
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif isinstance(parent, list):
        parent.insert(_insertion(parent, path), value)
    else:
        raise PatchFailed


def _insertion(items: list[Any], path: list[str]) -> int:
    if path[-1] == "-":
        return len(items)
    if not path[-1].isdigit() or int(path[-1]) > len(items):
        raise PatchFailed
    return int(path[-1])
