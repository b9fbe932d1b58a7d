"""What can be known to go wrong with a change of an installation, before anything is changed, and all of it at once.

The checks of an install (`preflight.py`) count only what is still to be made, and take what is the installation's own;
those that look at one thing as if it were new are replaced here. Everything only reads.
"""

from typing import Any

from steps import preflight_account as account
from steps import preflight_cluster as cluster
from steps import preflight_names as names
from steps import preflight_offers as offers
from steps.clients.aws import Aws
from steps.clients.aws import quotas as known
from steps.clients.aws.ec2_catalog import is_standard
from steps.clients.aws.eks import Cluster
from steps.cluster_changes import minor
from steps.database_changes import order, refusals, settings_of
from steps.errors import Code
from steps.findings import Findings
from steps.names import TAG_RESOURCE, Owner
from steps.node_changes import choose_group
from steps.nodes import own_groups
from steps.ownership import is_ours
from steps.preflight import Check, identify, perform
from steps.wanted import Wanted

DONE = "changed"
PRIVATE = "subnet-private-"
"""What podium:resource of the private subnets begins with (network.py)."""
SURGE = 1
"""More nodes than usual while their version changes, at least (EKS User Guide, "Managed node update behavior")."""


def check_change(aws: Aws, owner: Owner, wanted: Wanted, account_id: str | None) -> dict[str, Any]:
    """{account_id, principal, kubernetes_version, zones: names, warnings: [{code, field, message}]}.

    `kubernetes_version` is the one that the cluster has now; the zones are those that it is in. `account_id`: where the
    installation is, when known. Raises PREFLIGHT_FAILED with every problem in `details`, TransientError when AWS does
    not answer.
    """
    found = identify(aws, DONE)
    here = found.facts["account_id"]
    if account_id is not None and here != account_id:
        message = f"these credentials are for the account {here}; the installation is in {account_id}"
        remedy = f"Give Podium credentials (or aws.role_arn) of the account {account_id}."
        found.problem(Code.INVALID_SPEC, "aws.role_arn", message, remedy)
        found.raise_if_any(DONE)
    return perform(CHECKS, aws, owner, wanted, found, DONE)


def check_version(aws: Aws, owner: Owner, wanted: Wanted, findings: Findings) -> None:
    """Fact `kubernetes_version`, and that EKS offers what lies between it and the one asked for."""
    there = _own_cluster(aws, owner, wanted)
    if there is None:
        offers.check_kubernetes_version(aws, owner, wanted, findings)
        return
    findings.facts["kubernetes_version"] = there.version
    asked = wanted.kubernetes_version or there.version
    offered = {one.version for one in aws.eks.versions() if one.support != "unsupported"}
    if minor(asked) < minor(there.version):
        message = f"the EKS cluster {there.name} has Kubernetes {there.version}; EKS cannot go back to {asked}"
        findings.problem(Code.INVALID_SPEC, "cluster.version", message, f"Ask for {there.version} or newer.")
    hops = [f"1.{number}" for number in range(minor(there.version) + 1, minor(asked) + 1)]
    missing = [version for version in hops if version not in offered]
    if missing:
        message = f"EKS does not offer Kubernetes {', '.join(missing)} in {aws.region}"
        newer = sorted((one for one in offered if minor(one) > minor(there.version)), key=minor)
        remedy = f"Choose one of {', '.join(newer)}." if newer else f"Stay with {there.version}."
        findings.problem(Code.INVALID_SPEC, "cluster.version", message, remedy)


def check_zones(aws: Aws, owner: Owner, wanted: Wanted, findings: Findings) -> None:
    """Fact `zones`: where the installation's subnets are; EC2 offers the instance type in all of them."""
    zones = _zones(aws, owner)
    if wanted.existing_vpc_id or len(zones) != wanted.zones:
        offers.check_zones(aws, owner, wanted, findings)
        return
    findings.facts["zones"] = zones
    if wanted.existing_cluster is not None:
        return
    missing = sorted(set(zones) - set(aws.catalog.zones_offering(wanted.instance_type)))
    if missing:
        findings.problem(
            Code.INVALID_SPEC,
            "nodes.instance_type",
            f"instance type {wanted.instance_type} is not offered in {', '.join(missing)}, where the nodes are",
            "Choose another instance type (t3.medium is offered almost everywhere).",
        )


def check_nodes(aws: Aws, owner: Owner, wanted: Wanted, findings: Findings) -> None:
    """The vCPUs of nodes that come beside those that are there fit the quota of standard instances."""
    there, kind = _own_cluster(aws, owner, wanted), wanted.instance_type
    if there is None:
        account.check_node_quota(aws, owner, wanted, findings)
        return
    more = _more_nodes(aws, owner, wanted, there) if is_standard(kind) else 0
    needed = aws.catalog.vcpus([kind]).get(kind, 0) * more
    if needed:
        used = aws.catalog.standard_vcpus_in_use()
        account.check_quota(aws, known.STANDARD_VCPUS, used, needed, "nodes", findings)


def check_database(aws: Aws, owner: Owner, wanted: Wanted, findings: Findings) -> None:
    """RDS can change the instance so, and offers the class for the version that it has or is to have."""
    there = aws.rds.instance(owner.names.db_instance) if wanted.make_database else None
    if there is None or not is_ours(owner, there.tags):
        offers.check_database(aws, owner, wanted, findings)
        return
    settings = settings_of(wanted.engine_version, wanted.instance_class, wanted.storage_gib, 0)
    refused = refusals(there, settings)
    for one in refused:
        findings.problem(Code.INVALID_SPEC, one.field, one.message, one.remedy)
    now = str(there.settings.get("EngineVersion", ""))
    newer, other_class = order(wanted.engine_version) > order(now), there.settings.get("DBInstanceClass")
    if refused or not (newer or other_class != wanted.instance_class):
        return
    version, offered = wanted.engine_version if newer else now, aws.rds.engine_versions()
    if newer and version not in offered:
        message = f"RDS does not offer PostgreSQL {version} in {aws.region}"
        findings.problem(Code.INVALID_SPEC, "database.engine_version", message, f"Stay with {now}.")
    elif version in offered and not aws.rds.offers(version, wanted.instance_class):
        message = f"RDS does not offer {wanted.instance_class} for PostgreSQL {version} in {aws.region}"
        remedy = "Choose another class, e.g. db.t4g.micro or db.t3.micro."
        findings.problem(Code.INVALID_SPEC, "database.instance_class", message, remedy)


CHECKS: tuple[tuple[Check, str], ...] = (
    (account.check_region, "aws.region"),
    (account.check_permissions, "aws.role_arn"),
    (account.check_quotas, "aws"),
    (check_version, "cluster.version"),
    (check_zones, "nodes.instance_type"),
    (check_nodes, "nodes"),
    (check_database, "database"),
    (names.check_cluster_names, "name"),
    (names.check_database_names, "name"),
    (names.check_repositories, "registry"),
    (names.check_secrets, "secrets"),
    (names.check_existing, "network.existing"),
    (cluster.check_access, cluster.FIELD),
)
"""Each check, and the field of the spec that an unexpected refusal by AWS within it is put down to."""


def _own_cluster(aws: Aws, owner: Owner, wanted: Wanted) -> Cluster | None:
    """The installation's own cluster, when it is there."""
    found = None if wanted.existing_cluster else aws.eks.cluster(owner.names.cluster)
    return found if found is not None and is_ours(owner, found.tags) else None


def _more_nodes(aws: Aws, owner: Owner, wanted: Wanted, there: Cluster) -> int:
    """How many come, at most, before others go: a group beside the old one, a larger group, one more while they are
    exchanged for a newer version."""
    chosen = choose_group(aws, owner, wanted.node_group, wanted.instance_type, wanted.disk_gib)
    groups = {found.name: found for found in own_groups(aws, owner)}
    newer = bool(groups) and minor(wanted.kubernetes_version or there.version) > minor(there.version)
    present = groups[chosen].desired if chosen in groups else 0
    return max(wanted.node_count - present, SURGE if newer else 0, 0)


def _zones(aws: Aws, owner: Owner) -> list[str]:
    """Of the installation's own private subnets, in their order."""
    vpcs = aws.network.vpcs(owner.tags("vpc"))
    subnets = aws.network.subnets(vpcs[0].id) if vpcs else []
    private = [one for one in subnets if one.tags.get(TAG_RESOURCE, "").startswith(PRIVATE)]
    return [one.zone for one in sorted(private, key=lambda one: one.tags[TAG_RESOURCE])]
