"""One request to AWS, read from the wire: which service and operation, who, where, with which parameters.

Operation names are AWS's own also for REST services (EKS, Route 53), by botocore's service models.
Signature Version 4: the credential scope in the Authorization header, or in X-Amz-Credential of a presigned URL, names
access key, region and service (IAM User Guide, "AWS Signature Version 4 for API requests").
"""

import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote

import botocore.session

SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")
REST_MODELS = {"eks": "eks", "route53": "route53"}
SMITHY_PATH = re.compile(r"^/service/[^/]+/operation/([^/]+)$")


@dataclass
class Call:
    """A parsed request. `params` are the caller's parameters, REST path and query parameters included."""

    service: str
    operation: str
    region: str
    access_key: str
    params: dict[str, Any]
    body: bytes
    environ: dict[str, Any]
    presigned: bool = False
    account: str = ""
    caller_arn: str = ""
    token: str | None = field(default=None)

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"

    @property
    def mutating(self) -> bool:
        return not re.match(r"(Describe|List|Get|Head|Lookup|Simulate|BatchGet|BatchCheck|Search)", self.operation)


def read_call(environ: dict[str, Any], body: bytes) -> Call:
    """Parse a request. A presigned URL's credentials are also put where moto looks for them."""
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    presigned = not authorization and "X-Amz-Credential" in query
    if presigned:
        authorization = f"AWS4-HMAC-SHA256 Credential={query['X-Amz-Credential'][0]}, SignedHeaders=host, Signature=0"
        environ["HTTP_AUTHORIZATION"] = authorization
    scope = SCOPE.search(authorization)
    access_key, region, service = scope.groups() if scope else ("", "", "")
    operation, params = _operation(service, environ, body, query)
    token = params.get("ClientToken") or params.get("clientRequestToken")
    return Call(service, operation, region, access_key, params, body, environ, presigned, token=token)


def _operation(
    service: str, environ: dict[str, Any], body: bytes, query: dict[str, list[str]]
) -> tuple[str, dict[str, Any]]:
    method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "/")
    content_type = environ.get("CONTENT_TYPE", "")
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return target.rsplit(".", 1)[-1], _json_object(body)
    if smithy := SMITHY_PATH.match(path):
        return smithy[1], {}
    if "Action" in query or "urlencoded" in content_type:
        params = {key: values[0] for key, values in query.items()} | dict(parse_qsl(body.decode(), True))
        return str(params.pop("Action", "Unknown")), params
    if service in REST_MODELS:
        raw_path = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or path).split("?")[0]
        return _rest_operation(service, method, raw_path, query, body)
    return f"{method} {path}", {}


def _rest_operation(
    service: str, method: str, path: str, query: dict[str, list[str]], body: bytes
) -> tuple[str, dict[str, Any]]:
    for wanted, pattern, name, lists in _routes(REST_MODELS[service]):
        found = pattern.match(path.rstrip("/")) if wanted == method else None
        if found:
            params: dict[str, Any] = {key: value if key in lists else value[0] for key, value in query.items()}
            params |= {key: unquote(value) for key, value in found.groupdict().items()}
            return name, params | (_json_object(body) if service == "eks" else {})
    return f"{method} {path}", {}


@cache
def _routes(model: str) -> list[tuple[str, re.Pattern[str], str, frozenset[str]]]:
    """(method, path pattern, operation, names of list-valued query parameters), the most literal paths first."""
    service = botocore.session.get_session().get_service_model(model)
    routes = []
    for name in service.operation_names:
        operation = service.operation_model(name)
        uri = operation.http["requestUri"].split("?")[0].rstrip("/")
        shape = operation.input_shape
        members = shape.members if shape is not None else {}
        lists = frozenset(key for key, member in members.items() if member.type_name == "list")
        pattern = re.compile("^" + re.sub(r"\\{(\w+)(\\\+)?\\}", r"(?P<\1>[^/]+)", re.escape(uri)) + "$")
        routes.append((uri.count("{"), (operation.http["method"], pattern, name, lists)))
    return [route for _, route in sorted(routes, key=lambda item: item[0])]


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
