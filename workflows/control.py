"""What callers may do: plan, create, delete, retry, cancel, provide. Everything here only writes to the database.

`create` and `delete` write rows and enqueue the workflow in one transaction (workflows/orders.py). `retry` and `cancel`
take several, and are brought to their end also when this process dies in between (workflows/interventions.py).
"""

import uuid
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient
from pydantic import SecretStr
from sqlalchemy.exc import IntegrityError

from steps.names import Owner
from workflows import intake, orders
from workflows.context import Context
from workflows.errors import (
    AlreadyExists,
    IdempotencyMismatch,
    NotFound,
    OperationInProgress,
    UnknownPhase,
    WrongState,
)
from workflows.interventions import Interventions
from workflows.plan import plan_of
from workflows.records import ACTIVE, InstallationRecord, OperationRecord
from workflows.spec import InstallationSpec, SecretReference
from workflows.tables import idempotency_keys
from workflows.updates import Changed, Updates


@dataclass(frozen=True)
class Created:
    """`replayed`: the Idempotency-Key was seen before with the same body, and nothing was done now."""

    installation: InstallationRecord
    replayed: bool


class Control:
    """All methods block on the database (and `create` and `provide` on AWS, when they are given secret values)."""

    def __init__(self, engine: sa.Engine, context: Context, dbos: DBOSClient) -> None:
        self._engine, self._dbos, self._graphs = engine, dbos, context.graphs
        self._ledger, self._journal, self._clients = context.ledger, context.journal, context.clients
        self._updates = Updates(engine, context, dbos)
        self._interventions = Interventions(engine, context, dbos)

    def plan(self, spec: InstallationSpec) -> dict[str, Any]:
        """See workflows.plan.plan_of."""
        return plan_of(self._graphs["install"], spec)

    def create(self, spec: InstallationSpec, *, idempotency_key: str | None, fingerprint: str) -> Created:
        """Starts an install.

        Raises AlreadyExists, AlreadyInUse, IdempotencyMismatch; PodiumError when a secret cannot be stored.
        """
        known = self._ledger.installation(spec.name)  # before the key: one who has the same key may write both now
        replayed = self._replay(idempotency_key, fingerprint)
        if replayed is not None:
            return Created(replayed, replayed=True)
        if known is not None and known.state != "DELETED":
            raise AlreadyExists(spec.name)
        operation_id = str(uuid.uuid4())
        if intake.has_values(spec):
            spec = intake.without_values(spec, self._clients.aws(spec), Owner(spec.name, operation_id))
        order = orders.Order(operation_id, "install", spec, self._graphs["install"])
        if self._first(order, orders.Key(idempotency_key, fingerprint) if idempotency_key else None):
            return Created(self._installation(spec.name), replayed=False)
        replayed = self._replay(idempotency_key, fingerprint)
        if replayed is None:
            raise AlreadyExists(spec.name)
        return Created(replayed, replayed=True)

    def delete(self, name: str, *, data: str, force: bool) -> OperationRecord:
        """Starts an uninstall from whatever state the installation is in; the same request again changes nothing.

        `data`: "retain" keeps a last snapshot of the database, "delete" does not. `force`: leave Kubernetes alone when
        the cluster cannot be reached. Raises NotFound, OperationInProgress.
        """
        installation = self._installation(name)
        latest, options = installation.operation, {"data": data, "force": force}
        if installation.state == "DELETED":
            return latest
        if latest.state in ACTIVE:
            if latest.kind == "uninstall" and latest.options == options:
                return latest
            raise OperationInProgress(latest.id, latest.kind, latest.state)
        spec = InstallationSpec.model_validate(installation.spec)
        order = orders.Order(str(uuid.uuid4()), "uninstall", spec, self._graphs["uninstall"], options)
        with self._engine.begin() as connection:
            begun = orders.insert_next(connection, self._dbos, order, after=latest.id)
        return self._operation(order.id) if begun else self.delete(name, data=data, force=force)

    def plan_change(self, spec: InstallationSpec) -> dict[str, Any]:
        """See workflows.updates.Updates.plan."""
        return self._updates.plan(spec)

    def apply(self, spec: InstallationSpec) -> Changed:
        """See workflows.updates.Updates.apply."""
        return self._updates.apply(spec)

    def drift(self, name: str) -> dict[str, Any]:
        """See workflows.updates.Updates.drift."""
        return self._updates.drift(name)

    def repair(self, name: str, drifted: dict[str, str]) -> Changed:
        """See workflows.updates.Updates.repair."""
        return self._updates.repair(name, drifted)

    def retry(self, name: str, from_phase: str | None = None) -> OperationRecord:
        """Goes on from the failed steps, or from the first step of `from_phase` and everything behind it."""
        return self._operation(self._interventions.retry(name, from_phase))

    def cancel(self, name: str) -> OperationRecord:
        """Stops the operation, also in the middle of a long wait. A step's call that is under way ends first."""
        return self._operation(self._interventions.cancel(name))

    def provide(self, name: str, phase: str, value: SecretStr | SecretReference) -> OperationRecord:
        """Gives a WAITING phase what it waits for; values go into the secret store first."""
        installation = self._installation(name)
        operation = installation.operation
        found = next((row for row in operation.phases if row.name == phase), None)
        if found is None:
            raise UnknownPhase(phase, tuple(row.name for row in operation.phases))
        if found.state != "waiting":
            raise WrongState(found.state, ("waiting",))
        if isinstance(value, SecretStr):
            spec = InstallationSpec.model_validate(installation.spec)
            value = intake.store(self._clients.aws(spec), Owner(name, operation.id), "conductor-api-key", value)
        self._journal.provided(operation.id, phase, value.model_dump())
        return self._operation(operation.id)

    def _first(self, order: orders.Order, key: orders.Key | None) -> bool:
        """False when the name, or the key, was taken."""
        try:
            with self._engine.begin() as connection:
                return orders.insert_first(connection, self._dbos, order, key)
        except IntegrityError:
            return False

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
