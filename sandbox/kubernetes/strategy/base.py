"""What the store asks about a kind before it keeps an object."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.kubernetes.errors import Cause

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

Object = dict[str, Any]


def _nothing(_obj: Object) -> None:
    """No defaults."""


def _no_preparation(_obj: Object, _old: Object | None, _store: "Store") -> None:
    """Nothing to fill in."""


def _valid(_obj: Object) -> list[Cause]:
    return []


def _compatible(_new: Object, _old: Object) -> list[Cause]:
    return []


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a kind behaves.

    `default` fills what the object does not say; `prepare` sees the store and the old object (None on create: allocates
    addresses, initial status); `validate`, `validate_update` and `validate_status` (on /status) return what is wrong;
    `finish` changes a valid new object.
    """

    default: Callable[[Object], None] = _nothing
    prepare: Callable[[Object, Object | None, "Store"], None] = _no_preparation
    validate: Callable[[Object], list[Cause]] = _valid
    validate_update: Callable[[Object, Object], list[Cause]] = _compatible
    validate_status: Callable[[Object, Object], list[Cause]] = _compatible
    finish: Callable[[Object], None] = _nothing
    keeps_status_on_create: bool = False


DEFAULT = Strategy()
