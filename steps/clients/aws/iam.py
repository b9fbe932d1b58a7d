"""IAM: roles with managed policies, OpenID Connect providers, and the simulator that preflight asks.

IAM names are unique in the account, so a second create of the same name is refused: `make_x` then returns None.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from steps.clients.aws.base import ServiceClient, Tolerate, tag_dict, tag_list, translated

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

EXISTS = "EntityAlreadyExists"
ABSENT = "NoSuchEntity"
CONFLICT = "DeleteConflict"
ASSUME = "sts:AssumeRole"


@dataclass(frozen=True)
class Role:
    """A role; `age` in seconds, since IAM needs some to make a new one known everywhere.

    `trusted`: the services that may assume it, without conditions.
    """

    name: str
    arn: str
    age: float
    tags: dict[str, str]
    trusted: tuple[str, ...]


@dataclass(frozen=True)
class InstanceProfile:
    """What hands a role to EC2 instances."""

    arn: str
    tags: dict[str, str]


@dataclass(frozen=True)
class Provider:
    """An OpenID Connect provider."""

    arn: str
    tags: dict[str, str]


@dataclass(frozen=True)
class Simulated:
    """What the policy simulator says of one action. `certain` is False when it lacked values of conditions."""

    action: str
    allowed: bool
    certain: bool


class Iam(ServiceClient):
    """Identity and Access Management."""

    service = "iam"

    @property
    def _api(self) -> "IAMClient":
        api: IAMClient = self.connection.client("iam")
        return api

    @translated
    def role(self, name: str) -> Role | None:
        with Tolerate(ABSENT):
            one = self._api.get_role(RoleName=name)["Role"]
            age = (datetime.now(UTC) - one["CreateDate"]).total_seconds()
            trusted = _trusted(one.get("AssumeRolePolicyDocument"))
            return Role(name, one["Arn"], age, tag_dict(one.get("Tags")), trusted)
        return None

    def age(self, role_arn: str) -> float | None:
        """Seconds since the role was made; None when there is none."""
        role = self.role(role_arn.rsplit("/", 1)[-1])
        return None if role is None else role.age

    @translated
    def make_role(self, name: str, trusted_service: str, description: str, tags: Mapping[str, str]) -> str | None:
        """ARN of the new role that `trusted_service` (e.g. eks.amazonaws.com) may assume; None: the name is taken."""
        with Tolerate(EXISTS):
            answer = self._api.create_role(
                RoleName=name,
                AssumeRolePolicyDocument=_trust(trusted_service),
                Description=description,
                Tags=tag_list(tags),
            )
            return answer["Role"]["Arn"]
        return None

    @translated
    def trust(self, role: str, service: str) -> None:
        """Let this service, and nobody else, assume the role."""
        self._api.update_assume_role_policy(RoleName=role, PolicyDocument=_trust(service))

    @translated
    def policies(self, role: str) -> list[str]:
        """ARNs of the managed policies attached to a role; none when there is no such role."""
        with Tolerate(ABSENT):
            pages = self._api.get_paginator("list_attached_role_policies").paginate(RoleName=role)
            return [one["PolicyArn"] for page in pages for one in page["AttachedPolicies"]]
        return []

    @translated
    def attach(self, role: str, policy_arn: str) -> None:
        self._api.attach_role_policy(RoleName=role, PolicyArn=policy_arn)

    @translated
    def inline_policies(self, role: str) -> list[str]:
        """Names of the policies that are written into a role (Podium writes none)."""
        with Tolerate(ABSENT):
            pages = self._api.get_paginator("list_role_policies").paginate(RoleName=role)
            return [name for page in pages for name in page["PolicyNames"]]
        return []

    @translated
    def instance_profiles(self, role: str) -> list[InstanceProfile]:
        """Those that hold a role."""
        with Tolerate(ABSENT):
            pages = self._api.get_paginator("list_instance_profiles_for_role").paginate(RoleName=role)
            return [
                InstanceProfile(one["Arn"], tag_dict(one.get("Tags")))
                for page in pages
                for one in page["InstanceProfiles"]
            ]
        return []

    @translated
    def delete_role(self, name: str) -> bool:
        """Detach its managed policies, then delete it; False when IAM refuses: something else of it is in use."""
        for policy_arn in self.policies(name):
            with Tolerate(ABSENT):
                self._api.detach_role_policy(RoleName=name, PolicyArn=policy_arn)
        with Tolerate(ABSENT, CONFLICT) as refused:
            self._api.delete_role(RoleName=name)
        return refused.code != CONFLICT

    @translated
    def provider(self, arn: str) -> Provider | None:
        with Tolerate(ABSENT):
            answer = self._api.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
            return Provider(arn, tag_dict(answer.get("Tags")))
        return None

    @translated
    def providers(self) -> list[str]:
        """ARNs of all OpenID Connect providers of the account."""
        answer = self._api.list_open_id_connect_providers()
        return [one["Arn"] for one in answer["OpenIDConnectProviderList"] if "Arn" in one]

    @translated
    def make_provider(self, issuer: str, tags: Mapping[str, str]) -> str | None:
        """ARN of the new provider; None: there is one of this issuer. IAM fetches the thumbprint itself."""
        with Tolerate(EXISTS):
            answer = self._api.create_open_id_connect_provider(
                Url=issuer,
                ClientIDList=["sts.amazonaws.com"],
                Tags=tag_list(tags),
            )
            return answer["OpenIDConnectProviderArn"]
        return None

    @translated
    def delete_provider(self, arn: str) -> None:
        with Tolerate(ABSENT):
            self._api.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)

    @translated
    def simulate(
        self, principal_arn: str, actions: list[str], resources: list[str], context: Mapping[str, str]
    ) -> list[Simulated]:
        """Whether the policies of a user or role allow these actions on these resources.

        `context`: values of condition keys, such as {"iam:PassedToService": "eks.amazonaws.com"}.
        """
        entries: list[Any] = [
            {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
            for key, value in context.items()
        ]
        pages = self._api.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=principal_arn, ActionNames=actions, ResourceArns=resources, ContextEntries=entries
        )
        return [
            Simulated(one["EvalActionName"], one["EvalDecision"] == "allowed", not one.get("MissingContextValues"))
            for page in pages
            for one in page["EvaluationResults"]
        ]


def _trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": ASSUME}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _trusted(document: Any) -> tuple[str, ...]:
    """botocore has decoded the document already; a lone statement, action or service may stand without a list."""
    found: list[str] = []
    for statement in _listed(document.get("Statement") if isinstance(document, dict) else None):
        principal = statement.get("Principal")
        plain = statement.get("Effect") == "Allow" and not statement.get("Condition") and isinstance(principal, dict)
        if plain and not {ASSUME, "sts:*", "*"}.isdisjoint(_listed(statement.get("Action"))):
            found += _listed(principal.get("Service"))
    return tuple(found)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
