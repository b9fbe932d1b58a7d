"""What is applied to the cluster, as YAML files: parsed first, then fields are set in Python, never pasted as text."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

_FOLDER = Path(__file__).parent


@cache
def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def load(name: str) -> list[dict[str, Any]]:
    """The objects in `<name>.yaml`, fresh copies each time."""
    return list(yaml.safe_load_all(_text(f"{name}.yaml")))


def text(name: str) -> str:
    """Another file of this folder, as it is (SQL)."""
    return _text(name)
