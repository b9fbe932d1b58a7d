"""What phases find in their process besides their run: here without DBOS and without a database of Podium's."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from workflows.context import Clients, Context, set_context
from workflows.journal import Journal
from workflows.lease import Lease
from workflows.ledger import Ledger
from workflows.phases import GRAPHS


@contextmanager
def working_context(helm: str = "helm") -> Iterator[Context]:
    """The context of this process while the block lasts; its database has no tables, and nothing asks for any."""
    engine = sa.create_engine("sqlite://")
    made = Context(engine, Journal(engine), Ledger(engine), Clients(helm), GRAPHS, Lease())
    set_context(made)
    try:
        yield made
    finally:
        set_context(None)
        made.pool.shutdown()
        engine.dispose()
