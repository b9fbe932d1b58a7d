"""Checks of IPv4 ranges in the spec, worded for the person who typed them."""

import ipaddress


def network_of(field: str, cidr: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(cidr)
    except ValueError as error:
        raise ValueError(
            f"{field}: {cidr} is not an IPv4 range in CIDR form such as 192.168.0.0/16 ({error})"
        ) from error


def check_subnets(vpc: ipaddress.IPv4Network, cidrs: list[str]) -> None:
    ranges = [network_of("subnet", cidr) for cidr in cidrs]
    for index, one in enumerate(ranges):
        if not one.subnet_of(vpc):
            raise ValueError(f"subnet {one} is outside the VPC's range {vpc}; choose one within it")
        if one.prefixlen > 28:
            raise ValueError(f"subnet {one} is too small; AWS allows /16 to /28")
        for other in ranges[:index]:
            if one.overlaps(other):
                raise ValueError(f"subnets {other} and {one} overlap; choose ranges that do not")
