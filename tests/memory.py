"""Looking for a secret in this process's memory, without holding it: the pattern is kept backwards."""

import gc
import sys
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

CONTAINERS = (dict, list, tuple, set, frozenset)


class Hidden:
    """A secret of which this process keeps only the mirror image."""

    def __init__(self, mirrored: str) -> None:
        self._mirrored = mirrored

    def reveal(self) -> str:
        return self._mirrored[::-1]

    def is_in(self, text: str | bytes) -> bool:
        backwards = text[::-1]
        return self._mirrored in backwards if isinstance(backwards, str) else self._mirrored.encode() in backwards

    def holders(self) -> list[str]:
        """What is alive and has it: containers, exceptions, and the variables of frames and tracebacks."""
        gc.collect()
        mine = sys._getframe()
        return [_name(thing) for thing in gc.get_objects() if thing is not mine and self._within(thing)]

    def _within(self, thing: Any) -> bool:
        return any(isinstance(value, str | bytes) and self.is_in(value) for value in _values(thing))


def _values(thing: Any) -> Iterator[Any]:
    if type(thing) is dict:
        yield from list(thing.values())
        yield from list(thing)
    elif type(thing) in CONTAINERS:  # a subclass may not want to be looked through
        yield from list(thing)
    elif isinstance(thing, BaseException):
        yield from thing.args
        yield from list(vars(thing).values())
    elif isinstance(thing, TracebackType):
        yield from list(thing.tb_frame.f_locals.values())
    elif isinstance(thing, FrameType):
        yield from list(thing.f_locals.values())


def _name(thing: Any) -> str:
    """Where it is, never what it says."""
    frame = thing.tb_frame if isinstance(thing, TracebackType) else thing
    if isinstance(frame, FrameType):
        return f"{type(thing).__name__} of {frame.f_code.co_qualname}"
    return type(thing).__name__ + (f" of {len(thing)}" if isinstance(thing, CONTAINERS) else "")
