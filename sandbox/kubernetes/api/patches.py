"""The patch verb: JSON patch, merge patch, strategic merge patch and server-side apply."""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from sandbox.kubernetes.api import bodies
from sandbox.kubernetes.api.answers import answer, in_version
from sandbox.kubernetes.api.context import Call
from sandbox.kubernetes.api.verbs import write_update
from sandbox.kubernetes.api.warnings import add_for
from sandbox.kubernetes.errors import ApiError, BadRequest, Invalid, UnsupportedMediaType, forbidden, invalid, required
from sandbox.kubernetes.fields.shape import shape_of
from sandbox.kubernetes.fields.typed import check_typed
from sandbox.kubernetes.metadata import dump
from sandbox.kubernetes.patch.json_patch import json_patch
from sandbox.kubernetes.patch.merge import merge_patch
from sandbox.kubernetes.patch.strategic import go_value, strategic_merge
from sandbox.kubernetes.schema.structural import duplicates
from sandbox.kubernetes.strategy.object_meta import same_identity

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


async def patch(call: Call) -> Response:
    """The object after the patch; apply creates it when it is not there (201)."""
    kind = bodies.media_type(call)
    raw = await call.request.body()
    check_media_type(call, kind)
    if kind == APPLY:
        return _apply(call, raw)
    if "force" in call.query:
        raise Invalid("PatchOptions.meta.k8s.io", "", [forbidden("force", "may not be specified for non-apply patch")])
    body = read_patch(kind, raw)
    live = call.store.get(call.resource.key, call.namespace, call.name)
    patched = patch_with(call, kind, in_version(call, live), body)
    if not isinstance(patched, dict):
        raise BadRequest("the patched document is not an object")
    obj = bodies.decoded_or(call, patched, _refusal(kind, patched, body), duplicates(body))
    bodies.check_place(call, obj)
    _raise_identity(call, obj, live)
    updated = write_update(call, obj)
    return answer(in_version(call, updated), 200, call.warnings)


def check_media_type(call: Call, kind: str) -> None:
    """Raises UnsupportedMediaType for what is no patch of this resource."""
    if kind == STRATEGIC and call.resource.custom:
        accepted = f"{JSON_PATCH}, {MERGE}, {APPLY}"
        text = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        raise UnsupportedMediaType(text)
    if kind not in (APPLY, JSON_PATCH, MERGE, STRATEGIC):
        raise UnsupportedMediaType("415: Unsupported Media Type", details={})


def read_patch(kind: str, raw: bytes) -> Any:
    """The patch's JSON; raises BadRequest."""
    try:
        body = bodies.read_json(raw)
    except bodies.Unreadable as error:
        raise BadRequest(f"error decoding patch: {error}") from error
    if kind != JSON_PATCH and not isinstance(body, dict):
        head = "" if kind == STRATEGIC else "error decoding patch: "
        raise BadRequest(
            f"{head}json: cannot unmarshal {_json_name(body)} into Go value of type map[string]interface {{}}"
        )
    return body


def _json_name(body: Any) -> str:
    return {list: "array", str: "string", bool: "bool"}.get(type(body), "number")


def patch_with(call: Call, kind: str, target: Any, body: Any) -> Any:
    """`target` patched as the media type says."""
    if kind == JSON_PATCH:
        return json_patch(target, body)
    if kind == MERGE:
        return merge_patch(target, body)
    return strategic_merge(target, body, shape_of(call.resource))


def _refusal(kind: str, patched: Any, body: Any) -> Callable[[str, str], ApiError]:
    """What is made of a patched object that its type does not hold."""

    def refuse(text: str, restore: str) -> ApiError:
        strategic = kind == STRATEGIC
        shown = go_value(body) if strategic else dump(patched).decode()
        return Invalid("", "", [invalid("patch", shown, restore if strategic else text)])

    return refuse


def _raise_identity(call: Call, obj: dict[str, Any], live: dict[str, Any]) -> None:
    causes = same_identity(obj["metadata"], live["metadata"])
    if causes:
        raise Invalid(call.resource.qualified_kind, call.name, causes)


def _apply(call: Call, raw: bytes) -> Response:
    if not call.query.get("fieldManager"):
        cause = [required("fieldManager", "is required for apply patch")]
        raise Invalid("PatchOptions.meta.k8s.io", "", cause)
    config = _configuration(raw)
    expected = call.resource.api_version_of(call.target.version)
    if (config.get("apiVersion"), config.get("kind")) != (expected, call.resource.kind):
        version = config.get("apiVersion") or "/"
        raise BadRequest(
            f"invalid object type: {version if '/' in version else '/' + version}, Kind={config.get('kind', '')}"
        )
    check_typed(config, shape_of(call.resource), call.resource.kind)
    bodies.check_place(call, config)
    live = call.store.peek(call.resource.key, call.namespace, call.name) or {"metadata": {"uid": ""}}
    _raise_identity(call, config, live)
    created = call.store.peek(call.resource.key, call.namespace, call.name) is None
    obj = call.write(
        lambda dry_run: call.store.apply(
            call.resource.key,
            config,
            call.manager,
            force=call.flag("force"),
            decode=lambda merged: bodies.decode(call, merged)[0],
            subresource=call.target.subresource,
            dry_run=dry_run,
        )
    )
    add_for(call, obj)
    return answer(in_version(call, obj), 201 if created else 200, call.warnings)


def _configuration(raw: bytes) -> dict[str, Any]:
    try:
        config = bodies.read_json(raw) if raw[:1] == b"{" else bodies.read_yaml(raw)
    except bodies.Unreadable as error:
        raise BadRequest(f"error decoding YAML: error converting YAML to JSON: {error}") from error
    if config is None:
        return {}
    if not isinstance(config, dict):
        text = f"json: cannot unmarshal {_json_name(config)} into Go value of type map[string]interface {{}}"
        raise BadRequest(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {text}")
    return config
