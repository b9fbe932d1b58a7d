"""What phases find in their process besides their run: here without DBOS and without a database of Podium's."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from steps.clients.aws import Aws
from steps.clients.kubernetes import Kube
from tests.chaos_faults.hands import Clients
from workflows import context
from workflows.journal import Journal
from workflows.lease import Lease
from workflows.ledger import Ledger
from workflows.phases import GRAPHS
from workflows.spec import InstallationSpec


class UsualHands(context.Clients):
    """The clients that a step works with when it meets no fault."""

    def __init__(self, clients: Clients) -> None:
        super().__init__("helm")
        self._clients = clients

    def aws(self, spec: InstallationSpec) -> Aws:
        return self._clients.usual.aws

    def kube(self, spec: InstallationSpec, cluster: str, endpoint: str, ca: str) -> Kube:
        return self._clients.usual.kube or super().kube(spec, cluster, endpoint, ca)

    def enter(self) -> None:
        """There is a cluster now, and a helm for it."""
        assert self._clients.usual.helm is not None
        self.helm = self._clients.usual.helm


class FirstAttempts(Ledger):
    """Nothing was ever retried here."""

    def attempt(self, operation_id: str, phase: str) -> int:
        return 1


@contextmanager
def working_context(clients: Clients) -> Iterator[UsualHands]:
    """The context of this process while the block lasts; its database has no tables, and nothing asks for any."""
    engine = sa.create_engine("sqlite://")
    hands = UsualHands(clients)
    made = context.Context(engine, Journal(engine), FirstAttempts(engine), hands, GRAPHS, Lease())
    context.set_context(made)
    try:
        yield hands
    finally:
        context.set_context(None)
        made.pool.shutdown()
        engine.dispose()
