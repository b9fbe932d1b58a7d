"""KEDA's `metrics-api` trigger: asks an HTTP endpoint for a number. Other kinds of trigger are not offered.

Metadata (KEDA documentation, "Metrics API"): url, valueLocation (a GJSON path; plain keys, indexes and `#` here),
targetValue, activationTargetValue (default 0), format (json).
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Self

import httpx2

SUFFIXES = {"": 1.0, "m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9}
QUANTITY = re.compile(r"([+-]?\d+(?:\.\d+)?)([mkMG]?)")


class TriggerError(Exception):
    """The trigger is not usable, or gave no number this time; the message is for the ScaledObject's conditions."""


@dataclass(frozen=True)
class MetricsApi:
    """One usable trigger."""

    url: str
    location: str
    target: float
    activation: float

    @classmethod
    def from_trigger(cls, trigger: dict[str, Any]) -> Self:
        """Reads one entry of `spec.triggers`. Raises `TriggerError` for what is missing or not offered."""
        if trigger.get("type") != "metrics-api":
            raise TriggerError(f"no scaler found for type: {trigger.get('type')}")
        metadata = trigger.get("metadata") or {}
        if trigger.get("authenticationRef") or metadata.get("authMode") or metadata.get("format", "json") != "json":
            raise TriggerError("metrics-api: the sandbox offers neither authentication nor formats other than json")
        for field in ("url", "valueLocation", "targetValue"):
            if not metadata.get(field):
                raise TriggerError(f"error parsing metric API metadata: missing required parameter {field!r}")
        target = number(metadata["targetValue"], "targetValue")
        if target <= 0:
            raise TriggerError("error parsing metric API metadata: targetValue must be above 0")
        activation = number(metadata.get("activationTargetValue", "0"), "activationTargetValue")
        return cls(metadata["url"], metadata["valueLocation"], target, activation)

    @property
    def metric_name(self) -> str:
        """As KEDA names the external metric of its first trigger."""
        return "s0-metric-api-" + re.sub(r"[./:%()]", "-", self.location)

    async def measure(self, http: httpx2.AsyncClient, url: str) -> float:
        """The number at this moment; `url` is where the trigger's URL answers on this machine."""
        try:
            answer = await http.get(url)
        except httpx2.TransportError as error:
            raise TriggerError(f"error requesting metrics endpoint: {error or type(error).__name__}") from error
        if answer.status_code != 200:
            raise TriggerError(f"{self.url}: api returned {answer.status_code}")
        return number(locate(answer.text, self.location), "valueLocation")


def locate(text: str, path: str) -> Any:
    """The value at a dotted path in a JSON document; `\\.` is a dot in a key, `#` a list's length."""
    try:
        value = json.loads(text)
        for part in re.split(r"(?<!\\)\.", path):
            value = _child(value, part.replace("\\.", "."))
    except (ValueError, LookupError, TypeError):
        raise TriggerError(f"valueLocation {path!r} points to nothing in the answer") from None
    return value


def number(value: Any, name: str) -> float:
    """A number, or a string that is a Kubernetes quantity."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise TriggerError(f"{name} must be a number or a string representing a quantity, got: {value!r}")
    return float(match[1]) * SUFFIXES[match[2]]


def _child(value: Any, part: str) -> Any:
    if isinstance(value, list):
        return len(value) if part == "#" else value[int(part)]
    return value[part]
