"""Whether an answer is AWS's at all: what a proxy says in its place, or half an answer, must not pass for one.

botocore takes any JSON body that it cannot read for an empty one, any XML document for a result without fields, and a
connection that breaks within a body for its end (`enforce_content_length=False`). So a page with status 200 would look
like success, or like an empty list. Here an answer of status 2xx must have the form of its operation's protocol: a JSON
object, or an XML document whose root is `<…Response>` (Smithy, "AWS protocols"). CBOR says itself when it is cut.
"""

import json
import re
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.parsers import ResponseParserError

_ROOT = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>)?\s*<(?:\w+:)?\w+Response[\s/>]")
_XML = frozenset({"ec2", "query", "rest-xml"})
_JSON = frozenset({"json", "rest-json"})


def check_answer(**event: Any) -> None:
    """botocore's event `after-call`. Raises ResponseParserError when the answer is none of AWS's.

    It has `http_response` (botocore.awsrequest.AWSResponse; something else where nothing was sent, as by
    steps/readonly/aws.py) and `model` (botocore.model.OperationModel).
    """
    http_response, model = event["http_response"], event["model"]
    was_sent = isinstance(http_response, AWSResponse)
    if not was_sent or http_response.status_code >= 300 or model.has_streaming_output:
        return
    protocol, body = model.service_model.resolved_protocol, http_response.content
    if protocol in _XML and not _ROOT.match(body):
        raise ResponseParserError(f"{model.name}: an answer that is not AWS's XML")
    if protocol in _JSON and not _is_object(body) and (body or model.output_shape is not None):
        raise ResponseParserError(f"{model.name}: an answer that is not a JSON object")


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False
