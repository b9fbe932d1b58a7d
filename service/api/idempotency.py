"""Idempotency-Key: the header's form, and the fingerprint that tells the same body from another.

The fingerprint is keyed with the service's API key: it is stored, and a plain hash of a body that holds a short secret
could be guessed offline. After the API key was changed, an old Idempotency-Key counts as used with another body.
"""

import hashlib
import hmac
import json
from typing import Annotated, Any

from fastapi import Header, Request
from fastapi.exceptions import RequestValidationError

IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="A unique text per intent, e.g. a UUID: repeating a request with it cannot start a second install.",
        examples=["5a3e8f0c-portal-4711"],
    ),
]


async def fingerprint(request: Request) -> str:
    """Of the parsed body, so that white space and the order of fields do not matter; "" without a body.

    Raises RequestValidationError for NUL characters, which PostgreSQL does not store.
    """
    if not await request.body():
        return ""
    body = await request.json()
    _refuse_nul(body, ())
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    key: str = request.app.state.fingerprint_key
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _refuse_nul(value: Any, path: tuple[str | int, ...]) -> None:
    if isinstance(value, str) and "\0" in value:
        message = "this holds a NUL character; remove it"
        raise RequestValidationError([{"type": "value_error", "loc": ("body", *path), "msg": message}])
    if isinstance(value, dict):
        for name, part in value.items():
            _refuse_nul(part, (*path, name))
    if isinstance(value, list):
        for index, part in enumerate(value):
            _refuse_nul(part, (*path, index))
