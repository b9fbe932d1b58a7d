"""The gate before every call to the outside: whoever runs a step may stop it between two of its calls.

A worker that was suspended for long must not go on in the middle of a step as if nothing had happened: another may have
taken the step over. `workflows` sets the gate (workflows/lease.py); without one, calls pass.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_gate: ContextVar[Callable[[], None] | None] = ContextVar("gate", default=None)


@contextmanager
def gated(gate: Callable[[], None]) -> Iterator[None]:
    """Within the block, this thread's calls to the outside pass `gate`, which raises to stop them."""
    token = _gate.set(gate)
    try:
        yield
    finally:
        _gate.reset(token)


def pass_gate() -> None:
    """Called by every thin client just before it sends a request."""
    gate = _gate.get()
    if gate is not None:
        gate()
