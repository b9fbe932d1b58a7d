"""The whole process on one page: what Podium does, in what order, and what each part waits for.

Install plan, progress, the page's graph, the uninstall order and an upgrade's phases all come from these tables. `weight` is the expected
duration at AWS in seconds (published figures, design.md section 2); `skip` says for which specs a phase has nothing to do.
What only needs the control plane is applied while nodes are still coming; `awaits` names what its readiness hangs on.
"""

from dataclasses import replace
from functools import partial

from workflows import removal
from workflows.changes import account as account_changes
from workflows.changes import infrastructure as infrastructure_changes
from workflows.changes import workloads as workload_changes
from workflows.graph import Change, Graph, Phase, Undo, undoing
from workflows.install import account, application, conductor, infrastructure, platform
from workflows.spec import ExposureMode, InstallationSpec


def _not_exposed(spec: InstallationSpec) -> bool:
    return spec.exposure.mode is ExposureMode.INTERNAL


def _not_scaled(spec: InstallationSpec) -> bool:
    return not spec.autoscaling.enabled


# fmt: off
PHASES: tuple[Phase, ...] = (
    Phase("preflight", "Checking account, quotas and names", (), account.preflight, Undo("Deleting the installation's secrets", account.undo_preflight, 1), 5),
    Phase("network", "Creating the VPC", ("preflight",), infrastructure.network, Undo("Deleting the VPC", infrastructure.undo_network, 10), 10),
    Phase("egress", "Opening the way out to the internet", ("network",), infrastructure.egress, Undo("Deleting the NAT gateway", infrastructure.undo_egress, 60), 100),
    Phase("identity", "Creating the IAM roles", ("preflight",), infrastructure.identity, Undo("Deleting the IAM roles", infrastructure.undo_identity, 5), 5),
    Phase("cluster", "Creating the EKS control plane", ("network", "identity"), infrastructure.cluster, Undo("Deleting the EKS control plane", infrastructure.undo_cluster, 200), 540),
    Phase("addons", "Installing the cluster add-ons", ("cluster",), infrastructure.addons, Undo("Deleting the add-ons", infrastructure.undo_addons, 10, after=("nodes",)), 30, awaits=("nodes",)),
    Phase("nodes", "Starting the nodes", ("cluster", "egress"), infrastructure.nodes, Undo("Removing the nodes", infrastructure.undo_nodes, 240), 126),
    Phase("database", "Creating the PostgreSQL instance", ("network",), infrastructure.database, Undo("Deleting the PostgreSQL instance", infrastructure.undo_database, 300), 372),
    Phase("database-access", "Letting the cluster reach the database", ("database", "cluster"), infrastructure.database_access, Undo("Closing the database to the cluster", infrastructure.undo_database_access, 2), 2),
    Phase("registry", "Preparing the image repositories", ("preflight",), account.registry, Undo("Deleting empty image repositories", account.undo_registry, 2), 5),
    Phase("namespace", "Creating the namespace", ("cluster",), platform.namespace, Undo("Deleting the namespace", platform.undo_namespace, 10, in_cluster=True), 1),
    Phase("ingress-nginx", "Installing ingress-nginx and its load balancer", ("cluster",), platform.ingress_nginx, Undo("Removing ingress-nginx and its load balancer", platform.undo_ingress_nginx, 60, in_cluster=True), 144, _not_exposed, awaits=("nodes",)),
    Phase("sealed-secrets", "Installing sealed-secrets", ("cluster",), platform.sealed_secrets, Undo("Removing sealed-secrets", platform.undo_sealed_secrets, 5, in_cluster=True), 20, awaits=("nodes",)),
    Phase("keda", "Installing KEDA", ("cluster",), platform.keda, Undo("Removing KEDA", platform.undo_keda, 5, in_cluster=True), 20, _not_scaled, awaits=("nodes",)),
    Phase("databases", "Creating databases and roles", ("namespace", "database-access", "nodes"), platform.databases, Undo("Removing the SQL Job", platform.undo_databases, 2, in_cluster=True), 15),
    Phase("secrets", "Sealing the five secrets", ("sealed-secrets", "namespace", "databases"), platform.secrets, Undo("Deleting the sealed secrets", platform.undo_secrets, 2, in_cluster=True), 5),
    Phase("conductor", "Starting Conductor", ("secrets",), conductor.conductor, Undo("Deleting Conductor", conductor.undo_conductor, 5, in_cluster=True), 30),
    Phase("console", "Starting the Console", ("namespace", "nodes"), conductor.console, Undo("Deleting the Console", conductor.undo_console, 5, in_cluster=True), 30),
    Phase("api-key", "Registering the app and swapping its API key", ("conductor",), conductor.api_key, Undo("Forgetting the app's API key", conductor.undo_api_key, 1, in_cluster=True), 5),
    Phase("migration", "Migrating the app's database", ("secrets", "registry"), application.migration, Undo("Deleting the migration Job", application.undo_migration, 2, in_cluster=True), 15),
    Phase("privileges", "Trying that the app cannot change the schema", ("migration",), application.privileges, Undo("Removing the Job that tries", application.undo_privileges, 2, in_cluster=True), 10),
    Phase("app", "Starting the application", ("api-key", "migration"), application.app, Undo("Deleting the application", application.undo_app, 5, in_cluster=True), 30),
    Phase("ingress", "Routing requests to Console, Conductor and app", ("ingress-nginx", "app", "console"), application.ingress, Undo("Deleting the Ingress", application.undo_ingress, 5, in_cluster=True), 5, _not_exposed),
    Phase("autoscaling", "Scaling the app by its queue", ("keda", "app"), application.autoscaling, Undo("Deleting the ScaledObject", application.undo_autoscaling, 2, in_cluster=True), 5, _not_scaled),
    Phase("smoke-test", "Trying it out", ("app", "privileges", "console", "ingress", "autoscaling"), application.smoke_test, Undo("Ending the trial", application.undo_smoke_test, 1), 20),
)
# fmt: on

# fmt: off
CHANGES: dict[str, Change] = {
    "preflight": Change(("aws",), "Checking what the change needs", account_changes.preflight),
    "network": Change(("network",), followers=("egress",)),
    "cluster": Change(("cluster",), "Changing the EKS control plane", infrastructure_changes.cluster, 120),
    "addons": Change((), "Bringing the add-ons up to date", infrastructure_changes.addons),
    "nodes": Change(("nodes",), "Changing the nodes", infrastructure_changes.nodes, 300),
    "database": Change(("database",), "Changing the PostgreSQL instance", infrastructure_changes.database, 600),
    "registry": Change(("app.image", "app.migrate_image", "registry"), followers=("migration", "app")),
    "namespace": Change(("namespace", "console.port"), followers=("databases", "secrets", "console", "migration", "ingress", "autoscaling")),
    "ingress-nginx": Change(("charts.ingress_nginx",)),
    "sealed-secrets": Change(("charts.sealed_secrets",), followers=("secrets",)),
    "keda": Change(("charts.keda",)),
    "databases": Change(("database.existing",)),
    "secrets": Change(("conductor.license_key", "database.sslmode", "database.existing"), followers=("conductor", "api-key", "app")),
    "conductor": Change(("conductor", "database.sslmode", "database.existing"), "Rolling out Conductor", workload_changes.conductor),
    "console": Change(("console",), "Rolling out the Console", workload_changes.console),
    "api-key": Change(("app.name",), followers=("app",)),
    "migration": Change(("app.image", "app.migrate_image", "registry", "database.sslmode", "database.existing"), "Migrating the app's database", workload_changes.migration, followers=("privileges",)),
    "privileges": Change(("database.existing",), "Trying that the app cannot change the schema", workload_changes.privileges),
    "app": Change(("app", "registry", "autoscaling.enabled", "database.sslmode", "database.existing"), "Rolling out the application", workload_changes.app),
    "ingress": Change(("exposure",)),
    "autoscaling": Change(("autoscaling",)),
}
# fmt: on
"""What in the spec each phase goes by, and how it brings what is there to another spec; a phase without a function of
its own for that does what an install does, which finds what is there."""

INSTALL = Graph(tuple(replace(phase, change=CHANGES.get(phase.name, Change())) for phase in PHASES))

_NOTHING = Undo("Nothing to unmake", removal.nothing)

UNINSTALL = undoing(
    INSTALL,
    first=Phase("survey", "Looking at what is there", (), removal.survey, _NOTHING, 5),
    last=Phase("proof", "Proving that nothing is left", (), removal.proof, _NOTHING, 5),
)
"""The table backwards, between a look at what there is and the proof that nothing of it is left."""

GRAPHS = {"install": INSTALL, "uninstall": UNINSTALL}
"""By kind of operation."""


def kubernetes_hop(version: str) -> Phase:
    """One minor version of Kubernetes up: the control plane takes about ten minutes, the nodes are rolled one by one."""
    title = f"Upgrading Kubernetes to {version}"
    run = partial(infrastructure_changes.kubernetes, version=version)
    return Phase(f"kubernetes-{version.replace('.', '-')}", title, (), run, _NOTHING, 1200)
