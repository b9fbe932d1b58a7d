"""The arithmetic of a rolling update, without any I/O (source: k8s.io/kubernetes/pkg/controller/deployment/util).

A plan says how many replicas each ReplicaSet of a Deployment shall have next, given how many are available now.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Revision:
    """One ReplicaSet of a Deployment: what it is asked for and what is available of it."""

    name: str
    replicas: int
    available: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a rolling update may stray from the wanted number of replicas."""

    surge: int
    unavailable: int


def bounds(replicas: int, max_surge: int | str | None, max_unavailable: int | str | None) -> Bounds:
    """Both default to 25% of `replicas`; surge is rounded up, unavailability down; they are never both 0."""
    surge = _absolute(max_surge, replicas, math.ceil)
    unavailable = _absolute(max_unavailable, replicas, math.floor)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Bounds(surge, min(unavailable, replicas))


def _absolute(value: int | str | None, replicas: int, rounding: Callable[[float], int]) -> int:
    text = "25%" if value is None else str(value)
    return rounding(int(text[:-1]) * replicas / 100) if text.endswith("%") else int(text)


def next_new_replicas(replicas: int, new: Revision, old: Sequence[Revision], limits: Bounds) -> int:
    """How many replicas the newest ReplicaSet shall have: as many more as the surge allows."""
    if new.replicas >= replicas:
        return replicas
    total = new.replicas + sum(each.replicas for each in old)
    room = replicas + limits.surge - total
    return new.replicas + max(0, min(room, replicas - new.replicas))


def next_old_replicas(replicas: int, new: Revision, old: Sequence[Revision], limits: Bounds) -> dict[str, int]:
    """How many replicas each old ReplicaSet (oldest first) shall have: unavailable pods are given up first."""
    minimum = replicas - limits.unavailable
    total = new.replicas + sum(each.replicas for each in old)
    removable = total - minimum - (new.replicas - new.available)
    result = {each.name: each.replicas for each in old}
    for each in old:
        unhealthy = min(max(removable, 0), max(each.replicas - each.available, 0))
        result[each.name] -= unhealthy
        removable -= unhealthy
    spare = max(0, new.available + sum(each.available for each in old) - minimum)
    for each in old:
        step = min(spare, max(removable, 0), result[each.name])
        result[each.name] -= step
        spare -= step
        removable -= step
    return result
