"""Idempotency-Key: the header's form, and the fingerprint that tells the same body from another.

The fingerprint is stored, and a body may hold a short secret (a database password), which could be guessed from a plain
hash; so it is a slow one. It hangs on nothing but body and key: a replay works after a restart with another API key.
"""

import hashlib
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


async def canonical_body(request: Request) -> str:
    """The parsed body as text in which white space and the order of fields do not matter; "" without a body.

    Raises RequestValidationError for NUL characters, which PostgreSQL does not store.
    """
    if not await request.body():
        return ""
    body = await request.json()
    _refuse_nul(body, ())
    return json.dumps(body, sort_keys=True, separators=(",", ":"))


def fingerprint(body: str, key: str) -> str:
    """64 hexadecimal characters that tell bodies sent with this Idempotency-Key apart; takes some 50 ms and 16 MB."""
    return hashlib.scrypt(body.encode(), salt=key.encode(), n=2**14, r=8, p=1, dklen=32).hex()


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
