"""Reviews: questions about access and identity, which are answered but never stored."""

from typing import Any

from starlette.responses import Response

from sandbox.kubernetes.api.answers import answer
from sandbox.kubernetes.api.context import Server
from sandbox.kubernetes.authorization.rules import Attributes
from sandbox.kubernetes.errors import Invalid, Unauthorized, invalid
from sandbox.kubernetes.identity import Identity
from sandbox.kubernetes.metadata import now

Object = dict[str, Any]
KINDS = {
    "selfsubjectaccessreviews": "SelfSubjectAccessReview",
    "selfsubjectrulesreviews": "SelfSubjectRulesReview",
    "subjectaccessreviews": "SubjectAccessReview",
    "localsubjectaccessreviews": "LocalSubjectAccessReview",
    "selfsubjectreviews": "SelfSubjectReview",
    "tokenreviews": "TokenReview",
}
GROUPS = {
    "authorization.k8s.io": (
        "localsubjectaccessreviews",
        "selfsubjectaccessreviews",
        "selfsubjectrulesreviews",
        "subjectaccessreviews",
    ),
    "authentication.k8s.io": ("selfsubjectreviews", "tokenreviews"),
}


async def review(server: Server, group: str, plural: str, body: Object, caller: Identity) -> Response:
    """201 with the review and its status."""
    spec = body.get("spec") or {}
    if plural == "selfsubjectreviews":
        status: Object = {"userInfo": _user(caller)}
    elif plural == "tokenreviews":
        status = await _token_status(server, spec)
    elif plural == "selfsubjectrulesreviews":
        status, spec = _rules_status(server, spec, caller), {}
    elif plural == "selfsubjectaccessreviews":
        status = _access_status(server, spec, caller)
    else:
        status = _access_status(server, spec, Identity(spec.get("user") or "", tuple(spec.get("groups") or ())))
    meta = {key: value for key, value in (body.get("metadata") or {}).items() if value}
    if plural == "selfsubjectreviews":
        meta["creationTimestamp"] = now()
    answered: Object = {"kind": KINDS[plural], "apiVersion": f"{group}/v1", "metadata": meta}
    if plural != "selfsubjectreviews":
        answered["spec"] = spec
    return answer(answered | {"status": status}, 201)


def _user(who: Identity) -> Object:
    return {"username": who.name} | ({"uid": who.uid} if who.uid else {}) | {"groups": list(who.groups)}


def _access_status(server: Server, spec: Object, who: Identity) -> Object:
    asked, path = spec.get("resourceAttributes") or {}, spec.get("nonResourceAttributes") or {}
    if bool(asked) == bool(path):
        text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise Invalid(".authorization.k8s.io", "", [invalid("spec.resourceAttributes", asked or None, text)])
    if path:
        attributes = Attributes(path.get("verb", ""), path=path.get("path", ""))
    else:
        resource, sub = asked.get("resource", ""), asked.get("subresource")
        attributes = Attributes(
            asked.get("verb", ""),
            asked.get("group", ""),
            f"{resource}/{sub}" if sub else resource,
            asked.get("namespace", ""),
            asked.get("name", ""),
        )
    reason = server.authorizer.reason(who, attributes)
    return {"allowed": server.authorizer.allowed(who, attributes)} | ({"reason": reason} if reason else {})


def _rules_status(server: Server, spec: Object, who: Identity) -> Object:
    rules = server.authorizer.rules(who, spec.get("namespace") or "default")
    return {
        "resourceRules": [rule for rule in rules if rule.get("resources")],
        "nonResourceRules": [rule for rule in rules if rule.get("nonResourceURLs")],
        "incomplete": False,
    }


async def _token_status(server: Server, spec: Object) -> Object:
    try:
        found = await server.authenticator.token(spec.get("token") or "")
    except Unauthorized:
        return {"user": {}, "error": "invalid bearer token"}
    return {"authenticated": True, "user": _user(found), "audiences": ["https://kubernetes.default.svc"]}
