"""Who calls: the administrator's static token, or an EKS token (see sandbox/kubernetes/eks_tokens.py)."""

import hmac
from dataclasses import dataclass

import httpx2

from sandbox.kubernetes.eks_tokens import BadToken, EksTokens
from sandbox.kubernetes.errors import Unauthorized
from sandbox.kubernetes.settings import Settings

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
        self._admin_token = admin_token
        self._tokens = EksTokens(settings, client)

    async def identify(self, authorization: str | None) -> Identity:
        """The caller behind an Authorization header; raises Unauthorized."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized(_REFUSED)
        if hmac.compare_digest(token.encode(), self._admin_token.encode()):
            return ADMIN
        return await self._eks(token)

    def is_admin(self, authorization: str | None) -> bool:
        """Whether the header carries the static token."""
        return hmac.compare_digest((authorization or "").encode(), f"Bearer {self._admin_token}".encode())

    async def _eks(self, token: str) -> Identity:
        """A caller whose access entry gives it nothing stays outside: without RBAC, entering is being administrator."""
        try:
            caller = await self._tokens.caller(token)
        except (BadToken, httpx2.HTTPError) as error:
            raise Unauthorized(_REFUSED) from error
        if not caller.policies and not caller.groups:
            raise Unauthorized(_REFUSED)
        return Identity(caller.username, ("system:masters", "system:authenticated"))
