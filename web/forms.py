"""Form bodies: small, urlencoded, read by hand (Starlette's reader would need another package)."""

from urllib.parse import parse_qs

from starlette.requests import Request

LIMIT = 8 * 1024
"""Bytes of the largest form; ours hold a token and a name."""


class BadForm(Exception):
    """Not a form of ours."""


async def fields(request: Request) -> dict[str, str]:
    """The form's fields, the first value of each; raises BadForm when it is too large or not a form."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise BadForm("not a form")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LIMIT:
            raise BadForm("too large")
    try:
        return {name: values[0] for name, values in parse_qs(body.decode(), max_num_fields=20).items()}
    except ValueError as error:
        raise BadForm("not a form") from error
