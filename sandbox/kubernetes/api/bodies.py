"""Request bodies: media types, JSON and YAML, and objects checked against their type.

Source of the texts: k8s.io/apiserver/pkg/endpoints/handlers/{create,rest}.go and apimachinery's JSON serializer.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from sandbox.kubernetes.api.context import Call
from sandbox.kubernetes.errors import ApiError, BadRequest, Invalid, Unclassified, UnsupportedMediaType, invalid
from sandbox.kubernetes.fields.shape import META
from sandbox.kubernetes.metadata import dump
from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.schema import builtin, structural
from sandbox.kubernetes.schema.decoder import Decoder, Undecodable, pairs

Object = dict[str, Any]
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_JSON = ("application/json", "")
_YAML = "application/yaml"
_SHOWN = 30  # bytes of a body that cannot be read
_GO_STRUCT = (
    r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'  # sic
)


class _Loader(_LOADER):  # type: ignore[misc,valid-type]
    """YAML as Kubernetes reads it: dates stay strings, `y` and `n` are booleans."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^[yYnN]$"), list("yYnN"))
_Loader.bool_values = _LOADER.bool_values | {"y": True, "n": False}


class Unreadable(ValueError):
    """A body that is no JSON or YAML; the text is as Go words it."""


def media_type(call: Call) -> str:
    """The Content-Type without parameters."""
    return call.request.headers.get("content-type", "").partition(";")[0].strip().lower()


def read_json(raw: bytes) -> Any:
    """A JSON document in which doubled keys are remembered; raises Unreadable."""
    try:
        return json.loads(raw, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        found = error.doc[error.pos : error.pos + 1]
        text = (
            f"invalid character {found!r} looking for beginning of value" if found else "unexpected end of JSON input"
        )
        raise Unreadable(text) from error
    except UnicodeDecodeError as error:
        raise Unreadable("invalid character looking for beginning of value") from error


def read_yaml(raw: bytes) -> Any:
    """A YAML document; raises Unreadable."""
    try:
        return yaml.load(raw, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line}: " if mark and mark.line else ""
        raise Unreadable(f"yaml: {line}{getattr(error, 'problem', error)}") from error


def parse(raw: bytes) -> Any:
    """JSON; raises BadRequest."""
    try:
        return read_json(raw)
    except Unreadable as error:
        raise BadRequest(f"couldn't get version/kind; json parse error: {error}") from error


def _unrecognized(call: Call, raw: bytes, text: str) -> BadRequest:
    """What cannot be read is shown in the answer: its beginning, as it is or in hexadecimal digits."""
    shown = raw[:_SHOWN].decode(errors="replace") if raw[:1] == b"{" else raw[:_SHOWN].hex()
    shown = (shown + (" ..." if len(raw) > _SHOWN else "")) or "<empty>"
    kind = call.resource.kind
    return BadRequest(f"the object provided is unrecognized (must be of type {kind}): {text} ({shown})")


async def read_object(call: Call) -> Object:
    """The body as an object; raises UnsupportedMediaType or BadRequest."""
    kind = media_type(call)
    if kind not in (*_JSON, _YAML):
        raise UnsupportedMediaType(_not_read(kind))
    raw = await call.request.body()
    prefix = "" if kind == _YAML else "couldn't get version/kind; json parse error: "
    try:
        body = read_yaml(raw) if kind == _YAML else read_json(raw)
    except Unreadable as error:
        raise _unrecognized(call, raw, f"{prefix}{error}") from error
    if body is None:
        body = {}
    if not isinstance(body, dict):
        found = {list: "array", str: "string", bool: "bool"}.get(type(body), "number")
        text = f"json: cannot unmarshal {found} into Go value of type {_GO_STRUCT}"
        raise _unrecognized(call, raw, f"couldn't get version/kind; json parse error: {text}")
    return body


def _not_read(kind: str) -> str:
    """The refusal of a media type; the real server reads protobuf too, which is said."""
    accepted = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    text = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    if kind == "application/vnd.kubernetes.protobuf":
        text = "the sandbox's Kubernetes API does not read protobuf bodies; send application/json or application/yaml"
    return text


async def read_options(call: Call) -> Object:
    """A DELETE's optional body."""
    raw = await call.request.body()
    if not raw:
        return {}
    try:
        options = read_yaml(raw) if media_type(call) == _YAML else read_json(raw)
    except Unreadable as error:
        raise BadRequest(f"couldn't get version/kind; json parse error: {error}") from error
    if not isinstance(options, dict):
        raise BadRequest("the body is not a DeleteOptions object")
    kind, version = options.get("kind") or "DeleteOptions", options.get("apiVersion") or "v1"
    if kind != "DeleteOptions":
        text = f'no kind "{kind}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:110"'
        raise Unclassified(text)
    return options


def checked(call: Call, body: Object) -> Object:
    """The body as an object of the call's resource: names match the path, unknown fields handled, types right."""
    kind = body.get("kind") or call.resource.kind
    version = str(body.get("apiVersion") or call.target.version).rpartition("/")[2]
    head = f'{kind} in version "{version}" cannot be handled as a {call.resource.kind}: '
    if call.resource.custom:
        _check_identified(call, body)
    decoded = decoded_or(call, body, lambda text, _restore: BadRequest(head + text))
    check_place(call, decoded)
    return decoded


def _check_identified(call: Call, body: Object) -> None:
    """Custom resources are not known to the decoder by their path: each body has to say what it is."""
    for field, name in (("kind", "'Kind'"), ("apiVersion", "'apiVersion'")):
        if not body.get(field):
            shown = dump(body).decode()
            short = f"{shown[:_SHOWN]} ..." if len(shown) > _SHOWN else shown
            head = f"the object provided is unrecognized (must be of type {call.resource.kind}): "
            raise BadRequest(f"{head}Object {name} is missing in '{shown}' ({short})")


def decoded_or(call: Call, body: Object, refuse: Callable[[str, str], ApiError], doubled: Sequence[str] = ()) -> Object:
    """The body decoded; what is wrong with it is raised as the error that `refuse` makes of the two texts for it.

    `doubled` are the fields that the patch which made the body gave more than once.

    Strict validation refuses unknown and doubled fields, too; otherwise they become warnings.
    """
    _check_version(call, body, refuse)
    try:
        decoded, problems = decode(call, body)
    except Undecodable as error:
        raise refuse(str(error), error.restore) from error
    problems = [f'duplicate field "{name}"' for name in doubled] + problems
    if problems and call.validation == "Strict":
        text = "strict decoding error: " + ", ".join(problems)
        raise refuse(text, text)
    if call.validation == "Warn":
        call.warnings.extend(problems)
    return decoded


def _check_version(call: Call, body: Object, refuse: Callable[[str, str], ApiError]) -> None:
    """Refuses an object of another kind, worded as for built-in or custom resources."""
    resource = call.resource
    expected = resource.api_version_of(call.target.version)
    given, kind = body.get("apiVersion") or expected, body.get("kind") or resource.kind
    if (given, kind) == (expected, resource.kind):
        return
    if resource.custom and given != expected:
        raise BadRequest(f"the API version in the data ({given}) does not match the expected API version ({expected})")
    if resource.custom:
        cause = invalid("kind", kind, f"must be {resource.kind}")
        raise Invalid(f"{kind}.{resource.group}", (body.get("metadata") or {}).get("name", ""), [cause])
    if any(_is_kind(each, given, kind) for each in call.store.registry.all()):
        short = str(given).rpartition("/")[2]
        group = resource.group.split(".")[0] or "core"
        text = f"converting ({short}.{kind}) to ({group}.{resource.kind}): unknown conversion"
    else:
        text = f'no kind "{kind}" is registered for version "{given}" in scheme "pkg/runtime/scheme.go:110"'
    raise refuse(text, text)


def _is_kind(resource: Resource, api_version: Any, kind: Any) -> bool:
    return not resource.custom and resource.kind == kind and resource.api_version == api_version


def decode(call: Call, body: Object) -> tuple[Object, list[str]]:
    """The object as the server's types hold it, and what strict decoding complains about; raises Undecodable."""
    forgotten = (
        (body.get("metadata") or {}).get("managedFields") == [] if isinstance(body.get("metadata"), dict) else False
    )
    decoder = Decoder(call.resource.kind, call.resource.api_version_of(call.target.version))
    root = builtin.root(call.resource.key)
    if root is not None:
        shaped = builtin.shaped(decoder.decode(body, root), root, fill=False)
        if forgotten:
            shaped["metadata"]["managedFields"] = []
        return shaped, decoder.problems
    schema = (call.resource.schemas or {}).get(call.target.version) or {}
    pruned, unknown = structural.prune(body, schema)
    meta = builtin.shaped(decoder.decode(body.get("metadata") or {}, META, "metadata"), META)
    problems = [f'duplicate field "{name}"' for name in structural.duplicates(body)]
    problems += [f'unknown field "{name}"' for name in unknown] + decoder.problems
    return pruned | {"metadata": meta}, list(dict.fromkeys(problems))


def check_place(call: Call, obj: Object) -> None:
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
