"""The patch verb: JSON patch, merge patch, strategic merge patch and server-side apply."""

from typing import Any

from starlette.responses import Response

from sandbox.kubernetes.api import bodies
from sandbox.kubernetes.api.answers import answer, in_version
from sandbox.kubernetes.api.context import Call
from sandbox.kubernetes.errors import BadRequest, Invalid, UnsupportedMediaType, required
from sandbox.kubernetes.fields.shape import shape_of
from sandbox.kubernetes.fields.typed import check_typed
from sandbox.kubernetes.patch.json_patch import json_patch
from sandbox.kubernetes.patch.merge import merge_patch
from sandbox.kubernetes.patch.strategic import strategic_merge

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


async def patch(call: Call) -> Response:
    """The object after the patch; apply creates it when it is not there (201)."""
    kind = bodies.media_type(call)
    raw = await call.request.body()
    if kind == APPLY:
        return _apply(call, raw)
    body = bodies.parse(raw)
    if call.query.get("force"):
        cause = [required("force", "may not be specified for non-apply patch")]
        raise Invalid("PatchOptions.meta.k8s.io", "", cause)
    live = call.store.get(call.resource.key, call.namespace, call.name)
    patched = patch_with(call, kind, in_version(call, live), body)
    if not isinstance(patched, dict):
        raise BadRequest("the patched document is not an object")
    obj = bodies.checked(call, patched)
    updated = call.store.update(
        call.resource.key,
        obj,
        subresource=call.target.subresource,
        field_manager=call.manager,
        dry_run=call.dry_run,
    )
    return answer(in_version(call, updated), 200, call.warnings)


def patch_with(call: Call, kind: str, target: Any, body: Any) -> Any:
    """`target` patched as the media type says; raises UnsupportedMediaType."""
    if kind == JSON_PATCH:
        return json_patch(target, body)
    if kind == MERGE:
        return merge_patch(target, _mapping(body))
    if kind == STRATEGIC and not call.resource.custom:
        return strategic_merge(target, _mapping(body), shape_of(call.resource))
    accepted = [JSON_PATCH, MERGE, *([] if call.resource.custom else [STRATEGIC]), APPLY]
    raise UnsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    )


def _mapping(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise BadRequest("error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}")
    return body


def _apply(call: Call, raw: bytes) -> Response:
    if not call.query.get("fieldManager"):
        cause = [required("fieldManager", "is required for apply patch")]
        raise Invalid("PatchOptions.meta.k8s.io", "", cause)
    config = _configuration(raw)
    expected = call.resource.api_version_of(call.target.version)
    if (config.get("apiVersion"), config.get("kind")) != (expected, call.resource.kind):
        version = config.get("apiVersion") or "/"
        raise BadRequest(f"invalid object type: {version if '/' in version else '/' + version}, Kind={config.get('kind', '')}")
    check_typed(config, shape_of(call.resource), call.resource.kind)
    bodies.check_place(call, config)
    obj, created = call.store.apply(
        call.resource.key,
        config,
        call.manager,
        force=call.flag("force"),
        decode=lambda merged: bodies.decode(call, merged)[0],
        subresource=call.target.subresource,
        dry_run=call.dry_run,
    )
    return answer(in_version(call, obj), 201 if created else 200, call.warnings)


def _configuration(raw: bytes) -> dict[str, Any]:
    try:
        config = bodies.read_json(raw) if raw[:1] == b"{" else bodies.read_yaml(raw)
    except bodies.Unreadable as error:
        raise BadRequest(f"error decoding YAML: error converting YAML to JSON: {error}") from error
    if config is None:
        return {}
    if not isinstance(config, dict):
        found = {list: "array", str: "string", bool: "bool"}.get(type(config), "number")
        text = f"json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
        raise BadRequest(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {text}")
    return config
