"""What makes an operation begin: rows, the installation's pointer to it and the enqueued workflow, in one transaction.

Two requests at once: the installation's row decides. A first operation inserts it (or takes over a tombstone), a later
one moves its pointer from the operation that the caller saw; whoever comes second finds that changed.
"""

import uuid
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient, EnqueueOptions

from workflows.claims import check_unclaimed
from workflows.graph import Graph
from workflows.journal import lock_installation, now, state_if_latest
from workflows.records import ACTIVE
from workflows.spec import InstallationSpec
from workflows.tables import idempotency_keys, installations, operations, phases

QUEUE = "podium-operations"
APPLICATION_VERSION = "1"


@dataclass(frozen=True)
class Order:
    """One operation to be: `options` go to workflows of the kinds that take any."""

    id: str
    kind: str
    spec: InstallationSpec
    graph: Graph
    options: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] | None = None
    """What is known of the installation from the start: for kinds that change what is there."""
    applied: dict[str, Any] | None = None
    """Those kinds' ground (workflows/applied.py), in JSON form."""


@dataclass(frozen=True)
class Key:
    """An Idempotency-Key and the fingerprint of the body that came with it."""

    key: str
    fingerprint: str


def insert_first(connection: sa.Connection, dbos: DBOSClient, order: Order, key: Key | None) -> bool:
    """A new installation's first operation. False when the name is in use.

    Raises AlreadyInUse; sqlalchemy.exc.IntegrityError when another request takes name or key at the same moment.
    """
    name, moment = order.spec.name, now()
    row: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "state": "PENDING",
        "spec": order.spec.public(),
        "operation_id": order.id,
    }
    row |= {"outputs": {}, "facts": {}, "applied": {}, "created_at": moment, "updated_at": moment}
    tombstone = sa.and_(installations.c.name == name, installations.c.state == "DELETED")
    exists = sa.select(installations.c.name).where(installations.c.name == name)
    if connection.execute(exists).first() is None:
        connection.execute(sa.insert(installations).values(name=name, **row))
    elif connection.execute(sa.update(installations).where(tombstone).values(row)).rowcount == 0:
        return False
    if key is not None:
        values = {"key": key.key, "fingerprint": key.fingerprint, "installation": name, "created_at": moment}
        connection.execute(sa.insert(idempotency_keys).values(values))
    check_unclaimed(connection, order.spec)
    _insert(connection, dbos, order)
    return True


def insert_next(connection: sa.Connection, dbos: DBOSClient, order: Order, *, after: str) -> bool:
    """An operation on an installation whose latest is `after` and has ended. False, and nothing done, when it is not so
    any more: another one began, or that one goes on. Raises AlreadyInUse."""
    lock_installation(connection, after)
    if state_if_latest(connection, after) in (None, *ACTIVE):
        return False
    this = installations.c.name == order.spec.name
    values: dict[str, Any] = {"state": "PENDING", "operation_id": order.id, "updated_at": now()}
    if order.facts is not None:
        values |= {"spec": order.spec.public(), "applied": order.applied}
    connection.execute(sa.update(installations).where(this).values(values))
    if order.facts is not None:
        check_unclaimed(connection, order.spec)
    _insert(connection, dbos, order)
    return True


def _insert(connection: sa.Connection, dbos: DBOSClient, order: Order) -> None:
    values = {"id": order.id, "installation": order.spec.name, "kind": order.kind, "state": "PENDING"}
    connection.execute(sa.insert(operations).values(**values, options=order.options, created_at=now()))
    connection.execute(sa.insert(phases), _phase_rows(order))
    options = EnqueueOptions(
        workflow_name=f"podium.{order.kind}",
        queue_name=QUEUE,
        workflow_id=order.id,
        queue_partition_key=order.spec.aws.role_arn or "own-account",
        app_version=APPLICATION_VERSION,
    )
    arguments: list[Any] = [order.id, order.spec.public()]
    arguments += [] if order.kind == "install" else [order.options]
    arguments += [] if order.facts is None else [order.facts]
    dbos.enqueue_in_transaction(connection, options, *arguments)


def _phase_rows(order: Order) -> list[dict[str, Any]]:
    return [
        {
            "operation_id": order.id,
            "name": phase.name,
            "position": position,
            "title": phase.title,
            "needs": list(phase.needs),
            "weight": phase.weight,
            "state": "skipped" if phase.skip(order.spec) else "pending",
            "attempt": 1,
        }
        for position, phase in enumerate(order.graph.phases)
    ]
