"""AWS, looked at only: what is not on the list of reads is written down as a difference and not sent.

Two of botocore's events stand guard. `before-call` answers in AWS's place where something would be changed;
`before-send`, just before the connection, refuses whatever should have come past that.
"""

from typing import Any

from steps.clients.aws import Aws, AwsTarget
from steps.clients.aws.session import Hook
from steps.readonly.aws_words import difference_of
from steps.readonly.records import Stopped, Unknown, records

READS = ("Describe", "List", "Get", "Head", "BatchGet", "BatchCheck", "Simulate")
"""How the names of operations begin that change nothing (AWS Service Authorization Reference: access levels Read and
List; SimulatePrincipalPolicy is of level Read)."""
OF_STS = ("AssumeRole", "GetCallerIdentity")
UNANSWERED = ("CreateRoute", "CreateTags")
"""Makers of parts of a thing: what goes on after them does not need their answer."""
MAKERS = ("Create", "Run", "Allocate", "Put", "Import", "Register", "Restore")
ATTEMPTS = 2
"""Tries per call: somebody waits for the answer."""


def reading_aws(target: AwsTarget) -> Aws:
    """A client that changes nothing; to be used within `recording`, and closed."""
    hooks: dict[str, Hook] = {"before-parameter-build": _remember, "before-call": _instead, "before-send": _guard}
    return Aws(target, ATTEMPTS, hooks=hooks)


def is_read(operation: str) -> bool:
    """Whether an operation of this name, e.g. DescribeVpcs, may be sent."""
    return operation.startswith(READS) or operation in OF_STS


class _Unsent:
    """Stands for the HTTP answer of a request that was not sent."""

    status_code = 200


def _remember(params: Any, context: dict[str, Any], **_event: Any) -> None:
    """The parameters as they were given; `before-call` sees them only as AWS's wire format."""
    context["podium_parameters"] = params


def _instead(event_name: str, context: dict[str, Any], **_event: Any) -> tuple[_Unsent, Unknown] | None:
    """None: botocore goes on and sends it. Raises Stopped where what comes after needs the thing to be there."""
    operation = event_name.rpartition(".")[2]
    if is_read(operation):
        return None
    records().add_request(difference_of(operation, context.get("podium_parameters") or {}), operation)
    if operation.startswith(MAKERS) and operation not in UNANSWERED:
        raise Stopped(operation)
    return _Unsent(), Unknown()


def _guard(event_name: str, **_event: Any) -> None:
    operation = event_name.rpartition(".")[2]
    if not is_read(operation):
        raise AssertionError(f"{operation} would have been sent by a look for drift")
