"""What callers may do: plan, create, retry, cancel, provide. Everything here only writes to the database; workers act.

`create` writes the installation, its phases and the enqueued workflow in one transaction. `retry` rewinds each failed
child to its failed step and the parent to the moment it saw the first of them; it may be called again when it was
interrupted half-way.
"""

import uuid
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient, EnqueueOptions
from pydantic import SecretStr
from sqlalchemy.exc import IntegrityError

from steps.names import Owner
from workflows import intake, rewind
from workflows.context import Context
from workflows.errors import AlreadyExists, IdempotencyMismatch, NotFound, UnknownPhase, WrongState
from workflows.graph import Graph
from workflows.journal import now
from workflows.plan import plan_of
from workflows.records import InstallationRecord, OperationRecord
from workflows.spec import InstallationSpec, SecretReference
from workflows.tables import idempotency_keys, installations, operations, phases

QUEUE = "podium-operations"
APPLICATION_VERSION = "1"
_RETRYABLE = ("FAILED", "CANCELLED")
_CANCELLABLE = ("PENDING", "RUNNING", "WAITING", "CANCELLING")


@dataclass(frozen=True)
class Created:
    """`replayed`: the Idempotency-Key was seen before with the same body, and nothing was done now."""

    installation: InstallationRecord
    replayed: bool


class Control:
    """All methods block on the database (and `create` and `provide` on AWS, when they are given secret values)."""

    def __init__(self, engine: sa.Engine, context: Context, dbos: DBOSClient) -> None:
        self._engine, self._dbos, self._graph = engine, dbos, context.graph
        self._ledger, self._journal, self._clients = context.ledger, context.journal, context.clients

    def plan(self, spec: InstallationSpec) -> dict[str, Any]:
        """See workflows.plan.plan_of."""
        return plan_of(self._graph, spec)

    def create(self, spec: InstallationSpec, *, idempotency_key: str | None, fingerprint: str) -> Created:
        """Starts an install. Raises AlreadyExists, IdempotencyMismatch; PodiumError when a secret cannot be stored."""
        replayed = self._replay(idempotency_key, fingerprint)
        if replayed is not None:
            return Created(replayed, replayed=True)
        if self._ledger.installation(spec.name) is not None:
            raise AlreadyExists(spec.name)
        operation_id = str(uuid.uuid4())
        if intake.has_values(spec):
            spec = intake.without_values(spec, self._clients.aws(spec), Owner(spec.name, operation_id))
        try:
            self._insert(spec, operation_id, idempotency_key, fingerprint)
        except IntegrityError:
            replayed = self._replay(idempotency_key, fingerprint)
            if replayed is None:
                raise AlreadyExists(spec.name) from None
            return Created(replayed, replayed=True)
        return Created(self._installation(spec.name), replayed=False)

    def retry(self, name: str, from_phase: str | None = None) -> OperationRecord:
        """Goes on from the failed steps, or from the first step of `from_phase` and everything behind it."""
        operation = self._installation(name).operation
        if from_phase is not None and from_phase not in {phase.name for phase in operation.phases}:
            raise UnknownPhase(from_phase, self._graph.names)
        if operation.state not in _RETRYABLE:
            raise WrongState(operation.state, _RETRYABLE)
        started = {phase.name for phase in operation.phases if phase.state not in ("pending", "skipped")}
        behind = self._graph.downstream(from_phase) if from_phase else ()
        restart = [phase for phase in behind if phase in started]
        failed = [phase.name for phase in operation.phases if phase.state == "failed" and phase.name not in restart]
        stopped = [phase.name for phase in operation.phases if phase.state == "cancelled" and phase.name not in restart]
        self._journal.retried(operation.id, again=restart + failed, resumed=stopped)
        rewind.rewind(self._dbos, operation.id, restart=restart)
        return self._operation(operation.id)

    def cancel(self, name: str) -> OperationRecord:
        """Stops the operation, also in the middle of a long wait. A step's call that is under way ends first."""
        operation = self._installation(name).operation
        if operation.state == "CANCELLED":
            return operation
        if operation.state not in _CANCELLABLE:
            raise WrongState(operation.state, _CANCELLABLE)
        self._journal.cancelling(operation.id)
        self._dbos.cancel_workflow(operation.id, cancel_children=True)
        self._journal.cancelled(operation.id)
        return self._operation(operation.id)

    def provide(self, name: str, phase: str, value: SecretStr | SecretReference) -> OperationRecord:
        """Gives a WAITING phase what it waits for; values go into the secret store first."""
        installation = self._installation(name)
        operation = installation.operation
        found = next((row for row in operation.phases if row.name == phase), None)
        if found is None:
            raise UnknownPhase(phase, self._graph.names)
        if found.state != "waiting":
            raise WrongState(found.state, ("waiting",))
        if isinstance(value, SecretStr):
            spec = InstallationSpec.model_validate(installation.spec)
            value = intake.store(self._clients.aws(spec), Owner(name, operation.id), "conductor-api-key", value)
        self._journal.provided(operation.id, phase, value.model_dump())
        return self._operation(operation.id)

    def _replay(self, key: str | None, fingerprint: str) -> InstallationRecord | None:
        if key is None:
            return None
        query = sa.select(idempotency_keys).where(idempotency_keys.c.key == key)
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            return None
        if row["fingerprint"] != fingerprint:
            raise IdempotencyMismatch("this Idempotency-Key was used with another body")
        return self._installation(row["installation"])

    def _insert(self, spec: InstallationSpec, operation_id: str, key: str | None, fingerprint: str) -> None:
        with self._engine.begin() as connection:
            moment = now()
            connection.execute(
                sa.insert(installations).values(
                    name=spec.name,
                    id=str(uuid.uuid4()),
                    state="PENDING",
                    spec=spec.public(),
                    outputs={},
                    operation_id=operation_id,
                    created_at=moment,
                    updated_at=moment,
                )
            )
            connection.execute(
                sa.insert(operations).values(
                    id=operation_id, installation=spec.name, kind="install", state="PENDING", created_at=moment
                )
            )
            connection.execute(sa.insert(phases), _phase_rows(self._graph, spec, operation_id))
            if key is not None:
                connection.execute(
                    sa.insert(idempotency_keys).values(
                        key=key, fingerprint=fingerprint, installation=spec.name, created_at=moment
                    )
                )
            options = EnqueueOptions(
                workflow_name="podium.install",
                queue_name=QUEUE,
                workflow_id=operation_id,
                queue_partition_key=spec.aws.role_arn or "own-account",
                app_version=APPLICATION_VERSION,
            )
            self._dbos.enqueue_in_transaction(connection, options, operation_id, spec.public())

    def _installation(self, name: str) -> InstallationRecord:
        found = self._ledger.installation(name)
        if found is None:
            raise NotFound(f"there is no installation named {name}")
        return found

    def _operation(self, operation_id: str) -> OperationRecord:
        found = self._ledger.operation(operation_id)
        if found is None:
            raise NotFound(f"there is no operation {operation_id}")
        return found


def _phase_rows(graph: Graph, spec: InstallationSpec, operation_id: str) -> list[dict[str, Any]]:
    return [
        {
            "operation_id": operation_id,
            "name": phase.name,
            "position": position,
            "title": phase.title,
            "needs": list(phase.needs),
            "weight": phase.weight,
            "state": "skipped" if phase.skip(spec) else "pending",
            "attempt": 1,
        }
        for position, phase in enumerate(graph.phases)
    ]
