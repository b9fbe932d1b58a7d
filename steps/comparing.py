"""Field by field, how an object of Kubernetes differs from what an apply would make of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from steps.clients.kubernetes import Object
from steps.scrubbing import HIDDEN, scrub

NOT_COMPARED = frozenset(
    {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "deletionTimestamp", "selfLink"}
)
"""Of an object's metadata: what the API server keeps."""
OF_CONTROLLERS = re.compile(r"\.caBundle$|^metadata\.annotations\['deployment\.kubernetes\.io/")
"""Paths that controllers write."""
SECRET = re.compile(
    r"^(data|stringData|spec\.encryptedData)\b|^spec$|^metadata\.annotations\['podium/plaintext-hmac'\]"
)
SENSITIVE = re.compile(r"pass|secret|token|key|credential", re.IGNORECASE)
OF_VARIABLE = re.compile(rf"\[[^\]]*({SENSITIVE.pattern})[^\]]*\]\.value$", re.IGNORECASE)
"""The value of an environment variable whose name says that it is a secret."""
PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
NAMED_BY = ("name", "containerPort", "port", "type", "key", "mountPath")
"""What tells the entries of a list apart, where they have it."""
ABSENT = object()


@dataclass(frozen=True)
class Field:
    """`path` e.g. `spec.ports[0].port`; None for a value that is not there. Nothing of a Secret's values."""

    path: str
    expected: Any
    found: Any


def differing(live: Object, wanted: Object) -> list[Field]:
    """The fields of `live` that are not as in `wanted`; both are whole objects as the API server returned them."""
    hide = live.get("kind") in ("Secret", "SealedSecret")
    found = []
    for path, has, shall in _differing("", _compared(live), _compared(wanted)):
        if not OF_CONTROLLERS.search(path):
            secret = (hide and SECRET.search(path)) or OF_VARIABLE.search(path)
            found.append(Field(path, _shown(shall, bool(secret)), _shown(has, bool(secret))))
    return found


def differing_values(path: str, has: Any, shall: Any) -> list[Field]:
    """The same of any two JSON values; paths begin with `path`. Hidden is also what a key's name says is a secret."""
    found = []
    for at, left, right in _differing(path, has, shall):
        secret = bool(SENSITIVE.search(at.removeprefix(path)))
        found.append(Field(at, _shown(_without_keys(right), secret), _shown(_without_keys(left), secret)))
    return found


def _without_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: HIDDEN if SENSITIVE.search(key) else _without_keys(one) for key, one in value.items()}
    return [_without_keys(one) for one in value] if isinstance(value, list) else value


def _compared(whole: Object) -> Object:
    metadata = {key: value for key, value in whole.get("metadata", {}).items() if key not in NOT_COMPARED}
    return {key: value for key, value in whole.items() if key != "status"} | {"metadata": metadata}


def _differing(path: str, has: Any, shall: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(has, dict) and isinstance(shall, dict):
        for key in sorted(has.keys() | shall.keys()):
            yield from _differing(_inside(path, key), has.get(key, ABSENT), shall.get(key, ABSENT))
    elif isinstance(has, list) and isinstance(shall, list):
        yield from _in_lists(path, has, shall)
    elif has != shall:
        yield path, has, shall


def _in_lists(path: str, has: list[Any], shall: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    """Entry by entry where they can be told apart, or are as many; else as a whole."""
    name = next((key for key in NAMED_BY if _tells_apart(key, has) and _tells_apart(key, shall)), None)
    if name is not None:
        left, right = ({one[name]: one for one in each} for each in (has, shall))
        for key in [*right, *(key for key in left if key not in right)]:
            yield from _differing(f"{path}[{key}]", left.get(key, ABSENT), right.get(key, ABSENT))
    elif len(has) == len(shall):
        for number, (one, other) in enumerate(zip(has, shall, strict=True)):
            yield from _differing(f"{path}[{number}]", one, other)
    else:
        yield path, has, shall


def _tells_apart(key: str, entries: list[Any]) -> bool:
    values = [one[key] for one in entries if isinstance(one, dict) and isinstance(one.get(key), str | int)]
    return len(values) == len(entries) == len(set(values))


def _inside(path: str, key: str) -> str:
    if not PLAIN.match(key):
        return f"{path}['{key}']"
    return f"{path}.{key}" if path else key


def _shown(value: Any, secret: bool) -> Any:
    if value is ABSENT:
        return None
    return HIDDEN if secret else _scrubbed(value)


def _scrubbed(value: Any, hide: bool = False) -> Any:
    """Without what looks like a secret, also in an environment variable whose name says that it is one."""
    if isinstance(value, dict):
        sensitive = isinstance(value.get("name"), str) and bool(SENSITIVE.search(value["name"]))
        return {key: _scrubbed(one, hide=sensitive and key == "value") for key, one in value.items()}
    if isinstance(value, list):
        return [_scrubbed(one) for one in value]
    if isinstance(value, str):
        return HIDDEN if hide else scrub(value)
    return value
