"""Who calls, as authentication tells and RBAC sees it."""

from dataclasses import dataclass

AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
SERVICE_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Identity:
    """A user with their groups."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""


ADMIN = Identity("kubernetes-admin", ("system:masters", AUTHENTICATED))
ANONYMOUS = Identity("system:anonymous", (UNAUTHENTICATED,))


def service_account(namespace: str, name: str, uid: str = "") -> Identity:
    """The identity of a ServiceAccount."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return Identity(f"{SERVICE_ACCOUNT}{namespace}:{name}", groups, uid)
