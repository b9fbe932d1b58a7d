"""A chart's values: a spec's over Podium's own, but never against those that Podium relies on.

A value that would break the installation is refused when the spec arrives, with its path, not overruled in silence.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from steps.chart_table import Chart

LONGEST = 65_536
"""Bytes of a spec's values as JSON. Helm keeps them in a Secret, of at most a megabyte together with the chart."""
DEEPEST = 20
LONGEST_KEY = 253


def merged(own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` over `own`, mapping by mapping; lists are replaced as a whole, as helm does it. Neither is changed."""
    result = {key: _copy(value) for key, value in own.items()}
    for key, value in given.items():
        before = result.get(key)
        nested = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[key] = merged(before, value) if nested else _copy(value)  # type: ignore[arg-type]
    return result


def conflicts(chart: Chart, given: Mapping[str, Any]) -> list[str]:
    """What of `given` Podium cannot live with, one sentence each."""
    found = []
    for path, needed in chart.fixed.items():
        for at, value in _at(given, path, ""):
            if at != path:
                found.append(f"the value of {at} must be a mapping")
            elif (type(value), value) != (type(needed), needed):
                found.append(f"the value of {at} must stay {json.dumps(needed)}, since Podium relies on it")
    return list(dict.fromkeys(found))


def misshapen(given: Mapping[str, Any]) -> str | None:
    """Why the values are too much or not what YAML can hold; None when they are fine."""
    for depth, key, value in _walk(given, 1):
        if depth > DEEPEST:
            return f"is nested deeper than {DEEPEST} levels"
        if not 0 < len(key) <= LONGEST_KEY:
            return f"has a key that is empty or longer than {LONGEST_KEY} characters"
        texts = (key, value) if isinstance(value, str) else (key,)
        if not all(_is_plain(text) for text in texts):
            return "holds control characters"
        if isinstance(value, float) and not math.isfinite(value):
            return "holds a number that JSON does not know"
    if len(json.dumps(given, ensure_ascii=False).encode()) > LONGEST:
        return f"is longer than {LONGEST // 1024} KiB"
    return None


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(each) for key, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value


def _at(given: Any, path: str, prefix: str) -> Iterator[tuple[str, Any]]:
    """The value at a dotted path whose keys may hold dots themselves; a value that stands in the path's way too."""
    if not isinstance(given, Mapping):
        yield prefix, given
        return
    for key, value in given.items():
        here = f"{prefix}.{key}" if prefix else str(key)
        if key == path:
            yield here, value
        elif path.startswith(f"{key}."):
            yield from _at(value, path.removeprefix(f"{key}."), here)


def _walk(value: Any, depth: int) -> Iterator[tuple[int, str, Any]]:
    """Depth, key and value of everything inside; elements of a list have the key `-`. Stops below the deepest."""
    if depth > DEEPEST + 1:
        return
    inside = value.items() if isinstance(value, Mapping) else (("-", each) for each in value)
    for key, each in inside:
        yield depth, str(key), each
        if isinstance(each, Mapping | list):
            yield from _walk(each, depth + 1)


def _is_plain(text: str) -> bool:
    """Only characters that YAML allows in a document (YAML 1.2, section 5.1)."""
    return all(
        each in "\t\n\r\x85" or " " <= each <= "~" or "\xa0" <= each <= "\ud7ff" or each >= "\ue000" for each in text
    )
