"""get, list, create, update, delete and deletecollection of any resource."""

from typing import Any

from starlette.responses import Response

from sandbox.kubernetes.api import bodies, tables
from sandbox.kubernetes.api.answers import answer, entry_bytes, in_version, list_bytes
from sandbox.kubernetes.api.context import Call, dry_run_causes
from sandbox.kubernetes.api.pages import check_list_options, matcher, page
from sandbox.kubernetes.api.warnings import add_for
from sandbox.kubernetes.errors import Invalid, NotFound, invalid, unsupported

Object = dict[str, Any]
_RETURNED = frozenset({
    "pods", "services", "persistentvolumeclaims", "persistentvolumes", "resourcequotas", "serviceaccounts",
})  # fmt: skip
_POLICIES = ("Background", "Foreground", "Orphan")
_JOB_WARNING = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)


async def get(call: Call) -> Response:
    """One object."""
    entry = call.store.entry(call.resource.key, call.namespace, call.name)
    if tables.wanted(call.request):
        return answer(tables.table(call.resource, [entry.object], entry.object["metadata"]))
    return answer(entry_bytes(call.resource, call.target.version, entry), warnings=call.warnings)


async def list_objects(call: Call) -> Response:
    """The objects that match, at most `limit` of them, with a token to go on."""
    check_list_options(call)
    meta: Object = {}
    entries = page(call, meta)
    if tables.wanted(call.request):
        return answer(tables.table(call.resource, [entry.object for entry in entries], meta), warnings=call.warnings)
    return answer(list_bytes(call.resource, call.target.version, entries, meta), warnings=call.warnings)


async def create(call: Call) -> Response:
    """A new object from the body: 201."""
    obj = bodies.checked(call, await bodies.read_object(call))
    key, manager = call.resource.key, call.manager
    created = call.write(lambda dry_run: call.store.create(key, obj, field_manager=manager, dry_run=dry_run))
    add_for(call, created)
    return answer(in_version(call, created), 201, call.warnings)


async def update(call: Call) -> Response:
    """The object replaced by the body, or its status or finalizers on those paths."""
    obj = bodies.checked(call, await bodies.read_object(call))
    call.store.entry(call.resource.key, call.namespace, call.name)
    if call.resource.versioned_updates and not obj["metadata"].get("resourceVersion"):
        cause = invalid("metadata.resourceVersion", 0, "must be specified for an update")
        raise Invalid(call.resource.key, call.name, [cause])
    updated = write_update(call, obj)
    return answer(in_version(call, updated), 200, call.warnings)


def write_update(call: Call, obj: Object) -> Object:
    """The object replaced by `obj`, or its subresource."""
    key, sub, manager = call.resource.key, call.target.subresource, call.manager
    updated = call.write(
        lambda dry_run: call.store.update(key, obj, subresource=sub, field_manager=manager, dry_run=dry_run)
    )
    add_for(call, updated)
    return updated


async def delete(call: Call) -> Response:
    """The object deleted: its Status, or the object while it is still there (and always for a few kinds)."""
    options = await bodies.read_options(call)
    _check_options(call, options)
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
        dry_run=call.dry_run or bool(options.get("dryRun")),
    )


def _check_options(call: Call, options: Object) -> None:
    """Raises Invalid for a propagation or dry run that there is not."""
    given = {key: options.get(key, call.query.get(key)) for key in ("propagationPolicy", "orphanDependents")}
    policy, causes = given["propagationPolicy"], dry_run_causes(options.get("dryRun") or [])
    if policy is not None and given["orphanDependents"] is not None:
        text = "orphanDependents and deletionPropagation cannot be both set"
        causes.append(invalid("propagationPolicy", policy, text))
    elif policy is not None and policy not in _POLICIES:
        causes.append(unsupported("propagationPolicy", policy, ["Foreground", "Background", "Orphan", "nil"]))
    if causes:
        raise Invalid("DeleteOptions.meta.k8s.io", "", causes)


def _propagation(call: Call, options: Object) -> str:
    """Background, but for jobs, whose pods stay unless the caller says otherwise."""
    policy = options.get("propagationPolicy") or call.query.get("propagationPolicy")
    orphan = options.get("orphanDependents", call.query.get("orphanDependents"))
    if policy is None and orphan is not None:
        policy = "Orphan" if str(orphan).lower() == "true" else "Background"
    if policy is None and call.resource.key == "jobs.batch":
        if _JOB_WARNING not in call.warnings:
            call.warnings.append(_JOB_WARNING)
        return "Orphan"
    return policy or "Background"


def _grace(call: Call, options: Object) -> int | None:
    given = options.get("gracePeriodSeconds")
    return given if isinstance(given, int) else call.integer("gracePeriodSeconds")


async def delete_collection(call: Call) -> Response:
    """Every object that matches deleted; answers with the list."""
    options = await bodies.read_options(call)
    _check_options(call, options)
    check_list_options(call)
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
