"""Page tokens: opaque to the caller, so that what a page hangs on can change without breaking anybody."""

import base64
import binascii
import json
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request, Response
from fastapi.exceptions import RequestValidationError

Position = TypeVar("Position", str, int)
PageSize = Annotated[int, Query(ge=1, le=100, description="Entries per page.")]
PageToken = Annotated[
    str | None, Query(max_length=200, description="`next_page_token` of the page before; without it, the first page.")
]


def encode(position: str | int) -> str:
    return base64.urlsafe_b64encode(json.dumps([1, position]).encode()).decode().rstrip("=")


def decode(token: str, kind: type[Position]) -> Position:
    """The position in `token`; raises RequestValidationError when it is not one that `encode` made."""
    try:
        version, position = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError, TypeError) as error:
        raise _invalid() from error
    if version != 1 or type(position) is not kind or (isinstance(position, int) and not 0 <= position < 2**31):
        raise _invalid()
    return position


def _invalid() -> RequestValidationError:
    message = "this is not a page token; send next_page_token of an earlier answer, unchanged"
    return RequestValidationError([{"type": "value_error", "loc": ("query", "page_token"), "msg": message}])


def turn(request: Request, response: Response, position: str | int | None) -> dict[str, str | None]:
    """`next_page_token` and `next` of a page that ends at `position` (None on the last one); sets the Link header."""
    if position is None:
        return {"next_page_token": None, "next": None}
    token = encode(position)
    path = f"{request.url.path}?{urlencode({**request.query_params, 'page_token': token})}"
    response.headers["Link"] = f'<{path}>; rel="next"'
    return {"next_page_token": token, "next": path}
