"""Secrets that an installation keeps or refers to, in AWS Secrets Manager of its account and region.

What travels through workflows is a reference, `{"secret": ARN or name, "version_id": …, "json_key": …}` (the last two
may be absent or None); the value lives only within the step that uses it. A secret that exists is never made anew.
"""

import hmac
import json
import secrets
import uuid
from collections.abc import Mapping
from typing import Any, Literal

from steps.clients.aws import Aws
from steps.clients.aws.secretsmanager import Secret
from steps.errors import Code, PodiumError
from steps.names import TAG_INSTALLATION, Owner
from steps.ownership import check_ours, is_ours
from steps.second_look import until_seen
from steps.waiting import Pending

PASSWORD_BYTES = 24
"""24 random bytes are 32 URL-safe characters."""


class SecretStore:
    """AWS Secrets Manager as Podium uses it."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def put(self, name: str, value: str, tags: Mapping[str, str]) -> dict[str, str]:
        """Keep `value` under `name`; {secret: ARN, version_id}. The same value again gives the same version.

        `tags` are `owner.tags(…)`. Raises NAME_TAKEN for a secret of this name with other tags.
        """
        found = self._own(name, tags)
        if found is None:
            self._aws.secrets.make(name, value, "Kept by Podium", str(uuid.uuid4()), tags)
            found = until_seen(lambda: self._own(name, tags), f"the secret {name}")
        current = self._aws.secrets.value(found.arn)
        if current is None or not hmac.compare_digest(current.text.encode(), value.encode()):
            return {"secret": found.arn, "version_id": self._aws.secrets.put(found.arn, value, str(uuid.uuid4()))}
        return {"secret": current.arn, "version_id": current.version_id}

    def get(self, reference: Mapping[str, Any]) -> str:
        """The value. Raises SECRET_NOT_FOUND when secret, version or key is not there."""
        secret, key = str(reference["secret"]), reference.get("json_key")
        found = self._aws.secrets.value(secret, reference.get("version_id"))
        if found is None:
            raise _not_found(f"there is no secret {secret} in AWS Secrets Manager of {self._aws.region}")
        return found.text if key is None else _within(found.text, str(key), secret)

    def exists(self, reference: Mapping[str, Any]) -> bool:
        try:
            self.get(reference)
        except PodiumError as error:
            if error.code is not Code.SECRET_NOT_FOUND:
                raise
            return False
        return True

    def _own(self, name: str, tags: Mapping[str, str]) -> Secret | None:
        """The secret of this name, its deletion taken back. Raises NAME_TAKEN when it is another's."""
        found = self._aws.secrets.secret(name)
        if found is None:
            return None
        check_ours(Owner(tags[TAG_INSTALLATION], ""), found.tags, f"the secret {name}")
        if found.deleted:
            self._aws.secrets.restore(found.arn)
        return found


def ensure_password(aws: Aws, owner: Owner, purpose: str) -> dict[str, str]:
    """{secret, version_id} of a random password of 32 URL-safe characters; one that exists is kept as it is."""
    name, tags = owner.names.secret(purpose), owner.tags(f"secret-{purpose}")
    store = SecretStore(aws)
    found = store._own(name, tags)
    current = aws.secrets.value(found.arn) if found else None
    if current is None:
        return store.put(name, secrets.token_urlsafe(PASSWORD_BYTES), tags)
    return {"secret": current.arn, "version_id": current.version_id}


def delete_secrets(aws: Aws, owner: Owner, purposes: tuple[str, ...] = ()) -> None:
    """Delete the installation's secrets. `purposes`: also those that the list may not show yet.

    Secrets Manager's list lags by up to five minutes, looking by name does not. They go without a recovery window, also
    when the data is kept: within one, the names would be taken, and a person would find the licence key of something
    that is gone. A snapshot needs none of them: RDS gives a restored instance a new master password, and the SQL Job of
    the next install sets those of the two roles.
    """
    for secret in own_secrets(aws, owner, purposes):
        aws.secrets.delete(secret.arn)


def await_secrets_deleted(aws: Aws, owner: Owner, purposes: tuple[str, ...] = ()) -> Literal[True] | Pending:
    """True once they are gone: AWS deletes them in the background (Secrets Manager API, DeleteSecret)."""
    left = own_secrets(aws, owner, purposes)
    for secret in left:
        aws.secrets.delete(secret.arn)
    return Pending(f"AWS is deleting the secret {left[0].name}") if left else True


def own_secrets(aws: Aws, owner: Owner, purposes: tuple[str, ...] = ()) -> list[Secret]:
    """The installation's secrets that are there, also those that somebody marked for deletion."""
    listed = {secret.name for secret in aws.secrets.named_under(owner.names.secret(""))}
    names = sorted(listed | {owner.names.secret(purpose) for purpose in purposes})
    found = [aws.secrets.secret(name) for name in names]
    return [one for one in found if one is not None and is_ours(owner, one.tags)]


def _within(text: str, key: str, secret: str) -> str:
    """The value of `key` in a JSON object; its text is never part of an error."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not isinstance(value.get(key), str | int | float):
        raise _not_found(f"the secret {secret} has no key {key}: its value is not a JSON object with it")
    return str(value[key])


def _not_found(message: str) -> PodiumError:
    return PodiumError.by_user(
        Code.SECRET_NOT_FOUND, message, "Create it, or correct the reference in the installation spec, then retry."
    )
