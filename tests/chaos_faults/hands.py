"""What a step works with: clients of AWS, the cluster and helm, of several degrees of patience."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from steps.clients.aws import Aws, AwsTarget
from steps.clients.helm import Helm
from steps.clients.kubernetes import Kube
from tests.chaos_faults.cloud import REGION
from tests.chaos_faults.kinds import IMPATIENT, ONCE, REPEATED

IMPATIENCE_SECONDS = 0.3
NO_PAUSES = (0.0,)
"""A reading from the cluster is tried twice."""
HELM_IMPATIENCE_SECONDS = 6.0
"""A run of helm that is not made to hang takes a second or two."""


@dataclass
class Hands:
    """Clients of one patience."""

    aws: Aws
    kube: Kube | None = None
    helm: Helm | None = None

    def stand_in(self, one: Any, reference: "Hands") -> Any:
        """`one`, or this patience's client where it is a client of the reference."""
        for mine, theirs in ((self.aws, reference.aws), (self.kube, reference.kube), (self.helm, reference.helm)):
            if theirs is not None and one is theirs:
                return mine
        return one


Step = Callable[[Hands], Any]
"""One step with all its arguments but the clients."""


class Clients:
    """The hands by patience (tests/chaos_faults/kinds.py)."""

    def __init__(self) -> None:
        target = AwsTarget(REGION)
        self.by_name = {
            ONCE: Hands(Aws(target, attempts=1)),
            REPEATED: Hands(Aws(target, attempts=2)),
            IMPATIENT: Hands(Aws(target, attempts=1, read_seconds=IMPATIENCE_SECONDS)),
        }

    @property
    def usual(self) -> Hands:
        return self.by_name[ONCE]

    def enter(self, cluster: str, endpoint: str, ca: str, helm: str) -> None:
        """From now on there is a cluster; `helm` is the program's path."""
        for name, hands in self.by_name.items():
            read_seconds = IMPATIENCE_SECONDS if name == IMPATIENT else 30.0
            token = partial(self.usual.aws.cluster_token, cluster)
            hands.kube = Kube(endpoint, ca, token, read_seconds=read_seconds, pauses=NO_PAUSES)
            hands.helm = Helm(helm, HELM_IMPATIENCE_SECONDS if name == IMPATIENT else 60)

    def fresh(self, name: str) -> Hands:
        """The hands as in a new process, which does not know yet who it is."""
        hands = self.by_name[name]
        hands.aws.connection.principal = None
        return hands

    def close(self) -> None:
        for hands in self.by_name.values():
            hands.aws.close()
            if hands.kube is not None:
                hands.kube.close()
