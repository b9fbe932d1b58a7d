"""get, list, create, update, delete and deletecollection of any resource."""

import base64
import json
from typing import Any

from starlette.responses import Response

from sandbox.kubernetes.api import bodies, tables
from sandbox.kubernetes.api.answers import answer, entry_bytes, in_version, list_bytes
from sandbox.kubernetes.api.context import Call
from sandbox.kubernetes.entry import Entry
from sandbox.kubernetes.errors import BadRequest, Invalid, NotFound, unsupported
from sandbox.kubernetes.selectors import Matcher, field_matcher, label_matcher

Object = dict[str, Any]
_RETURNED = frozenset({
    "pods", "services", "persistentvolumeclaims", "persistentvolumes", "resourcequotas", "serviceaccounts",
})  # fmt: skip
_POLICIES = ("Background", "Foreground", "Orphan")
_JOB_WARNING = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)


def matcher(call: Call) -> Matcher:
    """What labelSelector, fieldSelector and the path's name ask for."""
    tests = []
    if call.query.get("labelSelector"):
        tests.append(label_matcher(call.query["labelSelector"]))
    if call.query.get("fieldSelector"):
        tests.append(field_matcher(call.resource.key, call.query["fieldSelector"]))
    if call.target.name:
        tests.append(lambda obj: obj["metadata"]["name"] == call.name)
    return lambda obj: all(test(obj) for test in tests)


async def get(call: Call) -> Response:
    """One object."""
    entry = call.store.entry(call.resource.key, call.namespace, call.name)
    if tables.wanted(call.request):
        return answer(tables.table(call.resource, [entry.object], entry.object["metadata"]))
    return answer(entry_bytes(call.resource, call.target.version, entry))


async def list_objects(call: Call) -> Response:
    """The objects that match, at most `limit` of them, with a token to go on."""
    matches = matcher(call)
    entries = [entry for entry in call.store.entries(call.resource.key, call.namespace) if matches(entry.object)]
    meta: Object = {"resourceVersion": str(call.store.revision)}
    entries = _page(call, entries, meta)
    if tables.wanted(call.request):
        return answer(tables.table(call.resource, [entry.object for entry in entries], meta))
    return answer(list_bytes(call.resource, call.target.version, entries, meta))


def _page(call: Call, entries: list[Entry], meta: Object) -> list[Entry]:
    token, limit = call.query.get("continue"), call.integer("limit")
    if token:
        start = _read_token(token)
        entries = [entry for entry in entries if entry.key > start]
    if limit and limit < len(entries):
        meta["remainingItemCount"] = len(entries) - limit
        entries = entries[:limit]
        meta["continue"] = base64.urlsafe_b64encode(json.dumps(entries[-1].key).encode()).decode()
    return entries


def _read_token(token: str) -> tuple[str, str]:
    try:
        namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise BadRequest(f"continue key is not valid: {error}") from error
    return namespace, name


async def create(call: Call) -> Response:
    """A new object from the body: 201."""
    obj = bodies.checked(call, await bodies.read_object(call))
    created = call.store.create(call.resource.key, obj, field_manager=call.manager, dry_run=call.dry_run)
    return answer(in_version(call, created), 201, call.warnings)


async def update(call: Call) -> Response:
    """The object replaced by the body, or its status or finalizers on those paths."""
    obj = bodies.checked(call, await bodies.read_object(call))
    call.store.entry(call.resource.key, call.namespace, call.name)
    updated = call.store.update(
        call.resource.key,
        obj,
        subresource=call.target.subresource,
        field_manager=call.manager,
        dry_run=call.dry_run,
    )
    return answer(in_version(call, updated), 200, call.warnings)


async def delete(call: Call) -> Response:
    """The object deleted: its Status, or the object while it is still there (and always for a few kinds)."""
    options = await bodies.read_options(call)
    uid = call.store.entry(call.resource.key, call.namespace, call.name).object["metadata"]["uid"]
    obj, gone = _delete(call, options, call.namespace, call.name)
    if not gone or call.resource.key in _RETURNED:
        return answer(in_version(call, obj), 200, call.warnings)
    details = {"name": call.name, "group": call.resource.group, "kind": call.resource.plural, "uid": uid}
    details = {key: value for key, value in details.items() if value}
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    return answer(body, 200, call.warnings)


def _delete(call: Call, options: Object, namespace: str | None, name: str) -> tuple[Object, bool]:
    conditions = options.get("preconditions") or {}
    return call.store.delete(
        call.resource.key,
        namespace,
        name,
        propagation=_propagation(call, options),
        grace_seconds=_grace(call, options),
        preconditions_uid=conditions.get("uid"),
        preconditions_version=conditions.get("resourceVersion"),
        dry_run=call.dry_run or call.dry_run_of(options.get("dryRun") or []),
    )


def _propagation(call: Call, options: Object) -> str:
    """Background, but for jobs, whose pods stay unless the caller says otherwise."""
    policy = call.query.get("propagationPolicy") or options.get("propagationPolicy")
    orphan = options.get("orphanDependents", call.query.get("orphanDependents"))
    if policy is None and orphan is not None:
        policy = "Orphan" if str(orphan).lower() == "true" else "Background"
    if policy is None and call.resource.key == "jobs.batch":
        if _JOB_WARNING not in call.warnings:
            call.warnings.append(_JOB_WARNING)
        return "Orphan"
    if policy is not None and policy not in _POLICIES:
        cause = unsupported("propagationPolicy", policy, [*_POLICIES])
        raise Invalid("DeleteOptions.meta.k8s.io", "", [cause])
    return policy or "Background"


def _grace(call: Call, options: Object) -> int | None:
    given = options.get("gracePeriodSeconds")
    return given if isinstance(given, int) else call.integer("gracePeriodSeconds")


async def delete_collection(call: Call) -> Response:
    """Every object that matches deleted; answers with the list."""
    options = await bodies.read_options(call)
    matches = matcher(call)
    entries = [entry for entry in call.store.entries(call.resource.key, call.namespace) if matches(entry.object)]
    for entry in entries:
        namespace, name = entry.key
        try:
            _delete(call, options, namespace or None, name)
        except NotFound:
            continue  # deleted together with an earlier one
    meta = {"resourceVersion": str(call.store.revision)}
    return answer(list_bytes(call.resource, call.target.version, entries, meta), 200, call.warnings)
