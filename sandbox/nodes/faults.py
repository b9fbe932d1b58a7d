"""Faults for tests: which containers cannot be pulled, crash, run out of memory or fail their probes.

`faults.json` in the agent's directory maps a regular expression on the image reference to a fault:
{"dbosdev/conductor": "CrashLoopBackOff"}. It is read at every start of a container and at every readiness probe, so
a fault can be taken back. `Unready`, `Unlive` and `Unstarted` have the readiness, liveness or startup probe fail,
whatever the container answers. An image with the tag `missing` is never there to be pulled.
"""

import json
import logging
import re
from pathlib import Path
from typing import Literal, get_args

from sandbox.nodes.images.registry import tag

log = logging.getLogger(__name__)
Fault = Literal[
    "ImagePullBackOff",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CrashLoopBackOff",
    "OOMKilled",
    "Unready",
    "Unlive",
    "Unstarted",
]
FILE = "faults.json"
SYNONYMS = {"ErrImagePull": "ImagePullBackOff", "Error": "CrashLoopBackOff", "NotReady": "Unready"}
PROBE_FAULTS = {"readiness": "Unready", "liveness": "Unlive", "startup": "Unstarted"}  # by kind of probe


class Faults:
    """The faults of one agent."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / FILE
        self._rules: dict[str, str] = {}  # as last read whole

    def of(self, image: str) -> Fault | None:
        """The fault of an image, None for a healthy one. An unknown word counts as CreateContainerConfigError."""
        if tag(image) == "missing":
            return "ImagePullBackOff"
        for pattern, word in self._read().items():
            if re.search(pattern, image):
                return _fault(SYNONYMS.get(word, word))
        return None

    def _read(self) -> dict[str, str]:
        try:
            self._rules = json.loads(self._file.read_text())
        except FileNotFoundError:
            self._rules = {}
        except ValueError:
            log.info("%s is being written", self._file)
        return self._rules


def _fault(word: str) -> Fault:
    for fault in get_args(Fault):
        if fault == word:
            known: Fault = fault
            return known
    log.error("unknown fault %r; known are %s", word, ", ".join(get_args(Fault)))
    return "CreateContainerConfigError"
