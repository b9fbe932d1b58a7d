"""Faults for tests: which containers cannot be pulled, crash, run out of memory or never become ready.

`faults.json` in the agent's directory maps a regular expression on the image reference to a fault:
{"dbosdev/conductor": "CrashLoopBackOff"}. It is read at every start of a container and at every readiness probe, so
a fault can be taken back. An image with the tag `missing` is never there to be pulled.
"""

import json
import re
from pathlib import Path
from typing import Literal, get_args

from sandbox.nodes.images.registry import tag

Fault = Literal["ImagePullBackOff", "CreateContainerConfigError", "CrashLoopBackOff", "OOMKilled", "Unready"]
FILE = "faults.json"
SYNONYMS = {"ErrImagePull": "ImagePullBackOff", "Error": "CrashLoopBackOff", "NotReady": "Unready"}


class Faults:
    """The faults of one agent."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / FILE

    def of(self, image: str) -> Fault | None:
        """The fault of an image, None for a healthy one. ValueError for a fault of another name."""
        if tag(image) == "missing":
            return "ImagePullBackOff"
        if not self._file.exists():
            return None
        rules: dict[str, str] = json.loads(self._file.read_text() or "{}")
        for pattern, word in rules.items():
            if re.search(pattern, image):
                return _fault(SYNONYMS.get(word, word))
        return None


def _fault(word: str) -> Fault:
    for fault in get_args(Fault):
        if fault == word:
            known: Fault = fault
            return known
    raise ValueError(f"unknown fault {word!r}; known are {', '.join(get_args(Fault))}")
