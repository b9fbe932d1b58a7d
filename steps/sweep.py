"""Asks every service that Podium uses what it still has of an installation, by tag and by name. Only looks.

Each service is asked itself, since only that is certain. EC2's list of tags and the Resource Groups Tagging API are the
cross-check: they name things of kinds that Podium does not make, and repositories under names that it does not know.
Both still list what went minutes ago, so what they have and the service itself has not is not counted.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from steps import leftovers
from steps.blockers import Blocker
from steps.clients.aws import Aws
from steps.database import TAG_RETAINED
from steps.names import TAG_INSTALLATION, Owner
from steps.ownership import is_ours
from steps.secret_store import own_secrets

NAT_GONE = ("deleted", "failed")
"""AWS lists both for an hour; neither holds an address or an interface."""
ASKED = ("vpc-", "subnet-", "igw-", "rtb-", "nat-", "eipalloc-", "sg-", "sgr-", "eni-", "vol-")
"""Ids of the kinds that EC2 is asked for itself."""
TAG = f"tag {TAG_INSTALLATION}"
NOT_OURS = "Podium makes no such thing: somebody gave it the installation's tag"
HAS_IMAGES = "the repository holds images"
KEPT_LOGS = "logs of the control plane, which somebody switched on"
KEPT_BACKUPS = "somebody deleted the DB instance and kept its automated backups"
KEEPER = "whoever keeps the data"


@dataclass(frozen=True)
class Scope:
    """What an installation may have made.

    `repositories`: names of its image repositories; `purposes`: of its secrets, which AWS's list may not show yet;
    `own_cluster`, `own_database`: False when it was given one; `data_kept`: the data was to be retained.
    """

    repositories: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    own_cluster: bool = True
    own_database: bool = True
    data_kept: bool = False


@dataclass
class Sweep:
    """What was asked (`asked`: {service, asked, found}) and found: `left` over, or `kept` with a reason; by ARN."""

    aws: Aws
    owner: Owner
    scope: Scope
    asked: list[dict[str, Any]] = field(default_factory=list)
    left: dict[str, Blocker] = field(default_factory=dict)
    kept: dict[str, Blocker] = field(default_factory=dict)

    @cached_property
    def tagged(self) -> dict[str, dict[str, str]]:
        """What the Resource Groups Tagging API lists."""
        return self.aws.tagging.tagged(TAG_INSTALLATION, self.owner.installation)

    def note(self, service: str, asked: str, arns: Iterable[str]) -> None:
        """What is found here is left over."""
        found = list(arns)
        self.asked.append({"service": service, "asked": asked, "found": len(found)})
        self.left |= {arn: Blocker(arn, f"{service} still has it ({asked})", "this installation") for arn in found}

    def keep(self, service: str, asked: str, found: Iterable[Blocker]) -> None:
        """What is found here stays, with the reason."""
        stays = {one.arn: one for one in found}
        self.asked.append({"service": service, "asked": asked, "found": len(stays)})
        self.kept |= stays


def sweep(aws: Aws, owner: Owner, scope: Scope) -> Sweep:
    """All services, one after the other."""
    found = Sweep(aws, owner, scope)
    for part in PARTS:
        part(found)
    return found


def _ec2(found: Sweep) -> None:
    aws, tags = found.aws, {TAG_INSTALLATION: found.owner.installation}
    kinds: dict[str, list[str]] = {
        "vpc": [one.id for one in aws.network.vpcs(tags)],
        "subnet": [one.id for one in aws.network.subnets(tags=tags)],
        "internet-gateway": [one.id for one in aws.network.gateways(tags)],
        "route-table": [one.id for one in aws.network.route_tables(tags=tags)],
        "natgateway": [one.id for one in aws.nat.gateways(tags) if one.state not in NAT_GONE],
        "elastic-ip": [one.allocation_id for one in aws.nat.addresses(tags)],
        "security-group": [one.id for one in aws.groups.tagged(tags)],
        "security-group-rule": aws.groups.rules(tags),
        "network-interface": [one.id for one in aws.interfaces.tagged(tags)],
        "volume": [one.id for one in aws.interfaces.volumes(tags)],
    }
    for kind, ids in kinds.items():
        found.note("ec2", f"{kind} with {TAG}", (aws.arn("ec2", f"{kind}/{one}") for one in ids))
    listed = aws.contents.tagged(TAG_INSTALLATION, found.owner.installation)
    others = [aws.arn("ec2", f"{one.kind}/{one.id}") for one in listed if not one.id.startswith(ASKED)]
    found.keep("ec2", f"anything else with {TAG} (lags)", (Blocker(arn, NOT_OURS, "somebody else") for arn in others))


def _cluster(found: Sweep) -> None:
    """The cluster and what Kubernetes made for it: only when the cluster was the installation's own."""
    if not found.scope.own_cluster:
        return
    aws, name = found.aws, found.owner.names.cluster
    there = aws.eks.cluster(name)
    ours = there is not None and is_ours(found.owner, there.tags)
    found.note("eks", f"cluster {name}", [there.arn] if there and ours else [])
    if there is not None and not ours:
        return
    made, own_tag = leftovers.find(aws, found.owner), f"with the tags of the cluster {name}"
    arns = leftovers.arns(aws, made)
    volumes = {one.arn: one for one in leftovers.kept_volumes(aws, found.owner, made.volumes)}
    if found.scope.data_kept:
        found.keep("ec2", f"volumes {own_tag}", volumes.values())
        arns = [arn for arn in arns if arn not in volumes]
    balancing = [arn for arn in arns if ":elasticloadbalancing:" in arn]
    found.note("elasticloadbalancing", f"load balancers and target groups {own_tag}", balancing)
    found.note("ec2", f"interfaces, groups and volumes {own_tag}", (arn for arn in arns if arn not in balancing))


def _database(found: Sweep) -> None:
    aws, owner, name = found.aws, found.owner, found.owner.names.db_instance
    found.note("rds", f"DB instances with {TAG}", (one.arn for one in aws.rds.instances() if is_ours(owner, one.tags)))
    if not found.scope.own_database:
        return
    group = aws.rds.subnet_group(owner.names.db_subnet_group)
    ours = group is not None and is_ours(owner, aws.rds.tags(group.arn))
    found.note("rds", f"DB subnet group {owner.names.db_subnet_group}", [group.arn] if group and ours else [])
    backups = [one.arn for one in aws.rds.automated_backups(name) if one.status == "retained"]
    if found.scope.data_kept:
        found.keep("rds", f"automated backups of {name}", (Blocker(arn, KEPT_BACKUPS, KEEPER) for arn in backups))
    else:
        found.note("rds", f"automated backups of {name}", backups)
    snapshots = [one for one in aws.rds.snapshots(name) if is_ours(owner, one.tags)]
    found.keep("rds", f"snapshots of {name}", (Blocker(one.arn, _reason(one.tags), KEEPER) for one in snapshots))
    found.note("secretsmanager", f"master password of {name}", _master_secrets(aws, name))


def _reason(tags: dict[str, str]) -> str:
    by_podium = tags.get(TAG_RETAINED) == "true"
    return "the last snapshot, by an uninstall that retained the data" if by_podium else "a snapshot that somebody took"


def _master_secrets(aws: Aws, name: str) -> list[str]:
    """RDS's own secrets of the instance; each is looked at itself, since the list lags."""
    listed = [one for one in aws.secrets.with_tag_value(aws.arn("rds", f"db:{name}")) if one.name.startswith("rds!")]
    there = [aws.secrets.secret(one.arn) for one in listed]
    return [one.arn for one in there if one is not None and not one.deleted]


def _identity(found: Sweep) -> None:
    """IAM by name; its roles are in no list of tags."""
    aws, owner = found.aws, found.owner
    names = (owner.names.cluster_role, owner.names.node_role)
    roles = [aws.iam.role(name) for name in names]
    ours = [role.arn for role in roles if role is not None and is_ours(owner, role.tags)]
    found.note("iam", f"roles {' and '.join(names)}", ours)
    providers = [aws.iam.provider(arn) for arn in aws.iam.providers() if "oidc.eks" in arn]
    trusted = [one.arn for one in providers if one is not None and is_ours(owner, one.tags)]
    found.note("iam", f"OpenID Connect providers with {TAG}", trusted)


def _repositories(found: Sweep) -> None:
    """A repository is left over when it is empty; images are somebody's work and stay."""
    aws, owner = found.aws, found.owner
    listed = (arn.partition(":repository/")[2] for arn in found.tagged if ":ecr:" in arn)
    names = sorted({*found.scope.repositories, *listed})
    there = [aws.ecr.repository(name) for name in names]
    ours = [one for one in there if one is not None and is_ours(owner, aws.ecr.tags(one.arn))]
    full = {one.arn for one in ours if aws.ecr.has_images(one.name)}
    found.keep("ecr", "repositories with images", (Blocker(arn, HAS_IMAGES, KEEPER) for arn in sorted(full)))
    found.note("ecr", "empty repositories", (one.arn for one in ours if one.arn not in full))


def _secrets(found: Sweep) -> None:
    there = own_secrets(found.aws, found.owner, found.scope.purposes)
    asked = f"secrets {found.owner.names.secret('*')}, also those marked for deletion"
    found.note("secretsmanager", asked, (one.arn for one in there))


def _logs(found: Sweep) -> None:
    """EKS makes log groups when somebody switches the control plane's logging on; they are that person's."""
    if not found.scope.own_cluster:
        return
    aws, prefix = found.aws, f"/aws/eks/{found.owner.names.cluster}/"
    groups = [Blocker(aws.arn("logs", f"log-group:{name}"), KEPT_LOGS, KEEPER) for name in aws.logs.groups(prefix)]
    found.keep("logs", f"log groups {prefix}*", groups)


def _cross_check(found: Sweep) -> None:
    """By tag over all services, without those that were asked themselves."""
    partition = found.aws.partition
    asked = ("ec2", "eks", "elasticloadbalancing", "rds", "secretsmanager", "ecr")
    direct = tuple(f"arn:{partition}:{service}:" for service in asked)
    others = [arn for arn in found.tagged if not arn.startswith(direct)]
    text = f"anything else with {TAG} (lags)"
    found.keep("tag", text, (Blocker(arn, NOT_OURS, "somebody else") for arn in others))


PARTS: tuple[Callable[[Sweep], None], ...] = (
    _ec2,
    _cluster,
    _database,
    _identity,
    _repositories,
    _secrets,
    _logs,
    _cross_check,
)
