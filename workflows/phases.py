"""The whole process on one page: what Podium does, in what order, and what each part waits for.

Install plan, progress, the page's graph and the uninstall order all come from this table. `weight` is the expected
duration at AWS in seconds (published figures, design.md section 2); `skip` says for which specs a phase has nothing to do.
What only needs the control plane is applied while nodes are still coming; `awaits` names what its readiness hangs on.
"""

from workflows.graph import Graph, Phase
from workflows.install import account, application, conductor, infrastructure, platform
from workflows.spec import ExposureMode, InstallationSpec


def _not_exposed(spec: InstallationSpec) -> bool:
    return spec.exposure.mode is ExposureMode.INTERNAL


def _not_scaled(spec: InstallationSpec) -> bool:
    return not spec.autoscaling.enabled


# fmt: off
PHASES: tuple[Phase, ...] = (
    Phase("preflight", "Checking account, quotas and names", (), account.preflight, account.undo_preflight, 5),
    Phase("network", "Creating the VPC", ("preflight",), infrastructure.network, infrastructure.undo_network, 10),
    Phase("egress", "Opening the way out to the internet", ("network",), infrastructure.egress, infrastructure.undo_egress, 100),
    Phase("identity", "Creating the IAM roles", ("preflight",), infrastructure.identity, infrastructure.undo_identity, 5),
    Phase("cluster", "Creating the EKS control plane", ("network", "identity"), infrastructure.cluster, infrastructure.undo_cluster, 540),
    Phase("addons", "Installing the cluster add-ons", ("cluster",), infrastructure.addons, infrastructure.undo_addons, 30, awaits=("nodes",)),
    Phase("nodes", "Starting the nodes", ("cluster", "egress"), infrastructure.nodes, infrastructure.undo_nodes, 126),
    Phase("database", "Creating the PostgreSQL instance", ("network",), infrastructure.database, infrastructure.undo_database, 372),
    Phase("database-access", "Letting the cluster reach the database", ("database", "cluster"), infrastructure.database_access, infrastructure.undo_database_access, 2),
    Phase("registry", "Preparing the image repositories", ("preflight",), account.registry, account.undo_registry, 5),
    Phase("namespace", "Creating the namespace", ("cluster",), platform.namespace, platform.undo_namespace, 1),
    Phase("ingress-nginx", "Installing ingress-nginx and its load balancer", ("cluster",), platform.ingress_nginx, platform.undo_ingress_nginx, 144, _not_exposed, awaits=("nodes",)),
    Phase("sealed-secrets", "Installing sealed-secrets", ("cluster",), platform.sealed_secrets, platform.undo_sealed_secrets, 20, awaits=("nodes",)),
    Phase("keda", "Installing KEDA", ("cluster",), platform.keda, platform.undo_keda, 20, _not_scaled, awaits=("nodes",)),
    Phase("databases", "Creating databases and roles", ("namespace", "database-access", "nodes"), platform.databases, platform.undo_databases, 15),
    Phase("secrets", "Sealing the five secrets", ("sealed-secrets", "namespace", "databases"), platform.secrets, platform.undo_secrets, 5),
    Phase("conductor", "Starting Conductor", ("secrets",), conductor.conductor, conductor.undo_conductor, 30),
    Phase("console", "Starting the Console", ("namespace", "nodes"), conductor.console, conductor.undo_console, 30),
    Phase("api-key", "Registering the app and swapping its API key", ("conductor",), conductor.api_key, conductor.undo_api_key, 5),
    Phase("migration", "Migrating the app's database", ("secrets", "registry"), application.migration, application.undo_migration, 15),
    Phase("privileges", "Trying that the app cannot change the schema", ("migration",), application.privileges, application.undo_privileges, 10),
    Phase("app", "Starting the application", ("api-key", "migration"), application.app, application.undo_app, 30),
    Phase("ingress", "Routing requests to Console, Conductor and app", ("ingress-nginx", "app", "console"), application.ingress, application.undo_ingress, 5, _not_exposed),
    Phase("autoscaling", "Scaling the app by its queue", ("keda", "app"), application.autoscaling, application.undo_autoscaling, 5, _not_scaled),
    Phase("smoke-test", "Trying it out", ("app", "privileges", "console", "ingress", "autoscaling"), application.smoke_test, application.undo_smoke_test, 20),
)
# fmt: on

INSTALL = Graph(PHASES)
