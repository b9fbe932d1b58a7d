"""Timestamps as Kubernetes writes them, and the durations that the sandbox shortens."""

import datetime

PULL_SECONDS = 6.0  # a node's first pull of an image at real scale; divided by the sandbox's speed
FIRST_BACK_OFF = 0.5  # seconds, where a kubelet waits 10
LONGEST_BACK_OFF = 5.0  # seconds, where a kubelet waits 300
BACK_OFF_RESET = 30.0  # seconds a container must have run for the back-off to start over; a kubelet's 10 minutes


def now() -> str:
    """RFC 3339 in seconds, metav1.Time."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now_micro() -> str:
    """RFC 3339 in microseconds, metav1.MicroTime as in Leases."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class BackOff:
    """Doubling pauses between attempts, in seconds; `real` is what a kubelet would wait, for its messages."""

    def __init__(self) -> None:
        self._attempts = 0

    def next(self) -> float:
        """The pause before the next attempt."""
        self._attempts += 1
        return float(min(FIRST_BACK_OFF * 2 ** (self._attempts - 1), LONGEST_BACK_OFF))

    @property
    def real(self) -> int:
        """Seconds that a kubelet would wait in place of the last pause."""
        return int(min(10 * 2 ** max(self._attempts - 1, 0), 300))

    def reset(self) -> None:
        """The next pause is the first one again."""
        self._attempts = 0
