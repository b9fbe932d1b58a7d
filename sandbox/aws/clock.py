"""How long AWS takes, in seconds of real AWS, divided by the sandbox's speed.

Creation times are published or commonly reported ones; deletes are taken as a third. A speed of `max` makes every wait
0 s; things still pass through their transitional state (see `lifecycle`).
"""

import math
from dataclasses import dataclass

SECONDS = {
    "eks:cluster": 540.0,
    "eks:nodegroup": 126.0,
    "eks:addon": 30.0,
    "eks:config": 30.0,
    "rds:db": 372.0,
    "rds:modify": 30.0,
    "ec2:natgateway": 96.0,
    "elb:loadbalancer": 144.0,
}
DELETE_SHARE = 1 / 3


@dataclass(frozen=True)
class Clock:
    """`speed`: how many seconds of AWS pass in one second here; infinity for `--speed max`."""

    speed: float

    @classmethod
    def parse(cls, text: str) -> "Clock":
        """From the command line: a number > 0, or `max`. Raises ValueError."""
        speed = math.inf if text == "max" else float(text)
        if not speed > 0:
            raise ValueError(f"speed must be more than 0: {text}")
        return cls(speed)

    @property
    def text(self) -> str:
        """As `parse` takes it."""
        return "max" if math.isinf(self.speed) else f"{self.speed:g}"

    def create(self, kind: str) -> float:
        """Seconds here until a thing of `kind` (a key of SECONDS) is usable."""
        return SECONDS[kind] / self.speed

    def delete(self, kind: str) -> float:
        """Seconds here until a deleted thing of `kind` is gone."""
        return SECONDS[kind] * DELETE_SHARE / self.speed
