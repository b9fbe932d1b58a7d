"""A changed spec, and what has drifted: planned, refused where it is impossible, and begun as an operation.

Begun from any end of an earlier install, upgrade or repair: what had not ended well is done again with it. After an
uninstall was begun there is only its end.
"""

import uuid
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient
from pydantic import SecretStr

from steps.names import Owner
from workflows import applied as ground
from workflows import drift, intake, orders
from workflows.changing import Touched, changing
from workflows.context import Context
from workflows.difference import Difference, again, difference
from workflows.errors import Impossible, NotFound, NothingApplied, OperationInProgress, UninstallBegun
from workflows.plan import warnings_of
from workflows.records import ACTIVE, InstallationRecord, OperationRecord
from workflows.spec import InstallationSpec, SecretReference

_GIVEN = SecretReference(secret="(given as a value)")  # noqa: S106 - a mark, not a secret
"""In a plan, for a value that has not been stored."""


@dataclass(frozen=True)
class Changed:
    """`operation`: the one that brings the change; the latest one when there is nothing to do (`unchanged`)."""

    operation: OperationRecord
    unchanged: bool


class Updates:
    """All methods block on the database; `apply` also on AWS, when the spec holds secret values."""

    def __init__(self, engine: sa.Engine, context: Context, dbos: DBOSClient) -> None:
        self._engine, self._dbos, self._graph = engine, dbos, context.graphs["install"]
        self._ledger, self._clients = context.ledger, context.clients

    def plan(self, spec: InstallationSpec) -> dict[str, Any]:
        """What `apply` would do: {name, unchanged, changes: [FieldChange], phases: [...], warnings: [...]}.

        Raises NotFound, UninstallBegun.
        """
        found = self._differs(self._changeable(spec.name), _without_values(spec))
        return {
            "name": spec.name,
            "unchanged": found.is_empty and not found.fields,
            "changes": [asdict(one) for one in found.fields],
            "phases": self._phases(found.touched),
            "warnings": warnings_of(spec),
        }

    def apply(self, spec: InstallationSpec) -> Changed:
        """Begins an upgrade to the spec.

        Raises NotFound, OperationInProgress, UninstallBegun, Impossible, AlreadyInUse; PodiumError when a secret cannot
        be stored.
        """
        installation = self._changeable(spec.name)
        latest = installation.operation
        if latest.state in ACTIVE:
            if latest.kind == "upgrade" and installation.spec == spec.public():
                return Changed(latest, unchanged=False)
            raise OperationInProgress(latest.id, latest.kind, latest.state)
        self._refuse_impossible(installation, spec)
        operation_id = str(uuid.uuid4())
        if intake.has_values(spec):
            spec = intake.without_values(spec, self._clients.aws(spec), Owner(spec.name, operation_id))
        found = self._differs(installation, spec)
        if found.is_empty and not found.fields:
            return Changed(latest, unchanged=True)
        changes = [{"field": one.field, "before": one.before, "after": one.after} for one in found.fields]
        options = found.touched.as_options() | {"changes": changes}
        return self._begin("upgrade", installation, spec, found.touched, options, operation_id) or self.apply(spec)

    def repair(self, name: str, drifted: dict[str, str]) -> Changed:
        """Begins to bring these phases (and why) back to the spec, and what had not ended well.

        Raises NotFound, OperationInProgress, UninstallBegun.
        """
        installation = self._at_rest(name)
        latest = installation.operation
        spec = InstallationSpec.model_validate(installation.spec)
        found = self._differs(installation, spec).touched
        phases = {phase: found.why[phase] for phase in found.actions} | drifted
        if not phases:
            return Changed(latest, unchanged=True)
        touched = again(self._graph, phases, spec)
        options = touched.as_options() | {"drifted": drifted}
        return self._begin("repair", installation, spec, touched, options, str(uuid.uuid4())) or self.repair(
            name, drifted
        )

    def drift(self, name: str) -> dict[str, Any]:
        """See workflows.drift.report: asks AWS and the cluster, for up to a minute, and changes nothing.

        Raises NotFound, NothingApplied, OperationInProgress (also when one was begun meanwhile), UninstallBegun.
        """
        installation = self._at_rest(name)
        if not any(one.settled for one in ground.of_installation(self._graph, installation).values()):
            raise NothingApplied(name)
        found = drift.report(self._graph, installation)
        self._at_rest(name)
        return found

    def _at_rest(self, name: str) -> InstallationRecord:
        installation = self._changeable(name)
        latest = installation.operation
        if latest.state in ACTIVE:
            raise OperationInProgress(latest.id, latest.kind, latest.state)
        return installation

    def _begin(
        self,
        kind: str,
        installation: InstallationRecord,
        spec: InstallationSpec,
        touched: Touched,
        options: dict[str, Any],
        operation_id: str,
    ) -> Changed | None:
        """None when another operation was begun meanwhile."""
        applied = ground.of_installation(self._graph, installation)
        order = orders.Order(
            operation_id,
            kind,
            spec,
            changing(self._graph, touched),
            options,
            dict(ground.known_facts(installation, applied)),
            ground.as_json(applied),
        )
        with self._engine.begin() as connection:
            if not orders.insert_next(connection, self._dbos, order, after=installation.operation.id):
                return None
        operation = self._ledger.operation(operation_id)
        assert operation is not None  # noqa: S101 - it was written just now
        return Changed(operation, unchanged=False)

    def _differs(self, installation: InstallationRecord, spec: InstallationSpec) -> Difference:
        applied = ground.of_installation(self._graph, installation)
        version = ground.known_facts(installation, applied).get("kubernetes_version")
        return difference(self._graph, applied, installation.spec, version, spec)

    def _refuse_impossible(self, installation: InstallationRecord, spec: InstallationSpec) -> None:
        refused = self._differs(installation, _without_values(spec)).impossible
        if refused:
            raise Impossible([{"field": one.field, "message": one.message, "remedy": one.remedy} for one in refused])

    def _changeable(self, name: str) -> InstallationRecord:
        found = self._ledger.installation(name)
        if found is None or found.state == "DELETED":
            raise NotFound(f"there is no installation named {name}")
        if found.operation.kind == "uninstall" and found.operation.state not in ACTIVE:
            raise UninstallBegun(f"an uninstall of {name} was begun")
        return found

    def _phases(self, touched: Touched) -> list[dict[str, Any]]:
        return [
            {
                "name": phase.name,
                "title": phase.title,
                "needs": list(phase.needs),
                "weight": phase.weight,
                "action": str(touched.actions.get(phase.name, "update")),
                "why": touched.why.get(phase.name, "Kubernetes goes up one minor version at a time"),
            }
            for phase in changing(self._graph, touched).phases
        ]


def _without_values(spec: InstallationSpec) -> InstallationSpec:
    """With a mark in place of each secret value, which differs from whatever was applied."""
    key, existing = spec.conductor.license_key, spec.database.existing
    if isinstance(key, SecretStr):
        spec = spec.model_copy(update={"conductor": spec.conductor.model_copy(update={"license_key": _GIVEN})})
    if existing is not None and isinstance(existing.password, SecretStr):
        existing = existing.model_copy(update={"password": _GIVEN})
        spec = spec.model_copy(update={"database": spec.database.model_copy(update={"existing": existing})})
    return spec
