"""Secret values that arrive by REST go into AWS Secrets Manager; only references are enqueued."""

from pydantic import SecretStr

from steps.clients.aws import Aws
from steps.names import Owner
from steps.secret_store import SecretStore
from workflows.spec import InstallationSpec, SecretReference


def has_values(spec: InstallationSpec) -> bool:
    """Whether the spec holds a secret as a value."""
    return any(isinstance(secret, SecretStr) for secret in _secrets(spec))


def without_values(spec: InstallationSpec, aws: Aws, owner: Owner) -> InstallationSpec:
    """The spec with references where values were. Raises PodiumError when the store refuses."""
    key = spec.conductor.license_key
    if isinstance(key, SecretStr):
        stored = store(aws, owner, "license-key", key)
        spec = spec.model_copy(update={"conductor": spec.conductor.model_copy(update={"license_key": stored})})
    existing = spec.database.existing
    if existing is not None and isinstance(existing.password, SecretStr):
        stored = store(aws, owner, "database-password", existing.password)
        existing = existing.model_copy(update={"password": stored})
        spec = spec.model_copy(update={"database": spec.database.model_copy(update={"existing": existing})})
    return spec


def store(aws: Aws, owner: Owner, purpose: str, value: SecretStr) -> SecretReference:
    """Puts one value into the store under a name derived from the installation's."""
    put = SecretStore(aws).put(owner.names.secret(purpose), value.get_secret_value(), owner.tags(f"secret-{purpose}"))
    return SecretReference(secret=put["secret"], version_id=put["version_id"])


def _secrets(spec: InstallationSpec) -> list[object]:
    existing = spec.database.existing
    return [spec.conductor.license_key, existing.password if existing else None]
