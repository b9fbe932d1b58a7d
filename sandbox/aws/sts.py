"""sts:GetCallerIdentity, also as a presigned URL, which is what an EKS token is.

Gaps: moto routes a presigned GET to S3 and answers 200, knows no JSON form, and takes any key for one made-up user
(STS API Reference, GetCallerIdentity; EKS User Guide, "Grant IAM users access to Kubernetes": the token is the URL).
"""

import datetime
import re
import uuid
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from sandbox.aws.credentials import Identity
from sandbox.aws.errors import Answer, AwsError, json_answer
from sandbox.aws.requests import Call
from sandbox.aws.signatures import is_signed

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)
LONGEST = 15 * 60  # seconds that a presigned STS request is good for


def caller_identity(call: Call, identity: Identity, secret_key: str | None) -> Answer:
    """The answer in JSON when the caller accepts only that, else in XML.

    Raises AwsError for a presigned URL that is old or, as far as `secret_key` is known, not signed with it.
    """
    if call.presigned:
        _check_age(call)
        if secret_key is not None and not is_signed(call.environ, secret_key):
            raise AwsError("SignatureDoesNotMatch", MISMATCH, 403)
    request = str(uuid.uuid4())
    fields = {"Arn": identity.arn, "UserId": identity.user_id, "Account": identity.account}
    if "application/json" in call.environ.get("HTTP_ACCEPT", ""):
        inner = {"GetCallerIdentityResult": fields, "ResponseMetadata": {"RequestId": request}}
        return json_answer({"GetCallerIdentityResponse": inner})
    result = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in fields.items())
    text = (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<GetCallerIdentityResult>{result}</GetCallerIdentityResult>"
        f"<ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )
    return 200, [("Content-Type", "text/xml")], text.encode()


def principal_of(arn: str) -> str:
    """The IAM principal behind a caller's ARN: the role of an assumed role, else the ARN itself."""
    found = re.fullmatch(r"arn:(aws[\w-]*):sts::(\d+):assumed-role/([^/]+)/.*", arn)
    return f"arn:{found[1]}:iam::{found[2]}:role/{found[3]}" if found else arn


def _check_age(call: Call) -> None:
    dates = parse_qs(call.environ.get("QUERY_STRING", "")).get("X-Amz-Date", [""])
    try:
        signed = datetime.datetime.strptime(dates[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    except ValueError as problem:
        raise AwsError("IncompleteSignature", "X-Amz-Date is missing or malformed", 403) from problem
    age = (datetime.datetime.now(datetime.UTC) - signed).total_seconds()
    if age > LONGEST:
        raise AwsError("SignatureDoesNotMatch", f"Signature expired: {dates[0]} is older than 15 min.", 403)
