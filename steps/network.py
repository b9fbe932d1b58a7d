"""The VPC: address range, internet gateway, public and private subnets, the public routes."""

from typing import Literal, TypeVar

from steps.blockers import in_vpc, verdict
from steps.clients.aws import Aws
from steps.clients.aws.ec2_network import InternetGateway, RouteTable, Subnet, Vpc
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.noticing import noticed
from steps.ownership import check_ours, is_part, lost
from steps.second_look import keep_one, until_seen
from steps.waiting import Blocked, Pending

T = TypeVar("T", Vpc, InternetGateway)

PUBLIC_ROUTES = "routes-public"
MOST_ZONES = 3
ROLE_TAG = {"public": "kubernetes.io/role/elb", "private": "kubernetes.io/role/internal-elb"}
"""How Kubernetes finds the subnets for load balancers (https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html)."""


def ensure_vpc(aws: Aws, owner: Owner, cidr: str, known_id: str | None = None) -> str:
    """Id of the installation's VPC, with DNS support and host names on.

    `known_id`: the one that it had; NAME_TAKEN when that is there and has lost its tags.
    """

    def look() -> list[Vpc]:
        return aws.network.vpcs(owner.tags("vpc"))

    found = look()
    if not found:
        known = aws.network.vpc(known_id) if known_id else None
        if known_id and known and not is_part(owner, "vpc", known.tags):
            raise lost(owner, "vpc", known_id, "the VPC")
        made = aws.network.make_vpc(cidr, owner.tags("vpc", Name=owner.installation))
        found = until_seen(lambda: _with_id(look(), made), f"the VPC {made}")
    vpc = keep_one(found, lambda vpc: _is_used(aws, vpc), lambda vpc: aws.network.delete_vpc(vpc.id))
    aws.network.switch_on_dns(vpc.id)
    return vpc.id


def ensure_internet_gateway(aws: Aws, owner: Owner, vpc_id: str) -> str:
    """Id of the VPC's internet gateway, attached. NAME_TAKEN when the VPC has another one."""

    def look() -> list[InternetGateway]:
        return aws.network.gateways(owner.tags("internet-gateway"))

    found = look()
    if not found:
        for other in aws.network.attached(vpc_id):
            if not is_part(owner, "internet-gateway", other.tags):
                raise lost(owner, "internet-gateway", other.id, "the internet gateway")
        made = aws.network.make_gateway(owner.tags("internet-gateway", Name=owner.installation))
        found = until_seen(lambda: _with_id(look(), made), f"the internet gateway {made}")
    gateway = keep_one(found, lambda gateway: bool(gateway.vpc_ids), aws.network.delete_gateway)
    if vpc_id not in gateway.vpc_ids:
        noticed("attachments", expected=[vpc_id], found=list(gateway.vpc_ids))
        aws.network.attach_gateway(gateway.id, vpc_id)
    return gateway.id


def ensure_subnets(
    aws: Aws, owner: Owner, vpc_id: str, kind: str, cidrs: list[str], zones: list[str], cluster_name: str
) -> list[str]:
    """Ids of the `public` or `private` subnets, one per zone, tagged so that Kubernetes finds them."""
    found = aws.network.subnets(vpc_id)
    return [
        _ensure_subnet(aws, owner, vpc_id, found, kind, index, cidr, zone, cluster_name)
        for index, (cidr, zone) in enumerate(zip(cidrs, zones, strict=True))
    ]


def ensure_public_routes(aws: Aws, owner: Owner, vpc_id: str, igw_id: str, subnet_ids: list[str]) -> str:
    """Id of the route table that sends the public subnets' traffic to the internet gateway."""
    table = ensure_route_table(aws, owner, vpc_id, PUBLIC_ROUTES, subnet_ids)
    aws.network.route_everything(table, gateway_id=igw_id)
    associate(aws, table, subnet_ids)
    return table.id


def ensure_route_table(aws: Aws, owner: Owner, vpc_id: str, resource: str, subnet_ids: list[str]) -> RouteTable:
    """The installation's route table of this part name (also used by egress). NAME_TAKEN when another one, instead of
    it, is that of these subnets."""

    def look() -> list[RouteTable] | None:
        return aws.network.route_tables(vpc_id, owner.tags(resource)) or None

    found = look()
    if found is None:
        for other in aws.network.route_tables(vpc_id):
            if not is_part(owner, resource, other.tags) and not other.subnets.keys().isdisjoint(subnet_ids):
                raise lost(owner, resource, other.id, "the route table")
        name = f"{owner.installation}-{resource.removeprefix('routes-')}"
        aws.network.make_route_table(
            vpc_id, owner.client_token(f"{resource}/{vpc_id}"), owner.tags(resource, Name=name)
        )
        found = until_seen(look, f"the route table {name}")
    return keep_one(found, lambda table: bool(table.subnets), aws.network.delete_route_table)


def associate(aws: Aws, table: RouteTable, subnet_ids: list[str]) -> None:
    """Give these subnets the table, whichever they had."""
    missing = [subnet_id for subnet_id in subnet_ids if subnet_id not in table.subnets]
    others = aws.network.route_tables(table.vpc_id) if missing else []
    for subnet_id in missing:
        other = next((each for each in others if each.id != table.id and subnet_id in each.subnets), None)
        noticed(f"associations[{subnet_id}]", expected=table.id, found=other.id if other else None)
        if other is not None:
            aws.network.reassociate(other.subnets[subnet_id], table.id)
        else:
            aws.network.associate(table.id, subnet_id)


def delete_network(aws: Aws, owner: Owner) -> None:
    """Delete routes, subnets, internet gateway and VPC: whatever of them carries the installation's tag.

    What AWS refuses for now stays; `await_network_deleted` tries it again.
    """
    for table in aws.network.route_tables(tags=owner.tags(PUBLIC_ROUTES)):
        aws.network.delete_route_table(table)
    for subnet in _own_subnets(aws, owner):
        aws.network.delete_subnet(subnet.id)
    for gateway in aws.network.gateways(owner.tags("internet-gateway")):
        aws.network.delete_gateway(gateway)
    for vpc in aws.network.vpcs(owner.tags("vpc")):
        aws.network.delete_vpc(vpc.id)


def await_network_deleted(aws: Aws, owner: Owner) -> Literal[True] | Pending | Blocked:
    """True once nothing of the network is left; tries again at each look, and says what is in the way."""
    delete_network(aws, owner)
    vpcs = [vpc.id for vpc in aws.network.vpcs(owner.tags("vpc"))]
    inside = {subnet.vpc_id for subnet in _own_subnets(aws, owner)}
    inside |= {vpc_id for gateway in aws.network.gateways(owner.tags("internet-gateway")) for vpc_id in gateway.vpc_ids}
    left = sorted({*vpcs, *inside})
    if not left:
        return True
    found = [blocker for vpc_id in left for blocker in in_vpc(aws, owner, vpc_id)]
    return verdict(f"the VPC {' and '.join(left)} cannot be deleted yet", found)


def _own_subnets(aws: Aws, owner: Owner) -> list[Subnet]:
    parts = [owner.tags(f"subnet-{kind}-{index}") for kind in ROLE_TAG for index in range(MOST_ZONES)]
    return [subnet for tags in parts for subnet in aws.network.subnets(tags=tags)]


def _ensure_subnet(
    aws: Aws,
    owner: Owner,
    vpc_id: str,
    found: list[Subnet],
    kind: str,
    index: int,
    cidr: str,
    zone: str,
    cluster_name: str,
) -> str:
    resource = f"subnet-{kind}-{index}"
    subnet = _own_subnet(owner, found, resource)
    for_kubernetes = {ROLE_TAG[kind]: "1", f"kubernetes.io/cluster/{cluster_name}": "shared"}
    if subnet is None:
        _check_place(owner, found, cidr, resource)
        tags = owner.tags(resource, Name=f"{owner.installation}-{kind}-{zone}", **for_kubernetes)
        made = aws.network.make_subnet(vpc_id, cidr, zone, tags)
        if made is None:
            _check_range(owner, aws.network.subnets(vpc_id), cidr)
        subnet = until_seen(lambda: _own_subnet(owner, aws.network.subnets(vpc_id), resource), f"the subnet {cidr}")
    missing = {key: value for key, value in for_kubernetes.items() if subnet.tags.get(key) != value}
    if missing:
        noticed("tags", expected=missing, found={key: subnet.tags.get(key) for key in missing})
        aws.network.tag(subnet.id, missing)
    if kind == "public" and not subnet.public_ips:
        noticed("mapPublicIpOnLaunch", expected=True, found=False)
        aws.network.give_public_ips(subnet.id)
    return subnet.id


def _own_subnet(owner: Owner, found: list[Subnet], resource: str) -> Subnet | None:
    wanted = owner.tags(resource).items()
    return next((subnet for subnet in found if wanted <= subnet.tags.items()), None)


def _check_place(owner: Owner, found: list[Subnet], cidr: str, resource: str) -> None:
    """NAME_TAKEN when another subnet has the range."""
    for subnet in found:
        if subnet.cidr == cidr:
            raise lost(owner, resource, subnet.id, f"the subnet ({cidr})")


def _check_range(owner: Owner, found: list[Subnet], cidr: str) -> None:
    """AWS refused the range as used: by ourselves (fine) or by another's subnet (NAME_TAKEN)."""
    same = next((subnet for subnet in found if subnet.cidr == cidr), None)
    if same is None:
        raise PodiumError.by_user(
            Code.AWS_INVALID_REQUEST,
            f"the subnet range {cidr} overlaps another subnet of the VPC",
            "Choose other subnet ranges or remove that subnet, then retry.",
        )
    check_ours(owner, same.tags, f"the subnet {same.id} ({cidr})")


def _is_used(aws: Aws, vpc: Vpc) -> bool:
    return bool(aws.network.subnets(vpc.id))


def _with_id(found: list[T], wanted: str) -> list[T] | None:
    return found if any(one.id == wanted for one in found) else None
