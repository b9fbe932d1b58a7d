"""RBAC as Kubernetes documents it, as far as Podium's rules need it: what a request asks for, and who may.

Source: Kubernetes documentation, "Authorization overview" (request attributes) and "Using RBAC Authorization".
"""

from collections.abc import Iterable
from urllib.parse import unquote

from steps.clients.kubernetes.permissions import Permission, Rule

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def asked_of(method: str, path: str) -> Permission:
    """What a request asks for, e.g. `get pods/log`; paths of resources only (/api/v1/…, /apis/GROUP/VERSION/…)."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    if rest[0] == "namespaces" and len(rest) > 2:
        rest = rest[2:]
    resource, name, subresource = rest[0], *(rest[1:2] or [""]), *(rest[2:3] or [""])
    verb = VERBS.get(method) or ("get" if name else "list")
    return Permission(verb, group, f"{resource}/{subresource}" if subresource else resource, name)


def created_by_apply(permission: Permission) -> Permission:
    """A server-side apply of what does not exist also asks for this."""
    return Permission("create", permission.group, permission.resource)


def allows(rules: Iterable[Rule], asked: Permission) -> bool:
    return any(_matches(rule, asked) for rule in rules)


def _matches(rule: Rule, asked: Permission) -> bool:
    return (
        _among(asked.verb, rule.verbs)
        and _among(asked.group, rule.groups)
        and (_among(asked.resource, rule.resources) or f"*/{asked.resource.partition('/')[2]}" in rule.resources)
        and (not rule.names or asked.name in rule.names)
    )


def _among(wanted: str, given: tuple[str, ...]) -> bool:
    return "*" in given or wanted in given
