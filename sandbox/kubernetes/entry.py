"""One stored object: its JSON as sent to clients, and its parsed form for looking things up."""

import json
from typing import Any


class Entry:
    """An immutable stored object. `object` is shared: read it, never change it."""

    __slots__ = ("key", "object", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.object: dict[str, Any] = json.loads(raw)
        meta = self.object["metadata"]
        self.key: tuple[str, str] = (meta.get("namespace", ""), meta["name"])

    @property
    def labels(self) -> dict[str, str]:
        """metadata.labels, empty when there are none."""
        labels: dict[str, str] = self.object["metadata"].get("labels") or {}
        return labels

    def copy(self) -> dict[str, Any]:
        """A copy that the caller may change."""
        copied: dict[str, Any] = json.loads(self.raw)
        return copied
