"""Request bodies: media types, YAML, and objects checked against their type."""

import json
from typing import Any

import yaml

from sandbox.kubernetes.api.context import Call
from sandbox.kubernetes.errors import ApiError, BadRequest, UnsupportedMediaType
from sandbox.kubernetes.schema import builtin, structural

Object = dict[str, Any]
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_JSON = ("application/json", "")
_YAML = ("application/yaml", "application/x-yaml", "text/yaml")


class _Loader(_LOADER):  # type: ignore[misc,valid-type]
    """Dates stay strings: JSON has none."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


class Undeclared(ApiError):
    """500 without a reason: what server-side apply answers for undeclared fields (kubernetes issue 122480)."""

    code, reason = 500, ""


def media_type(call: Call) -> str:
    """The Content-Type without parameters."""
    return call.request.headers.get("content-type", "").partition(";")[0].strip().lower()


def parse(raw: bytes) -> Any:
    """JSON or YAML; raises BadRequest."""
    try:
        if raw.lstrip()[:1] in (b"{", b"["):
            return json.loads(raw)
        return yaml.load(raw, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except (ValueError, yaml.YAMLError) as error:
        raise BadRequest(f"couldn't get version/kind; json parse error: {error}") from error


async def read_object(call: Call) -> Object:
    """The body as an object; raises UnsupportedMediaType or BadRequest."""
    if media_type(call) not in (*_JSON, *_YAML):
        accepted = "application/json, application/yaml"
        raise UnsupportedMediaType(
            f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        )
    body = parse(await call.request.body())
    if not isinstance(body, dict):
        raise BadRequest("couldn't get version/kind; json parse error: the body is not an object")
    return body


async def read_options(call: Call) -> Object:
    """A DELETE's optional body."""
    raw = await call.request.body()
    options = parse(raw) if raw else {}
    if not isinstance(options, dict):
        raise BadRequest("the body is not a DeleteOptions object")
    return options


def checked(call: Call, body: Object, *, applied: bool = False) -> Object:
    """The body as an object of the call's resource: names match the path, unknown fields handled, types right."""
    _check_version(call, body)
    decoded, unknown = _decode(call, body)
    if unknown:
        _handle_unknown(call, decoded, unknown, applied=applied)
    _check_place(call, decoded)
    return decoded


def _check_version(call: Call, body: Object) -> None:
    expected = call.resource.api_version_of(call.target.version)
    given = body.get("apiVersion") or expected
    if given != expected:
        raise BadRequest(f"the API version in the data ({given}) does not match the expected API version ({expected})")
    kind = body.get("kind") or call.resource.kind
    if kind != call.resource.kind:
        version = call.target.version
        raise BadRequest(f'{kind} in version "{version}" cannot be handled as a {call.resource.kind}: wrong kind')
    if not isinstance(body.get("metadata", {}), (dict, type(None))):
        raise BadRequest("metadata must be an object")


def _decode(call: Call, body: Object) -> tuple[Object, list[str]]:
    root = builtin.root(call.resource.key)
    decoder = builtin.Decoder(call.resource.kind, call.resource.api_version_of(call.target.version))
    if root is not None:
        return decoder.decode(body, root), decoder.unknown
    schema = (call.resource.schemas or {}).get(call.target.version) or {}
    pruned, unknown = structural.prune(body, schema)
    meta = decoder.decode(body.get("metadata") or {}, "V1ObjectMeta")
    names = [f"metadata.{name}" for name in decoder.unknown]
    return pruned | {"metadata": meta}, unknown + names


def _handle_unknown(call: Call, decoded: Object, unknown: list[str], *, applied: bool) -> None:
    texts = [f'unknown field "{name}"' for name in unknown]
    if applied:
        meta = decoded.get("metadata") or {}
        place = "/".join(part for part in (meta.get("namespace"), meta.get("name")) if part)
        version = call.resource.api_version_of(call.target.version)
        fields = ", ".join(f".{name}: field not declared in schema" for name in unknown)
        what = f"{place}; {version}, Kind={call.resource.kind}"
        raise Undeclared(f"failed to create typed patch object ({what}): {fields}")
    if call.validation == "Strict":
        kind, version = call.resource.kind, call.target.version
        head = f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding error: '
        raise BadRequest(head + ", ".join(texts))
    if call.validation == "Warn":
        call.warnings.extend(texts)


def _check_place(call: Call, obj: Object) -> None:
    """Name and namespace default to the path's and must not differ from them."""
    meta = obj.setdefault("metadata", {})
    if call.target.name and meta.setdefault("name", call.name) != call.name:
        raise BadRequest(f"the name of the object ({meta['name']}) does not match the name on the URL ({call.name})")
    if call.namespace is None:
        meta.pop("namespace", None)
    elif (meta.get("namespace") or call.namespace) != call.namespace:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
    else:
        meta["namespace"] = call.namespace
