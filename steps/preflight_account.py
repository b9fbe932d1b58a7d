"""Preflight of the account: region enabled, permissions there, quotas not reached."""

from steps.clients.aws import Aws
from steps.clients.aws import quotas as known
from steps.clients.aws.ec2_catalog import is_standard
from steps.clients.aws.permissions import STATEMENTS
from steps.clients.aws.quotas import Quota
from steps.errors import Code, PodiumError, TransientError
from steps.findings import Findings
from steps.names import TAG_INSTALLATION, Owner
from steps.wanted import Wanted


def check_region(aws: Aws, _owner: Owner, _wanted: Wanted, findings: Findings) -> None:
    """The region is one that the account has switched on."""
    if aws.catalog.region_status(aws.region) == "not-opted-in":
        findings.problem(
            Code.INVALID_SPEC,
            "aws.region",
            f"the region {aws.region} is not enabled for account {aws.account_id()}",
            f"Enable it (`aws account enable-region --region-name {aws.region}`), or choose another region.",
        )


def check_permissions(aws: Aws, owner: Owner, _wanted: Wanted, findings: Findings) -> None:
    """IAM's simulator allows every action that Podium uses; a warning where it may not, or cannot, be asked."""
    principal = policy_source(aws)
    if principal is None:
        return
    try:
        denied = _denied(aws, owner, principal)
    except TransientError:
        raise
    except PodiumError as error:
        findings.warn("PERMISSIONS_NOT_CHECKED", "aws.role_arn", f"permissions were not checked: {error.message}")
        return
    if denied:
        findings.problem(
            Code.AWS_ACCESS_DENIED,
            "aws.role_arn",
            f"{principal} may not call {', '.join(denied)}",
            f"Grant these actions to {principal}, e.g. with deploy/iam/podium-policy.json.",
        )


def check_quotas(aws: Aws, owner: Owner, wanted: Wanted, findings: Findings) -> None:
    """There is room for one more of each; what the installation has already made is not counted again."""
    for quota, used in _uses(aws, owner, wanted):
        check_quota(aws, quota, used, 1, "aws", findings)


def check_node_quota(aws: Aws, owner: Owner, wanted: Wanted, findings: Findings) -> None:
    """The nodes' vCPUs fit the quota of standard instances (quotas of other families are not looked at)."""
    kind = wanted.instance_type
    if wanted.existing_cluster or not is_standard(kind) or aws.eks.cluster(owner.names.cluster):
        return
    needed = aws.catalog.vcpus([kind]).get(kind, 0) * wanted.node_count
    if needed:
        used = aws.catalog.standard_vcpus_in_use()
        check_quota(aws, known.STANDARD_VCPUS, used, needed, "nodes.instance_type", findings)


def _uses(aws: Aws, owner: Owner, wanted: Wanted) -> list[tuple[Quota, int]]:
    uses = []
    if wanted.existing_vpc_id is None:
        if not aws.network.vpcs(owner.tags("vpc")):
            uses.append((known.VPCS, aws.catalog.vpc_count()))
        if not aws.network.gateways(owner.tags("internet-gateway")):
            uses.append((known.INTERNET_GATEWAYS, aws.catalog.internet_gateway_count()))
        if not aws.nat.addresses(owner.tags("nat-address")):
            uses.append((known.ADDRESSES, aws.catalog.address_count()))
        if not aws.nat.gateways(owner.tags("nat")):
            uses.append((known.NAT_GATEWAYS, max(aws.catalog.nat_gateways_by_zone().values(), default=0)))
    if wanted.existing_cluster is None and aws.eks.cluster(owner.names.cluster) is None:
        uses.append((known.CLUSTERS, aws.eks.cluster_count()))
    if wanted.make_database and aws.rds.instance(owner.names.db_instance) is None:
        uses.append((known.DB_INSTANCES, aws.rds.instance_count()))
    return uses


def check_quota(aws: Aws, quota: Quota, used: int, needed: int, where: str, findings: Findings) -> None:
    """There is room for so many more."""
    try:
        limit = aws.service_quotas.limit(quota)
    except TransientError:
        raise
    except PodiumError as error:
        findings.warn("QUOTA_NOT_CHECKED", where, f'the quota "{quota.name}" was not checked: {error.message}')
        return
    if used + needed > limit:
        findings.problem(
            Code.AWS_QUOTA_EXCEEDED,
            where,
            f'the quota "{quota.name}" in {aws.region} is {limit}: {used} are used and {needed} more are needed',
            quota.remedy(aws.region),
        )


def policy_source(aws: Aws) -> str | None:
    """ARN of the user or role whose policies count; None for the account's root, which may do everything."""
    arn = aws.identity().arn
    kind, _, rest = arn.split(":", 5)[5].partition("/")
    if kind == "assumed-role":
        name = rest.split("/")[0]
        return _role_arn(aws, name)
    return arn if kind == "user" else None


def _role_arn(aws: Aws, name: str) -> str:
    """A role's ARN with its path, which the session's ARN leaves out."""
    plain = f"arn:{aws.partition}:iam::{aws.account_id()}:role/{name}"
    try:
        role = aws.iam.role(name)
    except TransientError:
        raise
    except PodiumError:
        return plain
    return role.arn if role else plain


def _places(aws: Aws, owner: Owner) -> dict[str, str]:
    names = owner.names
    return {
        "partition": aws.partition,
        "region": aws.region,
        "account": aws.account_id(),
        "cluster": names.cluster,
        "cluster_role": names.cluster_role,
        "node_role": names.node_role,
        "db_instance": names.db_instance,
        "db_subnet_group": names.db_subnet_group,
    }


def _denied(aws: Aws, owner: Owner, principal: str) -> list[str]:
    """Actions that are surely denied: on each of their resources, with no condition left in doubt."""
    places, context = _places(aws, owner), _context(owner)
    denied = []
    for resources, actions in _by_resources().items():
        concrete = [one if one == "*" else one.format(**places).replace("*", "podium") for one in resources]
        answers = aws.iam.simulate(principal, actions, concrete, context)
        granted = {one.action for one in answers if one.allowed or not one.certain}
        denied += [action for action in actions if action not in granted]
    return denied


def _by_resources() -> dict[tuple[str, ...], list[str]]:
    """All actions by the resources they are needed on: one call of the simulator each."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for statement in STATEMENTS:
        groups.setdefault(statement.resources, []).extend(statement.actions)
    return groups


def _context(owner: Owner) -> dict[str, str]:
    """Values for the condition keys that Podium's own policy uses."""
    context = {f"aws:ResourceTag/{TAG_INSTALLATION}": owner.installation}
    for statement in STATEMENTS:
        for key, values in statement.condition.get("StringEquals", {}).items():
            context[key] = values[0]
    return context
