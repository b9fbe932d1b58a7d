"""Who calls: the administrator's static token, or an EKS token (`aws eks get-token`).

An EKS token is `k8s-aws-v1.` and the base64url of a presigned STS GetCallerIdentity URL, signed together with the
header `x-k8s-aws-id: <cluster>`. As aws-iam-authenticator does, the URL is checked, called, and the ARN in the answer
looked up in the cluster's access entries. Source: sigs.k8s.io/aws-iam-authenticator/pkg/token/token.go.
"""

import base64
import hmac
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx2

from sandbox.kubernetes.errors import Unauthorized
from sandbox.kubernetes.settings import Settings

_PREFIX = "k8s-aws-v1."
_MAX_AGE = 15 * 60  # seconds
_CLOCK_SKEW = 5 * 60  # seconds a signature may lie in the future
_CACHE = 60.0  # seconds a verified token is remembered
_ASSUMED_ROLE = re.compile(r"^arn:([\w-]+):sts::(\d+):assumed-role/([^/]+)/.+$")
_REFUSED = "Unauthorized"


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller as RBAC would see it."""

    name: str
    groups: tuple[str, ...] = ()


ADMIN = Identity("kubernetes-admin", ("system:masters", "system:authenticated"))


class Authenticator:
    """Checks bearer tokens; everybody whom it lets in is a cluster administrator."""

    def __init__(self, settings: Settings, admin_token: str, client: httpx2.AsyncClient) -> None:
        self._settings = settings
        self._admin_token = admin_token
        self._client = client
        self._known: dict[str, tuple[float, Identity]] = {}

    async def identify(self, authorization: str | None) -> Identity:
        """The caller behind an Authorization header; raises Unauthorized."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized(_REFUSED)
        if hmac.compare_digest(token.encode(), self._admin_token.encode()):
            return ADMIN
        if not token.startswith(_PREFIX):
            raise Unauthorized(_REFUSED)
        return await self._eks(token)

    def is_admin(self, authorization: str | None) -> bool:
        """Whether the header carries the static token."""
        return hmac.compare_digest((authorization or "").encode(), f"Bearer {self._admin_token}".encode())

    async def _eks(self, token: str) -> Identity:
        expires, identity = self._known.get(token, (0.0, ADMIN))
        if expires > time.monotonic():
            return identity
        url = self._presigned_url(token)
        try:
            arn = await self._caller(url)
            principals = await self._principals()
        except httpx2.HTTPError as error:
            raise Unauthorized(_REFUSED) from error
        if arn not in principals and _role_of(arn) not in principals:
            raise Unauthorized(_REFUSED)
        identity = Identity(arn, ("system:masters", "system:authenticated"))
        self._remember(token, identity)
        return identity

    def _remember(self, token: str, identity: Identity) -> None:
        now = time.monotonic()
        self._known = {key: value for key, value in self._known.items() if value[0] > now}
        self._known[token] = now + _CACHE, identity

    def _presigned_url(self, token: str) -> str:
        """The URL in the token, if it may be called at all."""
        encoded = token.removeprefix(_PREFIX)
        try:
            url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
            parts, expected = urlsplit(url), urlsplit(self._settings.aws_endpoint)
            query = {key.lower(): values[0] for key, values in parse_qs(parts.query).items()}
            signed = datetime.strptime(query.get("x-amz-date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError as error:
            raise Unauthorized(_REFUSED) from error
        age = (datetime.now(UTC) - signed).total_seconds()
        good = (
            (parts.scheme, parts.netloc) == (expected.scheme, expected.netloc)
            and parts.path in ("", "/")
            and query.get("action") == "GetCallerIdentity"
            and "x-k8s-aws-id" in query.get("x-amz-signedheaders", "").split(";")
            and -_CLOCK_SKEW <= age <= _MAX_AGE
        )
        if not good:
            raise Unauthorized(_REFUSED)
        return url

    async def _caller(self, url: str) -> str:
        """The ARN that STS tells for the URL; the header was signed too, so another cluster's token fails."""
        headers = {"x-k8s-aws-id": self._settings.cluster, "accept": "application/json"}
        response = await self._client.get(url, headers=headers)
        try:
            result = response.raise_for_status().json()["GetCallerIdentityResponse"]["GetCallerIdentityResult"]
            return str(result["Arn"])
        except (ValueError, KeyError, TypeError) as error:
            raise Unauthorized(_REFUSED) from error

    async def _principals(self) -> list[str]:
        settings = self._settings
        response = await self._client.get(
            f"{settings.aws_endpoint}/_sandbox/clusters/{settings.cluster}/access",
            params={"region": settings.region, "account": settings.account},
        )
        principals: list[str] = response.raise_for_status().json()["principals"]
        return principals


def _role_of(arn: str) -> str:
    """The role behind an assumed-role session, as access entries name it."""
    found = _ASSUMED_ROLE.match(arn)
    return f"arn:{found[1]}:iam::{found[2]}:role/{found[3]}" if found else arn
