"""Signature Version 4 of a presigned URL, as the one who knows the secret key computes it (IAM User Guide, "AWS
Signature Version 4 for API requests"; the parameters of a presigned URL, "Add the signature to the request").
"""

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote

ALGORITHM = "AWS4-HMAC-SHA256"
NO_BODY = hashlib.sha256(b"").hexdigest()


def is_signed(environ: Mapping[str, str], secret_key: str) -> bool:
    """Whether X-Amz-Signature of a request without a body, given as WSGI has it, was made with `secret_key`."""
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    given = query.pop("X-Amz-Signature", "")
    _, _, scope = query.get("X-Amz-Credential", "").partition("/")
    names = query.get("X-Amz-SignedHeaders", "").split(";")
    canonical = "\n".join(
        [
            environ.get("REQUEST_METHOD", ""),
            environ.get("PATH_INFO") or "/",
            "&".join(sorted(f"{_encoded(key)}={_encoded(value)}" for key, value in query.items())),
            *(f"{name}:{_header(environ, name)}" for name in names),
            "",
            ";".join(names),
            NO_BODY,
        ]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join([ALGORITHM, query.get("X-Amz-Date", ""), scope, digest])
    expected = hmac.new(_signing_key(secret_key, scope), text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, given)


def _signing_key(secret_key: str, scope: str) -> bytes:
    """`scope`: date/region/service/aws4_request."""
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _header(environ: Mapping[str, str], name: str) -> str:
    return " ".join(environ.get("HTTP_" + name.upper().replace("-", "_"), "").split())
