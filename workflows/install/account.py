"""The account: what is checked before anything is created, and the image repositories."""

from steps import preflight as checks
from steps import registry as images
from steps import secret_store
from steps.names import Names
from workflows.durable import Run
from workflows.facts import Facts
from workflows.spec import ExposureMode, InstallationSpec, SecretReference

SECRET_PURPOSES = (
    "license-key",
    "database-password",
    "conductor-role-password",
    "app-role-password",
    "conductor-api-key",
    "sealing-hash-key",
)
"""By name, since AWS's list of secrets lags behind by up to five minutes (Secrets Manager, ListSecrets)."""


async def preflight(run: Run) -> Facts:
    """Finds all problems at once, and the account's id, zones and Kubernetes version."""
    found = await run.step("Checking account, quotas and names", checks.check, run.aws, run.owner, wanted_of(run.spec))
    return Facts(
        account_id=found["account_id"],
        kubernetes_version=found["kubernetes_version"],
        zones=found["zones"],
        warnings=found["warnings"],
    )


async def undo_preflight(run: Run) -> Facts:
    """Secrets that Podium keeps in AWS Secrets Manager go last."""
    action = "Deleting the installation's secrets"
    await run.step(action, secret_store.delete_secrets, run.aws, run.owner, SECRET_PURPOSES)
    action = "Waiting for the installation's secrets to go"
    await run.wait(action, secret_store.await_secrets_deleted, 15, run.aws, run.owner, SECRET_PURPOSES)
    return {}


async def registry(run: Run) -> Facts:
    """Repositories for the images that the spec does not name; waits for a person to push them."""
    needed = image_repositories(run.spec)
    facts: Facts = {}
    if run.spec.app.image:
        facts["app_image"] = run.spec.app.image
    if run.spec.app.migrate_image:
        facts["migrate_image"] = run.spec.app.migrate_image
    if needed:
        names = list(needed.values())
        await run.step("Creating the image repositories", images.ensure_repositories, run.aws, run.owner, names)
    if "app" in needed:
        action = f"Waiting for image {needed['app']}"
        found = await run.wait(action, images.await_image, 30, run.aws, needed["app"], run.spec.registry.tag)
        facts["app_image"] = found["image"]
    if "migrate" in needed:
        action = f"Waiting for image {needed['migrate']}"
        found = await run.wait(action, images.await_image, 30, run.aws, needed["migrate"], run.spec.registry.tag)
        facts["migrate_image"] = found["image"]
    return facts


async def undo_registry(run: Run) -> Facts:
    names = list(image_repositories(run.spec).values())
    await run.step("Deleting empty image repositories", images.delete_repositories, run.aws, run.owner, names)
    return {}


def image_repositories(spec: InstallationSpec) -> dict[str, str]:
    """Repositories to make, by image: none for an image that the spec names itself."""
    names, given = Names(spec.name), spec.registry
    needed = {}
    if not spec.app.image:
        needed["app"] = given.app_repository or names.app_repository
    if not spec.app.migrate_image:
        needed["migrate"] = given.migrate_repository or names.migrate_repository
    return needed


def reference(secret: object) -> dict[str, str | None] | None:
    """A secret reference as the plain dictionary that steps take; None when the spec has none."""
    return secret.model_dump() if isinstance(secret, SecretReference) else None


def wanted_of(spec: InstallationSpec) -> checks.Wanted:
    """What preflight has to know of the spec."""
    existing, database = spec.network.existing, spec.database
    return checks.Wanted(
        zones=spec.network.zones,
        existing_vpc_id=existing.vpc_id if existing else None,
        existing_public_subnet_ids=existing.public_subnet_ids if existing else (),
        existing_private_subnet_ids=existing.private_subnet_ids if existing else (),
        existing_cluster=spec.cluster.existing_name,
        kubernetes_version=spec.cluster.version,
        node_group=spec.nodes.group,
        instance_type=spec.nodes.instance_type,
        node_count=spec.nodes.count,
        disk_gib=spec.nodes.disk_gib,
        make_database=database.existing is None,
        engine_version=database.engine_version,
        instance_class=database.instance_class,
        storage_gib=database.storage_gib,
        repositories=tuple(image_repositories(spec).values()),
        charts=_charts_wanted(spec),
        secrets=_secrets_wanted(spec),
    )


def _charts_wanted(spec: InstallationSpec) -> tuple[str, ...]:
    """As the table in workflows/phases.py skips them."""
    exposed = spec.exposure.mode is not ExposureMode.INTERNAL
    return ("sealed-secrets", *(["ingress-nginx"] if exposed else []), *(["keda"] if spec.autoscaling.enabled else []))


def _secrets_wanted(spec: InstallationSpec) -> tuple[checks.SecretWanted, ...]:
    given = {
        "conductor.license_key": reference(spec.conductor.license_key),
        "database.existing.password": reference(spec.database.existing.password) if spec.database.existing else None,
    }
    for name, chart in spec.charts.by_name().items():
        given[f"charts.{name.replace('-', '_')}.credentials"] = reference(chart.credentials)
    return tuple(checks.SecretWanted(field, found) for field, found in given.items() if found is not None)
