"""The way out of the private subnets: an elastic IP, a NAT gateway, the private routes."""

from typing import Literal

from steps.blockers import Blocker, of_interfaces, verdict
from steps.clients.aws import Aws
from steps.clients.aws.ec2_nat import FAILED, GONE, USABLE, Address
from steps.names import Owner
from steps.network import associate, ensure_route_table
from steps.ownership import being_deleted, failed, is_part, lost
from steps.second_look import keep_one, until_seen
from steps.waiting import Blocked, Pending

PRIVATE_ROUTES = "routes-private"


def ensure_address(aws: Aws, owner: Owner, known_ip: str | None = None) -> str:
    """Allocation id of the NAT gateway's elastic IP.

    `known_ip`: the one that it had; NAME_TAKEN when that is still ours to use and has lost its tags.
    """

    def look() -> list[Address]:
        return aws.nat.addresses(owner.tags("nat-address"))

    found = look()
    if not found:
        for other in aws.nat.addresses() if known_ip else []:
            if other.public_ip == known_ip and not is_part(owner, "nat-address", other.tags):
                raise lost(owner, "nat-address", other.allocation_id, "the elastic IP")
        made = aws.nat.make_address(owner.tags("nat-address", Name=f"{owner.installation}-nat"))

        def look_for_made() -> list[Address] | None:
            now = look()
            return now if any(address.allocation_id == made for address in now) else None

        found = until_seen(look_for_made, f"the elastic IP {made}")
    kept = keep_one(
        found,
        lambda address: address.association_id is not None,
        lambda address: aws.nat.release_address(address.allocation_id),
    )
    return kept.allocation_id


def ensure_nat_gateway(aws: Aws, owner: Owner, subnet_id: str, allocation_id: str) -> str:
    """Id of the NAT gateway; one that failed is removed and made anew. NAME_TAKEN when the subnet has another one."""
    found = aws.nat.gateways(owner.tags("nat"))
    usable = [gateway for gateway in found if gateway.state in USABLE]
    if usable:
        return usable[0].id
    if any(gateway.state == "deleting" for gateway in found):
        raise being_deleted(f"the NAT gateway of {owner.installation}")
    for other in aws.nat.usable_in(subnet_id):
        if not is_part(owner, "nat", other.tags):
            raise lost(owner, "nat", other.id, "the NAT gateway")
    for gateway in found:
        if gateway.state == FAILED:
            aws.nat.delete_gateway(gateway.id)
    token = owner.client_token(f"nat/{subnet_id}/{len(found)}")
    return aws.nat.make_gateway(subnet_id, allocation_id, token, owner.tags("nat", Name=f"{owner.installation}-nat"))


def await_nat_gateway(aws: Aws, nat_id: str) -> dict[str, str] | Pending:
    """{nat_gateway_id, public_ip} once it is available."""
    gateway = aws.nat.gateway(nat_id)
    if gateway is None:
        return Pending("AWS does not show the NAT gateway yet")
    if gateway.state == "available":
        return {"nat_gateway_id": gateway.id, "public_ip": gateway.public_ip}
    if gateway.state == "pending":
        return Pending("the NAT gateway is pending")
    raise failed(f"the NAT gateway {nat_id}", (gateway.state, gateway.failure))


def ensure_private_routes(aws: Aws, owner: Owner, vpc_id: str, nat_id: str, subnet_ids: list[str]) -> str:
    """Id of the route table that sends the private subnets' traffic to the NAT gateway."""
    table = ensure_route_table(aws, owner, vpc_id, PRIVATE_ROUTES, subnet_ids)
    aws.network.route_everything(table, nat_id=nat_id)
    associate(aws, table, subnet_ids)
    return table.id


def delete_private_routes(aws: Aws, owner: Owner) -> None:
    """Delete them; `await_private_routes_deleted` tries again what AWS refuses."""
    for table in aws.network.route_tables(tags=owner.tags(PRIVATE_ROUTES)):
        aws.network.delete_route_table(table)


def await_private_routes_deleted(aws: Aws, owner: Owner) -> Literal[True] | Pending | Blocked:
    delete_private_routes(aws, owner)
    left = aws.network.route_tables(tags=owner.tags(PRIVATE_ROUTES))
    if not left:
        return True
    arn = aws.arn("ec2", f"route-table/{left[0].id}")
    why = "a gateway that Podium did not associate uses the route table"
    return verdict(f"the route table {left[0].id} cannot be deleted yet", [Blocker(arn, why, "somebody else")])


def delete_nat_gateway(aws: Aws, owner: Owner) -> None:
    """Begin to delete it; `await_nat_gateway_deleted` says when it has let go of address and subnet."""
    for gateway in aws.nat.gateways(owner.tags("nat")):
        if gateway.state not in (*GONE, "deleting"):
            aws.nat.delete_gateway(gateway.id)


def await_nat_gateway_deleted(aws: Aws, owner: Owner) -> Literal[True] | Pending:
    """True once it is gone. One that failed holds neither address nor interface, and AWS removes it within the hour."""
    delete_nat_gateway(aws, owner)
    left = [gateway for gateway in aws.nat.gateways(owner.tags("nat")) if gateway.state not in (*GONE, FAILED)]
    if not left:
        return True
    return Pending(f"the NAT gateway {left[0].id} is {left[0].state}")


def release_address(aws: Aws, owner: Owner) -> None:
    """Release it; `await_address_released` tries again what AWS refuses."""
    for address in aws.nat.addresses(owner.tags("nat-address")):
        aws.nat.release_address(address.allocation_id)


def await_address_released(aws: Aws, owner: Owner) -> Literal[True] | Pending | Blocked:
    """True once the elastic IP is released; blocked while somebody else's thing uses it."""
    release_address(aws, owner)
    left = aws.nat.addresses(owner.tags("nat-address"))
    if not left:
        return True
    users = [aws.interfaces.numbered(one.interface_id) for one in left if one.interface_id]
    found = of_interfaces(aws, owner, [user for user in users if user is not None])
    return verdict(f"the elastic IP {left[0].public_ip} cannot be released yet", found)
