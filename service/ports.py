"""What the service asks of `workflows`, so that its routers can be read (and tried) without an engine behind them."""

from typing import Any, Protocol

from pydantic import SecretStr

from workflows.ledger import Ledger
from workflows.records import InstallationRecord, OperationRecord
from workflows.spec import InstallationSpec, SecretReference


class Created(Protocol):
    """The answer of `create`; `replayed` says that an earlier request of the same key made the installation."""

    @property
    def installation(self) -> InstallationRecord: ...
    @property
    def replayed(self) -> bool: ...


class Control(Protocol):
    """Requests that change something; raises the errors of workflows.errors and steps.errors."""

    def plan(self, spec: InstallationSpec) -> dict[str, Any]: ...
    def create(self, spec: InstallationSpec, *, idempotency_key: str | None, fingerprint: str) -> Created: ...
    def delete(self, name: str, *, data: str, force: bool) -> OperationRecord: ...
    def retry(self, name: str, from_phase: str | None = None) -> OperationRecord: ...
    def cancel(self, name: str) -> OperationRecord: ...
    def provide(self, name: str, phase: str, value: SecretStr | SecretReference) -> OperationRecord: ...


class Runtime(Protocol):
    """A launched engine; see workflows.runtime."""

    @property
    def ledger(self) -> Ledger: ...
    @property
    def control(self) -> Control: ...
    def stop(self) -> None: ...
