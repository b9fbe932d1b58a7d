"""Who calls: the administrator's static token, an EKS token (sandbox/kubernetes/eks_tokens.py), a ServiceAccount's
token, nobody (anonymous), or whom one of these impersonates.
"""

import hmac
import os
from dataclasses import replace

import httpx2
from starlette.datastructures import Headers

from sandbox.kubernetes.authorization.rbac import MASTERS, Authorizer
from sandbox.kubernetes.authorization.rules import Attributes
from sandbox.kubernetes.eks_tokens import PREFIX, BadToken, EksTokens
from sandbox.kubernetes.errors import InternalError, Unauthorized
from sandbox.kubernetes.identity import (
    ADMIN,
    ANONYMOUS,
    AUTHENTICATED,
    SERVICE_ACCOUNT,
    UNAUTHENTICATED,
    Identity,
    service_account,
)
from sandbox.kubernetes.service_account_tokens import Tokens
from sandbox.kubernetes.settings import Settings

_REFUSED = "Unauthorized"
_ADMIN_POLICY = "AmazonEKSClusterAdminPolicy"
_ADMIN_GROUP = "SANDBOX_EKS_ADMIN_GROUP"  # the variable that the real server's webhook reads, too


class Authenticator:
    """Checks bearer tokens and impersonation."""

    def __init__(
        self,
        settings: Settings,
        admin_token: str,
        client: httpx2.AsyncClient,
        authorizer: Authorizer,
        accounts: Tokens,
    ) -> None:
        self._admin_token = admin_token
        self._tokens = EksTokens(settings, client)
        self._accounts = accounts
        self._authorizer = authorizer
        self._admin_group = os.environ.get(_ADMIN_GROUP) or MASTERS

    async def identify(self, headers: Headers) -> Identity:
        """The caller behind a request's headers; raises Unauthorized or Forbidden (impersonation)."""
        caller = await self._bearer(headers.get("authorization"))
        return self._impersonated(caller, headers)

    async def _bearer(self, authorization: str | None) -> Identity:
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return ANONYMOUS
        return await self.token(token.strip())

    async def token(self, token: str) -> Identity:
        """Whose token it is; raises Unauthorized."""
        if hmac.compare_digest(token.encode(), self._admin_token.encode()):
            return ADMIN
        if token.startswith(PREFIX):
            return await self._eks(token)
        found = self._accounts.identity(token)
        if found is None:
            raise Unauthorized(_REFUSED)
        return found

    def is_admin(self, authorization: str | None) -> bool:
        """Whether the header carries the static token."""
        return hmac.compare_digest((authorization or "").encode(), f"Bearer {self._admin_token}".encode())

    async def _eks(self, token: str) -> Identity:
        """The access entry's user and groups; EKS's administrator policy counts as a group that may do all."""
        try:
            caller = await self._tokens.caller(token)
        except (BadToken, httpx2.HTTPError) as error:
            raise Unauthorized(_REFUSED) from error
        admin = any(policy.rpartition("/")[2] == _ADMIN_POLICY for policy in caller.policies)
        groups = (*caller.groups, *([self._admin_group] if admin else []), AUTHENTICATED)
        return Identity(caller.username, groups)

    def _impersonated(self, caller: Identity, headers: Headers) -> Identity:
        """Whom the caller wants to be, if it may (Impersonate-User, Impersonate-Group)."""
        user, groups = headers.get("impersonate-user", ""), headers.getlist("impersonate-group")
        if not user:
            if groups:
                raise InternalError("Internal error occurred: requested groups without impersonating a user")
            return caller
        for asked in [_user_attributes(user), *(Attributes("impersonate", "", "groups", "", name) for name in groups)]:
            self._authorizer.require(caller, asked)
        if user == ANONYMOUS.name:
            return ANONYMOUS
        if user.startswith(SERVICE_ACCOUNT) and not groups:
            namespace, _, name = user.removeprefix(SERVICE_ACCOUNT).partition(":")
            return service_account(namespace, name)
        if AUTHENTICATED not in groups and UNAUTHENTICATED not in groups:
            groups = [*groups, AUTHENTICATED]
        return replace(ANONYMOUS, name=user, groups=tuple(groups))


def _user_attributes(user: str) -> Attributes:
    if user.startswith(SERVICE_ACCOUNT):
        namespace, _, name = user.removeprefix(SERVICE_ACCOUNT).partition(":")
        return Attributes("impersonate", "", "serviceaccounts", namespace, name)
    return Attributes("impersonate", "", "users", "", user)
