"""Signature Version 4 of a presigned URL, computed from AWS's description of it and not by botocore.

Source: AWS documentation, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".
"""

import base64
import hashlib
import hmac
from urllib.parse import urlsplit

PREFIX = "k8s-aws-v1."


def url_in(token: str) -> str:
    """The URL that an EKS token is, whose base64url has no padding."""
    assert token.startswith(PREFIX)
    encoded = token.removeprefix(PREFIX)
    assert "=" not in encoded
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


def parameters(url: str) -> list[tuple[str, str]]:
    """The query's pairs in order, values quoted as they are."""
    return [(name, value) for name, _, value in (pair.partition("=") for pair in urlsplit(url).query.split("&"))]


def signature(url: str, secret_key: str, cluster: str) -> str:
    """What X-Amz-Signature must be, with the signed header x-k8s-aws-id: `cluster`."""
    given = dict(parameters(url))
    scope = given["X-Amz-Credential"].split("%2F", 1)[1].replace("%2F", "/")
    unsigned = sorted((name, value) for name, value in given.items() if name != "X-Amz-Signature")
    headers = f"host:{urlsplit(url).netloc}\nx-k8s-aws-id:{cluster}\n"
    canonical = [
        *("GET", urlsplit(url).path, "&".join(f"{name}={value}" for name, value in unsigned)),
        *(headers, "host;x-k8s-aws-id", hashlib.sha256(b"").hexdigest()),
    ]
    hashed = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    to_sign = "\n".join(["AWS4-HMAC-SHA256", given["X-Amz-Date"], scope, hashed])
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, to_sign.encode(), "sha256").hexdigest()
