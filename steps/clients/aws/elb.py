"""Elastic Load Balancing, classic: what Kubernetes makes for Services of type LoadBalancer. Podium makes none itself.

`Balancer` is what both APIs (this and `elbv2.py`) give; a balancer's ARN is its identity in both.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from steps.clients.aws.base import ServiceClient, Tolerate, tag_dict, translated

if TYPE_CHECKING:
    from mypy_boto3_elb import ElasticLoadBalancingClient

TAGS_AT_ONCE = 20
"""How many names or ARNs DescribeTags takes."""


@dataclass(frozen=True)
class Balancer:
    """A load balancer. `interface` is how its network interfaces' descriptions begin (or all they say)."""

    name: str
    arn: str
    vpc_id: str
    interface: str
    tags: dict[str, str]


class ClassicBalancers(ServiceClient):
    """Classic load balancers."""

    service = "elb"

    @property
    def _api(self) -> "ElasticLoadBalancingClient":
        api: ElasticLoadBalancingClient = self.connection.client("elb")
        return api

    @translated
    def balancers(self, arn_prefix: str) -> list[Balancer]:
        """All of the region. Their API knows no ARNs: `arn_prefix` is everything before the name."""
        pages = self._api.get_paginator("describe_load_balancers").paginate()
        found = {
            one["LoadBalancerName"]: one.get("VPCId", "") for page in pages for one in page["LoadBalancerDescriptions"]
        }
        tags = self._tags(sorted(found))
        return [
            Balancer(name, f"{arn_prefix}{name}", vpc_id, f"ELB {name}", tags.get(name, {}))
            for name, vpc_id in sorted(found.items())
        ]

    @translated
    def delete(self, name: str) -> bool:
        """Gone from the API at once (or before); its network interfaces follow within minutes."""
        self._api.delete_load_balancer(LoadBalancerName=name)
        return True

    def _tags(self, names: list[str]) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for start in range(0, len(names), TAGS_AT_ONCE):
            with Tolerate("LoadBalancerNotFound"):
                answer = self._api.describe_tags(LoadBalancerNames=names[start : start + TAGS_AT_ONCE])
                found |= {
                    one.get("LoadBalancerName", ""): tag_dict(one.get("Tags")) for one in answer["TagDescriptions"]
                }
        return found
