"""EKS tokens (`aws eks get-token`) checked as aws-iam-authenticator does, and who is behind them.

A token is `k8s-aws-v1.` and the base64url of a presigned STS GetCallerIdentity URL, signed together with the header
`x-k8s-aws-id: <cluster>`. The URL is checked, called, and the ARN in the answer looked up in the cluster's access
entries. Source: sigs.k8s.io/aws-iam-authenticator/pkg/token/token.go. Shared by the stand-in's API server, which
asks in its own process, and by the webhook of a real one (sandbox/control_plane/authenticator.py).
"""

import base64
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from sandbox.kubernetes.settings import Settings

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
MAX_AGE = 15 * 60  # seconds
_CLOCK_SKEW = 5 * 60  # seconds a signature may lie in the future
_CACHE = 60.0  # seconds a verified token is remembered, unless it ends before
_ASSUMED_ROLE = re.compile(r"^arn:([\w-]+):sts::(\d+):assumed-role/([^/]+)/(.+)$")


class BadToken(Exception):
    """The token does not let anybody in; the message says why, without the token."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a token speaks for. `arn` as STS tells it, `principal` as access entries name it, `session` of a role.

    `username`, `groups` (kubernetesGroups) and `policies` (ARNs of access policies) are those of the access entry.
    """

    arn: str
    principal: str
    account: str
    user_id: str
    session: str
    username: str
    groups: tuple[str, ...]
    policies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Presigned:
    url: str
    age: float
    """Seconds since it was signed."""


class EksTokens:
    """The tokens of one cluster."""

    def __init__(self, settings: Settings, client: httpx2.AsyncClient) -> None:
        self._settings = settings
        self._client = client
        self._known: dict[str, tuple[float, Caller]] = {}

    async def caller(self, token: str) -> Caller:
        """Whom the token speaks for.

        Raises BadToken when it lets nobody in, httpx2.HTTPError when AWS cannot be asked.
        """
        expires, known = self._known.get(token, (0.0, None))
        if known is not None and expires > time.monotonic():
            return known
        presigned = self._presigned(token)
        caller = await self._entered(await self._identity(presigned.url))
        self._remember(token, caller, min(_CACHE, MAX_AGE - presigned.age))
        return caller

    def _remember(self, token: str, caller: Caller, seconds: float) -> None:
        now = time.monotonic()
        self._known = {key: value for key, value in self._known.items() if value[0] > now}
        self._known[token] = now + seconds, caller

    def _presigned(self, token: str) -> _Presigned:
        """The URL in the token, if it may be called at all."""
        if not token.startswith(PREFIX):
            raise BadToken(f"the token does not begin with {PREFIX}")
        encoded = token.removeprefix(PREFIX)
        try:
            url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
            parts = urlsplit(url)
            query = {key.lower(): values[0] for key, values in parse_qs(parts.query).items()}
            signed = datetime.strptime(query.get("x-amz-date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError as error:
            raise BadToken("the token is not a presigned URL with a date") from error
        expected = urlsplit(self._settings.aws_endpoint)
        if (parts.scheme, parts.netloc) != (expected.scheme, expected.netloc) or parts.path not in ("", "/"):
            raise BadToken("the URL in the token is not that of STS")
        if query.get("action") != "GetCallerIdentity":
            raise BadToken("the URL in the token does not ask for GetCallerIdentity")
        if CLUSTER_HEADER not in query.get("x-amz-signedheaders", "").split(";"):
            raise BadToken(f"the header {CLUSTER_HEADER} is not signed")
        age = (datetime.now(UTC) - signed).total_seconds()
        if not -_CLOCK_SKEW <= age <= MAX_AGE:
            raise BadToken(f"the token expired: it was signed at {signed:%H:%M:%S} UTC and is good for 15 minutes")
        return _Presigned(url, age)

    async def _identity(self, url: str) -> dict[str, Any]:
        """STS's GetCallerIdentityResult; the header was signed too, so another cluster's token fails."""
        headers = {CLUSTER_HEADER: self._settings.cluster, "accept": "application/json"}
        response = await self._client.get(url, headers=headers)
        if response.is_server_error:
            response.raise_for_status()
        try:
            result: dict[str, Any] = response.json()["GetCallerIdentityResponse"]["GetCallerIdentityResult"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadToken(f"STS does not accept the token (HTTP status {response.status_code})") from error
        if "Arn" not in result:
            raise BadToken("STS tells no ARN")
        return result

    async def _entered(self, identity: dict[str, Any]) -> Caller:
        """The caller with what its access entry says; raises BadToken when it has none."""
        arn = str(identity["Arn"])
        role = _ASSUMED_ROLE.match(arn)
        principal = f"arn:{role[1]}:iam::{role[2]}:role/{role[3]}" if role else arn
        entries = await self._entries()
        entry = entries.get(arn) or entries.get(principal)
        if entry is None:
            raise BadToken(f"the cluster has no access entry for {principal}")
        session, account = role[4] if role else "", str(identity.get("Account", ""))
        return Caller(
            arn=arn,
            principal=principal,
            account=account,
            user_id=str(identity.get("UserId", "")),
            session=session,
            username=_username(str(entry.get("username") or arn), account, session),
            groups=tuple(entry.get("kubernetesGroups") or ()),
            policies=tuple(entry.get("policies") or ()),
        )

    async def _entries(self) -> dict[str, dict[str, Any]]:
        settings = self._settings
        response = await self._client.get(
            f"{settings.aws_endpoint}/_sandbox/clusters/{settings.cluster}/access",
            params={"region": settings.region, "account": settings.account},
        )
        entries = response.raise_for_status().json()["entries"]
        return {entry["principalArn"]: entry for entry in entries}


def _username(template: str, account: str, session: str) -> str:
    """An access entry's username with its placeholders filled (EKS User Guide, "Create access entries")."""
    values = {"AccountID": account, "SessionName": session.replace("@", "-"), "SessionNameRaw": session}
    for name, value in values.items():
        template = template.replace("{{" + name + "}}", value)
    return template
