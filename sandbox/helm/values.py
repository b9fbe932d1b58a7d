"""Merges what --values files and --set options say, later ones over earlier ones."""

import re
from pathlib import Path
from typing import Any

from sandbox.helm.errors import HelmError
from sandbox.helm.kubeconfig import load_yaml

Values = dict[str, Any]


def merge_values(files: list[str], settings: list[str]) -> Values:
    """The user's values; raises HelmError for a file that cannot be read or an option without `=`."""
    merged: Values = {}
    for file in files:
        if not Path(file).is_file():
            raise HelmError(f"open {file}: no such file or directory")
        _merge(merged, load_yaml(Path(file)))
    for setting in settings:
        for pair in re.split(r"(?<!\\),", setting):
            _merge(merged, _parse(pair))
    return merged


def _merge(into: Values, values: Values) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _parse(pair: str) -> Values:
    """`a.b=c` as a nested mapping; a dot in a key is written `\\.`."""
    path, equals, text = pair.partition("=")
    if not equals:
        raise HelmError(f'failed parsing --set data: key "{path}" has no value')
    value: Any = _typed(text.replace("\\,", ","))
    for key in reversed(re.split(r"(?<!\\)\.", path)):
        value = {key.replace("\\.", "."): value}
    parsed: Values = value
    return parsed


def _typed(text: str) -> Any:
    words = {"true": True, "false": False, "null": None}
    if text in words:
        return words[text]
    return int(text) if re.fullmatch(r"-?(0|[1-9]\d*)", text) else text
