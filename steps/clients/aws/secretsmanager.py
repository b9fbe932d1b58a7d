"""AWS Secrets Manager. Values pass through here and are never kept, logged or put into an error."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from steps.clients.aws.base import ServiceClient, Tolerate, tag_dict, tag_list, translated

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

ABSENT = "ResourceNotFoundException"
EXISTS = "ResourceExistsException"
MARKED_DELETED = "InvalidRequestException"


@dataclass(frozen=True)
class Secret:
    """A secret without its value. `deleted`: marked for deletion, no longer readable."""

    arn: str
    name: str
    deleted: bool
    tags: dict[str, str]


@dataclass(frozen=True)
class SecretValue:
    """One version of a secret; its text stays out of repr()."""

    arn: str
    version_id: str
    text: str = field(repr=False)


class SecretsManager(ServiceClient):
    """AWS Secrets Manager."""

    service = "secretsmanager"

    @property
    def _api(self) -> "SecretsManagerClient":
        api: SecretsManagerClient = self.connection.client("secretsmanager")
        return api

    @translated
    def secret(self, secret: str) -> Secret | None:
        """By name or ARN."""
        with Tolerate(ABSENT):
            one = self._api.describe_secret(SecretId=secret)
            return Secret(one["ARN"], one["Name"], "DeletedDate" in one, tag_dict(one.get("Tags")))
        return None

    @translated
    def value(self, secret: str, version_id: str | None = None) -> SecretValue | None:
        """The current (or this) version; None when secret or version is not there, or marked for deletion."""
        version: dict[str, Any] = {"VersionId": version_id} if version_id else {}
        with Tolerate(ABSENT, MARKED_DELETED):
            one = self._api.get_secret_value(SecretId=secret, **version)
            return SecretValue(one["ARN"], one["VersionId"], one.get("SecretString", ""))
        return None

    @translated
    def make(self, name: str, text: str, description: str, token: str, tags: Mapping[str, str]) -> str | None:
        """Version id (which is the token) of the new secret; None when the name is taken."""
        with Tolerate(EXISTS):
            answer = self._api.create_secret(
                Name=name,
                SecretString=text,
                Description=description,
                ClientRequestToken=token,
                Tags=tag_list(tags),
            )
            return answer["VersionId"]
        return None

    @translated
    def put(self, secret: str, text: str, token: str) -> str:
        """Version id of the new version, which becomes the current one."""
        return self._api.put_secret_value(SecretId=secret, SecretString=text, ClientRequestToken=token)["VersionId"]

    @translated
    def restore(self, secret: str) -> None:
        """Take back the mark for deletion."""
        self._api.restore_secret(SecretId=secret)

    @translated
    def named_under(self, prefix: str) -> list[Secret]:
        """Secrets whose name starts with `prefix`, also those marked for deletion. The list lags by minutes."""
        return [one for one in self._listed("name", prefix) if one.name.startswith(prefix)]

    @translated
    def with_tag_value(self, value: str) -> list[Secret]:
        """Secrets that have a tag of this value, also those marked for deletion. The list lags by minutes."""
        return [one for one in self._listed("tag-value", value) if value in one.tags.values()]

    @translated
    def delete(self, secret: str) -> None:
        """At once, without a recovery window: the name is free again and nothing is left behind."""
        with Tolerate(ABSENT):
            self._api.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)

    def _listed(self, key: Any, value: str) -> list[Secret]:
        pages = self._api.get_paginator("list_secrets").paginate(
            Filters=[{"Key": key, "Values": [value]}], IncludePlannedDeletion=True
        )
        return [
            Secret(one["ARN"], one["Name"], "DeletedDate" in one, tag_dict(one.get("Tags")))
            for page in pages
            for one in page["SecretList"]
        ]
