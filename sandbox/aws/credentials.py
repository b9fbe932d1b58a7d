"""Who calls: the sandbox's own keys, keys made in the sandbox's IAM and STS, and nobody else.

Gap: moto takes any access key for account 123456789012. AWS answers an unknown one with InvalidClientTokenId,
UnrecognizedClientException or AuthFailure by protocol, an expired one with ExpiredToken and its like (IAM User Guide,
"Troubleshoot IAM"; EC2 API Reference, "Error codes"; STS API Reference, "Common error types").
"""

import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.aws.errors import JSON_SERVICES, REST_JSON_SERVICES, AwsError
from sandbox.files import read_json, write_json

ACCOUNT = "123456789012"
INTERNAL_KEY = "AKIASANDBOXINTERNAL0"
"""Used by the sandbox's own controllers (load balancers of Services)."""
INTERNAL_SECRET = "sandbox-internal"  # noqa: S105 - stands for no real secret


@dataclass(frozen=True)
class OwnCredentials:
    """The key pair that the sandbox gives its user, as in sandbox.env."""

    access_key: str
    secret_key: str


def own_credentials(home: Path) -> OwnCredentials:
    """The key pair of this sandbox, made on first use and kept in HOME/aws/credentials.json (mode 0600)."""
    path = home / "aws" / "credentials.json"
    stored = read_json(path, None)
    if stored is None:
        key = "AKIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))
        stored = {"access_key": key, "secret_key": secrets.token_urlsafe(30)}
        write_json(path, stored)
    return OwnCredentials(stored["access_key"], stored["secret_key"])


@dataclass(frozen=True)
class Identity:
    """What GetCallerIdentity says."""

    account: str
    arn: str
    user_id: str


@dataclass
class Credentials:
    """Known access keys. `states` (access key to valid or expired) is set by the control API and kept."""

    own: OwnCredentials
    states: dict[str, str] = field(default_factory=dict)

    def identify(self, service: str, access_key: str) -> Identity:
        """Who holds `access_key`; raises AwsError in the words of `service` when it is missing, unknown or expired."""
        if not access_key:
            raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        identity = self._find(access_key)
        if identity is None:
            raise unknown_key(service)
        if self.states.get(access_key) == "expired":
            raise expired_key(service)
        return identity

    def secret_key(self, access_key: str) -> str | None:
        """The secret key of a key that `identify` knows; None for one that only the control API has made up."""
        if access_key == INTERNAL_KEY:
            return INTERNAL_SECRET
        if access_key == self.own.access_key:
            return self.own.secret_key
        return None if self.states.get(access_key) else _secret_in_moto(access_key)

    def _find(self, access_key: str) -> Identity | None:
        if access_key == INTERNAL_KEY:
            return Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/sandbox-internal", "AIDASANDBOXINTERNAL0")
        if access_key == self.own.access_key or self.states.get(access_key):
            return Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/podium", "AIDA" + access_key[4:])
        return _made_in_moto(access_key)


def _made_in_moto(access_key: str) -> Identity | None:
    """Keys of CreateAccessKey and AssumeRole; imported here because loading moto takes seconds."""
    from moto.iam.models import iam_backends  # noqa: PLC0415
    from moto.sts.models import sts_backends  # noqa: PLC0415

    for account, partitions in list(iam_backends.items()):
        if access_key in partitions["aws"].access_keys:
            user, arn, owner = sts_backends[account]["aws"].get_caller_identity(access_key, "us-east-1")
            return Identity(owner, arn, user)
    return None


def _secret_in_moto(access_key: str) -> str | None:
    from moto.iam.models import iam_backends  # noqa: PLC0415
    from moto.sts.models import sts_backends  # noqa: PLC0415

    for partitions in list(sts_backends.values()):
        role = partitions["aws"].get_assumed_role_from_access_key(access_key)
        if role is not None:
            return str(role.secret_access_key)
    for partitions in list(iam_backends.values()):
        if access_key in partitions["aws"].access_keys:
            return str(partitions["aws"].access_keys[access_key].secret_access_key)
    return None


def unknown_key(service: str) -> AwsError:
    if service == "ec2":
        message = "AWS was not able to validate the provided access credentials"
        return AwsError("AuthFailure", message, 401)
    if service == "s3":
        return AwsError("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403)
    message = "The security token included in the request is invalid."
    if service in JSON_SERVICES or service in REST_JSON_SERVICES:
        return AwsError("UnrecognizedClientException", message, 403 if service in REST_JSON_SERVICES else 400)
    return AwsError("InvalidClientTokenId", message, 403)


def expired_key(service: str) -> AwsError:
    if service == "ec2":
        return AwsError("RequestExpired", "Request has expired.", 400)
    message = "The security token included in the request is expired"
    if service in JSON_SERVICES or service in REST_JSON_SERVICES:
        return AwsError("ExpiredTokenException", message, 403 if service in REST_JSON_SERVICES else 400)
    return AwsError("ExpiredToken", message, 403)


def access_denied(service: str, operation: str, arn: str) -> AwsError:
    message = f"User: {arn} is not authorized to perform: {service}:{operation}"
    if service == "ec2":
        return AwsError("UnauthorizedOperation", f"You are not authorized to perform this operation. {message}", 403)
    if service in JSON_SERVICES or service in REST_JSON_SERVICES:
        return AwsError("AccessDeniedException", message, 403 if service in REST_JSON_SERVICES else 400)
    return AwsError("AccessDenied", message, 403)
