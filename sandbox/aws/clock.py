"""How long AWS takes, in seconds of real AWS, divided by the sandbox's speed.

Creation times are published or commonly reported ones; deletes are taken as a third. A speed of `max` makes every wait
0 s; things still pass through their transitional state (see `lifecycle`).

Sources for changes: a control plane's next version took 9 min 55 s (github.com/eksctl-io/eksctl/issues/7976), the nodes
of a group are exchanged in about 30 min (github.com/aws/containers-roadmap/issues/1560; here each node takes as long as
it takes, and this for the whole is the least); RDS optimises storage for "a few minutes", or a day
(repost.aws/knowledge-center/rds-autoscaling-low-free-storage), and then refuses to change it again for six hours. The
others are commonly reported figures.
"""

import math
from dataclasses import dataclass

SECONDS = {
    "eks:cluster": 540.0,
    "eks:nodegroup": 126.0,
    "eks:addon": 30.0,
    "eks:config": 30.0,
    "eks:access": 120.0,
    "eks:cluster-version": 595.0,
    "eks:nodegroup-version": 600.0,
    "rds:db": 372.0,
    "rds:modify": 30.0,
    "rds:storage": 120.0,
    "rds:optimization": 300.0,
    "rds:restart": 420.0,
    "rds:cooldown": 21_600.0,
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
