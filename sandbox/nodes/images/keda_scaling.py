"""How many replicas KEDA wants: a pure function of what a ScaledObject says and what its trigger measures.

From 1 up the real KEDA leaves the number to a HorizontalPodAutoscaler; here one rule does both. More is wanted at once;
fewer only after `cooldownPeriod` seconds without need for the present number, to zero included.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Self

DEFAULT_POLLING_SECONDS = 30
DEFAULT_COOLDOWN_SECONDS = 300
DEFAULT_MAX = 100


@dataclass(frozen=True)
class Bounds:
    """The numbers of a ScaledObject's spec; seconds and replicas. `minimum` defaults to 0, as KEDA's does."""

    polling: float = DEFAULT_POLLING_SECONDS
    cooldown: float = DEFAULT_COOLDOWN_SECONDS
    minimum: int = 0
    maximum: int = DEFAULT_MAX

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> Self:
        """Reads the spec; raises ValueError when the bounds contradict each other."""
        found = cls(
            float(spec.get("pollingInterval", DEFAULT_POLLING_SECONDS)),
            float(spec.get("cooldownPeriod", DEFAULT_COOLDOWN_SECONDS)),
            int(spec.get("minReplicaCount", 0)),
            int(spec.get("maxReplicaCount", DEFAULT_MAX)),
        )
        if found.minimum > found.maximum:
            raise ValueError(
                f"MinReplicaCount={found.minimum} must be less than or equal to MaxReplicaCount={found.maximum}"
            )
        return found


@dataclass(frozen=True)
class State:
    """What must be remembered from one poll to the next. `needed_at`: when the present number was last needed."""

    needed_at: float | None = None


def decide(bounds: Bounds, state: State, current: int, wanted: int, now: float) -> tuple[int, State]:
    """(replicas to have, what to remember). `wanted` comes from `demand`; `now` is a monotonic time in seconds."""
    if wanted >= current:
        return wanted, replace(state, needed_at=now)
    if state.needed_at is None:  # the agent has just begun to watch: the cool-down begins now
        return min(max(current, bounds.minimum), bounds.maximum), replace(state, needed_at=now)
    if current > bounds.maximum or now - state.needed_at >= bounds.cooldown:
        return wanted, replace(state, needed_at=now)
    return current, state


def demand(bounds: Bounds, metric: float, target: float, activation: float) -> int:
    """ceil(metric / target) within the bounds; 0 only when that is allowed and the metric is not above activation."""
    if metric <= activation:
        return bounds.minimum
    return min(max(math.ceil(metric / target), bounds.minimum, 1), bounds.maximum)
