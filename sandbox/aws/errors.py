"""AWS errors on the wire: each protocol has a form of its own, and botocore reads the code from that form.

Smithy documentation, AWS protocols (restJson1, awsJson1_1, awsQuery, ec2Query, restXml, rpcv2Cbor), "Operation error
serialization".
"""

import json
import uuid
from xml.sax.saxutils import escape

JSON_SERVICES = {"secretsmanager", "ecr", "servicequotas", "tagging", "pricing", "kms", "ssm", "logs"}
REST_JSON_SERVICES = {"eks"}
Answer = tuple[int, list[tuple[str, str]], bytes]
"""HTTP status, headers, body."""


class AwsError(Exception):
    """An error as AWS answers it: `code` as botocore shows it, `status` the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def json_answer(body: object, status: int = 200, content_type: str = "application/json") -> Answer:
    return status, [("Content-Type", content_type)], json.dumps(body, default=str).encode()


def error_answer(service: str, error: AwsError, smithy_protocol: str = "") -> Answer:
    """`error` in the protocol of `service` (the name in the signature's credential scope).

    `smithy_protocol` is the request's header of that name, which the newer protocols send.
    """
    request = str(uuid.uuid4())
    headers = [("x-amzn-RequestId", request)]
    if smithy_protocol == "rpc-v2-cbor":
        body = b"\xa2" + b"".join(map(_cbor_text, ("__type", error.code, "message", error.message)))
        return error.status, [*headers, ("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")], body
    if service in REST_JSON_SERVICES or service in JSON_SERVICES:
        kind = "application/json" if service in REST_JSON_SERVICES else "application/x-amz-json-1.1"
        body = json.dumps({"__type": error.code, "message": error.message}).encode()
        return error.status, [*headers, ("Content-Type", kind), ("x-amzn-ErrorType", error.code)], body
    inner = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    if service == "ec2":
        text = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{request}</RequestID></Response>"
    elif service == "s3":
        text = f"<Error>{inner}<RequestId>{request}</RequestId></Error>"
    else:
        kind = "Sender" if error.status < 500 else "Receiver"
        text = (
            f"<ErrorResponse><Error><Type>{kind}</Type>{inner}</Error><RequestId>{request}</RequestId></ErrorResponse>"
        )
    return error.status, [*headers, ("Content-Type", "text/xml")], text.encode()


def _cbor_text(text: str) -> bytes:
    """A CBOR text string (RFC 8949, major type 3) with a two-byte length."""
    encoded = text.encode()
    return b"\x79" + len(encoded).to_bytes(2, "big") + encoded


def throttled(service: str) -> AwsError:
    """What a service answers when it is called too often (botocore retries each of these)."""
    if service == "ec2":
        return AwsError("RequestLimitExceeded", "Request limit exceeded.", 503)
    if service == "s3":
        return AwsError("SlowDown", "Please reduce your request rate.", 503)
    if service in REST_JSON_SERVICES:
        return AwsError("ThrottlingException", "Rate exceeded", 429)
    if service in JSON_SERVICES:
        return AwsError("ThrottlingException", "Rate exceeded", 400)
    return AwsError("Throttling", "Rate exceeded", 400)


def not_implemented(service: str, operation: str, why: str = "") -> AwsError:
    """Loud and never retried: a missing operation must not look like a missing resource."""
    return AwsError("SandboxNotImplemented", f"the sandbox does not implement {service}:{operation} {why}".strip(), 501)
