"""Content negotiation of answers: JSON, YAML, tables and metadata only. Protobuf is not spoken.

Source: k8s.io/apiserver/pkg/endpoints/handlers/{negotiation,response.go}.
"""

import json
from typing import Any

import yaml
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sandbox.kubernetes.errors import NotAcceptable

JSON, YAML, TABLE, PARTIAL = "application/json", "application/yaml", "Table", "PartialObjectMetadata"
_ANY = ("*/*", "application/*", JSON)
_REFUSED = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml"


def wanted(request: Request) -> str:
    """The first acceptable representation that there is; raises NotAcceptable."""
    accepted = request.headers.get("accept") or "*/*"
    for part in accepted.split(","):
        kind, *parameters = (each.strip() for each in part.split(";"))
        given = dict(each.partition("=")[::2] for each in parameters)
        shape = given.get("as", "").removesuffix("List")
        if kind in _ANY and shape in ("", TABLE, PARTIAL) and given.get("g", "meta.k8s.io") == "meta.k8s.io":
            return shape or JSON
        if kind == YAML and not shape:
            return YAML
    raise NotAcceptable(_REFUSED, details={})


def convert(response: Response, shape: str) -> Response:
    """The response in that representation. Tables are made by the verbs themselves, watches stay JSON."""
    if shape in (JSON, TABLE) or isinstance(response, StreamingResponse):
        return response
    body: Any = json.loads(bytes(response.body))
    if shape == YAML:
        converted = Response(yaml.safe_dump(body), response.status_code, media_type=YAML)
    else:
        converted = Response(json.dumps(_partial(body)), response.status_code, media_type=JSON)
    for name, value in response.headers.items():
        if name == "warning":
            converted.headers.append(name, value)
    return converted


def _partial(body: dict[str, Any]) -> dict[str, Any]:
    """Only the metadata of an object, or of every item of a list."""
    version = {"apiVersion": "meta.k8s.io/v1"}
    if "items" not in body:
        return {"kind": PARTIAL, **version, "metadata": body["metadata"]}
    items = [{"kind": PARTIAL, **version, "metadata": item["metadata"]} for item in body["items"]]
    return {"kind": f"{PARTIAL}List", **version, "metadata": body["metadata"], "items": items}
