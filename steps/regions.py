"""AWS regions, from botocore's own endpoint data: no network, so a misspelt region is found before any call."""

import difflib
from functools import cache

import botocore.session


@cache
def all_regions() -> frozenset[str]:
    """Codes of all regions with EKS, over all partitions."""
    session = botocore.session.Session()
    return frozenset(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("eks", partition)
    )


def is_region(region: str) -> bool:
    return region in all_regions()


def closest_regions(region: str) -> str:
    """Up to three regions that look alike, for an error message."""
    return ", ".join(difflib.get_close_matches(region, sorted(all_regions()), n=3, cutoff=0.3)) or "us-west-2"
