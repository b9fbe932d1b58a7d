"""The OpenAPI document: FastAPI's, with every error answer as the problem document it really is."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.api.models import ProblemDocument
from service.api.problems import MEDIA_TYPE

DESCRIPTION = """Installs a self-hosted DBOS Conductor on AWS EKS, durably: one call, then watch the operation.

Errors are RFC 9457 problem documents with a stable code and a remedy."""

_ALWAYS = {
    "401": "The API key is missing or wrong.",
    "422": "Something in the request is not valid; `errors` lists the fields.",
    "500": "Podium failed unexpectedly.",
    "503": "Podium's database does not answer; try again.",
}
_WITH_BODY = {
    "400": "The body could not be read.",
    "413": "The body is too large.",
    "415": "The body is of a type that is not read.",
}
_CONFLICT = {"409": "It exists already, or is in a state that does not allow this."}
_NOT_FOUND = {"404": "There is nothing of this name."}
_CREDENTIALS = {"502": "AWS did not do what was asked."}


def document(app: FastAPI) -> dict[str, Any]:
    """Made once and kept on the application, as FastAPI does."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
        schemas = made["components"]["schemas"]
        schemas |= _problem_schemas()
        for path, operations in made["paths"].items():
            for method, operation in operations.items():
                if path.startswith("/v1/"):
                    operation["responses"] |= _errors(path, method, operation)
        made["paths"]["/readyz"]["get"]["responses"]["503"] = _answer(_ALWAYS["503"])
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        app.openapi_schema = made
    return app.openapi_schema


def _problem_schemas() -> dict[str, Any]:
    schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    parts: dict[str, Any] = schema.pop("$defs", {})
    return parts | {"ProblemDocument": schema}


def _errors(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    texts = dict(_ALWAYS)
    if method == "post":
        texts |= _CONFLICT | _WITH_BODY | _CREDENTIALS
    if "{" in path:
        texts |= _NOT_FOUND
    return {status: _answer(text) for status, text in sorted(texts.items())}


def _answer(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}
