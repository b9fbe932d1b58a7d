"""EC2: security groups and their rules. A group's name is unique in its VPC, a rule in its group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steps.clients.aws.base import ServiceClient, Tolerate, tag_dict, tag_filters, tag_list, translated
from steps.noticing import noticed

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

IN_USE = "DependencyViolation"
NO_RULE = ("InvalidSecurityGroupRuleId.NotFound", "InvalidPermission.NotFound", "InvalidGroup.NotFound")


@dataclass(frozen=True)
class SecurityGroup:
    """A security group."""

    id: str
    name: str
    vpc_id: str
    tags: dict[str, str]


class SecurityGroups(ServiceClient):
    """Security groups."""

    service = "ec2"

    @property
    def _api(self) -> "EC2Client":
        api: EC2Client = self.connection.client("ec2")
        return api

    @translated
    def named(self, name: str, vpc_id: str | None = None) -> list[SecurityGroup]:
        filters: list[Any] = [{"Name": "group-name", "Values": [name]}]
        if vpc_id:
            filters.append({"Name": "vpc-id", "Values": [vpc_id]})
        return self._found(filters)

    @translated
    def tagged(self, tags: Mapping[str, str]) -> list[SecurityGroup]:
        return self._found(tag_filters(tags))

    @translated
    def make(self, name: str, vpc_id: str, description: str, tags: Mapping[str, str]) -> str | None:
        """The new group's id, or None when the VPC has one of this name already."""
        with Tolerate("InvalidGroup.Duplicate"):
            answer = self._api.create_security_group(
                GroupName=name,
                VpcId=vpc_id,
                Description=description,
                TagSpecifications=[{"ResourceType": "security-group", "Tags": tag_list(tags)}],
            )
            return answer["GroupId"]
        return None

    @translated
    def allow(self, group_id: str, port: int, source_group_id: str, tags: Mapping[str, str]) -> str:
        """Let TCP `port` in from another group; the rule's id, whether made now or there already."""
        there = self._rule_id(group_id, port, source_group_id)
        if there:
            return there
        noticed("ingress", expected=f"tcp {port} from {source_group_id}", found=None)
        with Tolerate("InvalidPermission.Duplicate"):
            self._api.authorize_security_group_ingress(
                GroupId=group_id,
                IpPermissions=[
                    {
                        "IpProtocol": "tcp",
                        "FromPort": port,
                        "ToPort": port,
                        "UserIdGroupPairs": [{"GroupId": source_group_id, "Description": "from the cluster"}],
                    }
                ],
                TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": tag_list(tags)}],
            )
        return self._rule_id(group_id, port, source_group_id)

    @translated
    def forbid_all(self, group_id: str) -> None:
        """Remove every rule by which another group may come in."""
        answer = self._api.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group_id]}])
        rules = [one.get("SecurityGroupRuleId", "") for one in answer["SecurityGroupRules"] if not one.get("IsEgress")]
        if rules:
            with Tolerate(*NO_RULE):
                self._api.revoke_security_group_ingress(GroupId=group_id, SecurityGroupRuleIds=rules)

    @translated
    def delete(self, group_id: str) -> bool:
        """Whether it is gone now; False while an interface has it or another group's rule names it."""
        with Tolerate("InvalidGroup.NotFound", "InvalidGroupId.Malformed", IN_USE) as refused:
            self._api.delete_security_group(GroupId=group_id)
        return refused.code != IN_USE

    @translated
    def naming(self, group_id: str) -> list[SecurityGroup]:
        """The other groups whose rules let this one in or out."""
        found: dict[str, SecurityGroup] = {}
        for name in ("ip-permission.group-id", "egress.ip-permission.group-id"):
            found |= {one.id: one for one in self._found([{"Name": name, "Values": [group_id]}])}
        return [one for one in found.values() if one.id != group_id]

    @translated
    def forget_groups(self, group_id: str) -> None:
        """Remove the group's rules, in and out, that name a group (another, or itself)."""
        answer = self._api.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group_id]}])
        rules = [one for one in answer["SecurityGroupRules"] if one.get("ReferencedGroupInfo")]
        inward = [one.get("SecurityGroupRuleId", "") for one in rules if not one.get("IsEgress")]
        outward = [one.get("SecurityGroupRuleId", "") for one in rules if one.get("IsEgress")]
        with Tolerate(*NO_RULE):
            if inward:
                self._api.revoke_security_group_ingress(GroupId=group_id, SecurityGroupRuleIds=inward)
        with Tolerate(*NO_RULE):
            if outward:
                self._api.revoke_security_group_egress(GroupId=group_id, SecurityGroupRuleIds=outward)

    @translated
    def rules(self, tags: Mapping[str, str]) -> list[str]:
        """Ids of the rules with these tags."""
        pages = self._api.get_paginator("describe_security_group_rules").paginate(Filters=tag_filters(tags))
        return [one.get("SecurityGroupRuleId", "") for page in pages for one in page["SecurityGroupRules"]]

    def _rule_id(self, group_id: str, port: int, source_group_id: str) -> str:
        answer = self._api.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group_id]}])
        for rule in answer["SecurityGroupRules"]:
            source = rule.get("ReferencedGroupInfo", {}).get("GroupId")
            if not rule.get("IsEgress") and rule.get("FromPort") == port and source == source_group_id:
                return rule.get("SecurityGroupRuleId", "")
        return ""

    def _found(self, filters: list[Any]) -> list[SecurityGroup]:
        pages = self._api.get_paginator("describe_security_groups").paginate(Filters=filters)
        found = [
            SecurityGroup(one["GroupId"], one["GroupName"], one.get("VpcId", ""), tag_dict(one.get("Tags")))
            for page in pages
            for one in page["SecurityGroups"]
        ]
        return sorted(found, key=lambda group: group.id)
