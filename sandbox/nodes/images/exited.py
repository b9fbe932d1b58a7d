"""A container that has ended as soon as it was started: what a fault of the sandbox makes of an image."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Exited:
    """Ends at once with that exit code."""

    code: int

    async def wait(self) -> int:
        """The exit code."""
        return self.code

    async def stop(self, grace_seconds: float) -> None:
        """Nothing runs."""
