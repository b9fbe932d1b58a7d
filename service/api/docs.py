"""/docs: the OpenAPI document as a page of our own, since the usual ones fetch their scripts from elsewhere."""

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from web import pages

router = APIRouter()


@router.get("/docs", include_in_schema=False)
async def get_docs(request: Request) -> HTMLResponse:
    """Readable without a key, as /openapi.json is."""
    document: dict[str, Any] = request.app.openapi()
    return pages.render("docs.html", api=document, operations=_operations(document))


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"path": path, "method": method.upper(), "examples": _examples(operation), **operation}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _examples(operation: dict[str, Any]) -> list[str]:
    """Example bodies as indented JSON."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return [json.dumps(example["value"], indent=2) for example in content.get("examples", {}).values()]
