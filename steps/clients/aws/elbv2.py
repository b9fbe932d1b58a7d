"""Elastic Load Balancing v2: load balancers and target groups that Kubernetes controllers make."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from steps.clients.aws.base import ServiceClient, Tolerate, tag_dict, translated
from steps.clients.aws.elb import TAGS_AT_ONCE, Balancer

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client


@dataclass(frozen=True)
class TargetGroup:
    """A target group: what a listener forwards to."""

    arn: str
    vpc_id: str
    tags: dict[str, str]


class Balancers(ServiceClient):
    """Network and application load balancers."""

    service = "elbv2"

    @property
    def _api(self) -> "ElasticLoadBalancingv2Client":
        api: ElasticLoadBalancingv2Client = self.connection.client("elbv2")
        return api

    @translated
    def balancers(self) -> list[Balancer]:
        """All of the region."""
        pages = self._api.get_paginator("describe_load_balancers").paginate()
        found = {
            one.get("LoadBalancerArn", ""): (one.get("LoadBalancerName", ""), one.get("VpcId", ""))
            for page in pages
            for one in page["LoadBalancers"]
        }
        tags = self._tags(sorted(found))
        return [
            Balancer(name, arn, vpc_id, f"ELB {arn.partition('loadbalancer/')[2]}", tags.get(arn, {}))
            for arn, (name, vpc_id) in sorted(found.items())
        ]

    @translated
    def target_groups(self) -> list[TargetGroup]:
        """All of the region."""
        pages = self._api.get_paginator("describe_target_groups").paginate()
        found = {one.get("TargetGroupArn", ""): one.get("VpcId", "") for page in pages for one in page["TargetGroups"]}
        tags = self._tags(sorted(found))
        return [TargetGroup(arn, vpc_id, tags.get(arn, {})) for arn, vpc_id in sorted(found.items())]

    @translated
    def delete(self, arn: str) -> bool:
        """Whether it is on its way out; False when somebody switched on its deletion protection."""
        with Tolerate("LoadBalancerNotFound"):
            with Tolerate("OperationNotPermitted", "ResourceInUse") as refused:
                self._api.delete_load_balancer(LoadBalancerArn=arn)
            return refused.code is None
        return True

    @translated
    def delete_target_group(self, arn: str) -> bool:
        """Whether it is gone now; False while a listener uses it."""
        with Tolerate("ResourceInUse") as refused:
            self._api.delete_target_group(TargetGroupArn=arn)
        return refused.code is None

    def _tags(self, arns: list[str]) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for start in range(0, len(arns), TAGS_AT_ONCE):
            with Tolerate("LoadBalancerNotFound", "TargetGroupNotFound"):
                answer = self._api.describe_tags(ResourceArns=arns[start : start + TAGS_AT_ONCE])
                found |= {one.get("ResourceArn", ""): tag_dict(one.get("Tags")) for one in answer["TagDescriptions"]}
        return found
