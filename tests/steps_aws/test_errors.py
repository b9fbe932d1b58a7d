"""The translator: by code and status, never by text; names what is missing; shows no secret."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import (
    ClientError,
    ConfigParseError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOTokenLoadError,
    TokenRetrievalError,
)

from steps.clients.aws import permissions
from steps.clients.aws.errors import translate
from steps.errors import Code, CredentialsError, Fault, PodiumError, TransientError

REGION = "us-west-2"
CANARY = "canary-4711-never-shown"


def of_code(code: str, service: str = "ec2", operation: str = "CreateVpc", status: int = 400) -> PodiumError:
    answer: Any = {
        "Error": {"Code": code, "Message": f"says {CANARY} " * 100},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return translate(ClientError(answer, operation), service, REGION, "arn:aws:iam::123456789012:role/installer")


def renewed_but_expired() -> Exception:
    """What botocore raises when a container's endpoint goes on giving credentials that have expired."""
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    made = {"access_key": "AKIA", "secret_key": "x", "token": "x", "expiry_time": past}
    credentials = RefreshableCredentials.create_from_metadata(made, lambda: made, "container-role")
    with pytest.raises(RuntimeError) as caught:
        credentials.get_frozen_credentials()
    return caught.value


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("AccessDenied", 403, Code.AWS_ACCESS_DENIED),
        ("AccessDeniedException", 400, Code.AWS_ACCESS_DENIED),
        ("UnauthorizedOperation", 403, Code.AWS_ACCESS_DENIED),
        ("VpcLimitExceeded", 400, Code.AWS_QUOTA_EXCEEDED),
        ("AddressLimitExceeded", 400, Code.AWS_QUOTA_EXCEEDED),
        ("NatGatewayLimitExceeded", 400, Code.AWS_QUOTA_EXCEEDED),
        ("InternetGatewayLimitExceeded", 400, Code.AWS_QUOTA_EXCEEDED),
        ("ResourceLimitExceeded", 400, Code.AWS_QUOTA_EXCEEDED),
        ("ResourceLimitExceededException", 400, Code.AWS_QUOTA_EXCEEDED),
        ("InstanceQuotaExceeded", 400, Code.AWS_QUOTA_EXCEEDED),
        ("ServiceQuotaExceededException", 402, Code.AWS_QUOTA_EXCEEDED),
        ("StorageQuotaExceeded", 400, Code.AWS_QUOTA_EXCEEDED),
        ("DBSubnetGroupQuotaExceeded", 400, Code.AWS_QUOTA_EXCEEDED),
        ("LimitExceeded", 409, Code.AWS_QUOTA_EXCEEDED),
        ("LimitExceededException", 400, Code.AWS_QUOTA_EXCEEDED),
        ("InvalidParameterValue", 400, Code.AWS_INVALID_REQUEST),
        ("ValidationException", 400, Code.AWS_INVALID_REQUEST),
        ("NotImplemented", 501, Code.AWS_INVALID_REQUEST),
    ],
)
def test_a_refusal_stops_at_once_with_its_code(code: str, status: int, expected: Code) -> None:
    error = of_code(code, status=status)
    assert error.code is expected
    assert not isinstance(error, TransientError)
    assert error.remedy
    assert error.fault == Fault.USER


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("ExpiredToken", 403, Code.AWS_CREDENTIALS_EXPIRED),
        ("ExpiredTokenException", 400, Code.AWS_CREDENTIALS_EXPIRED),
        ("RequestExpired", 400, Code.AWS_CREDENTIALS_EXPIRED),
        ("InvalidClientTokenId", 403, Code.AWS_CREDENTIALS_MISSING),
        ("UnrecognizedClientException", 400, Code.AWS_CREDENTIALS_MISSING),
        ("AuthFailure", 401, Code.AWS_CREDENTIALS_MISSING),
        ("SignatureDoesNotMatch", 403, Code.AWS_CREDENTIALS_MISSING),
    ],
)
@pytest.mark.parametrize("operation", ["CreateVpc", "AssumeRole"])
def test_credentials_that_do_not_work_are_waited_for(code: str, status: int, expected: Code, operation: str) -> None:
    error = of_code(code, operation=operation, status=status)
    assert isinstance(error, CredentialsError)
    assert error.code is expected
    assert error.fault == Fault.USER


@pytest.mark.parametrize(
    "make",
    [
        NoCredentialsError,
        lambda: CredentialRetrievalError(provider="process", error_msg=CANARY),
        lambda: PartialCredentialsError(provider="env", cred_var="secret"),
        lambda: ProfileNotFound(profile="gone"),
        lambda: ConfigParseError(path="/half/written"),
        lambda: TokenRetrievalError(provider="sso", error_msg=CANARY),
        lambda: SSOTokenLoadError(error_msg="gone"),
        renewed_but_expired,
    ],
)
def test_no_credentials_to_sign_with_are_waited_for(make: Callable[[], Exception]) -> None:
    error = translate(make(), "ec2", REGION, None)
    assert isinstance(error, CredentialsError)
    assert CANARY not in repr(error.problem)


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("Throttling", 400, Code.AWS_UNAVAILABLE),
        ("ThrottlingException", 400, Code.AWS_UNAVAILABLE),
        ("RequestLimitExceeded", 503, Code.AWS_UNAVAILABLE),
        ("TooManyRequestsException", 429, Code.AWS_UNAVAILABLE),
        ("InternalFailure", 500, Code.AWS_UNAVAILABLE),
        ("ServerException", 500, Code.AWS_UNAVAILABLE),
        ("SomethingNew", 502, Code.AWS_UNAVAILABLE),
        ("SomethingNew", 429, Code.AWS_UNAVAILABLE),
        ("DependencyViolation", 400, Code.AWS_RESOURCE_FAILED),
        ("InvalidVpcID.NotFound", 400, Code.AWS_RESOURCE_FAILED),
        ("ResourceInUseException", 409, Code.AWS_RESOURCE_FAILED),
    ],
)
def test_what_passes_is_transient(code: str, status: int, expected: Code) -> None:
    error = of_code(code, status=status)
    assert isinstance(error, TransientError)
    assert error.code is expected


@pytest.mark.parametrize(
    ("make", "expected", "transient"),
    [
        (lambda: EndpointConnectionError(endpoint_url="http://x"), Code.AWS_UNAVAILABLE, True),
        (lambda: ConnectTimeoutError(endpoint_url="http://x"), Code.AWS_UNAVAILABLE, True),
        (lambda: ReadTimeoutError(endpoint_url="http://x"), Code.AWS_UNAVAILABLE, True),
        (lambda: ParamValidationError(report=f"Invalid value {CANARY}"), Code.AWS_INVALID_REQUEST, False),
    ],
)
def test_what_never_reached_aws(make: Callable[[], Exception], expected: Code, transient: bool) -> None:
    error = translate(make(), "ec2", REGION, None)
    assert error.code is expected
    assert isinstance(error, TransientError) is transient
    assert CANARY not in repr(error.problem)


def test_denied_names_the_action_what_it_needs_besides_and_the_identity() -> None:
    error = of_code("AccessDeniedException", "eks", "CreateCluster")
    assert "eks:CreateCluster" in error.message
    assert "Grant eks:CreateCluster and iam:PassRole" in error.remedy
    assert "arn:aws:iam::123456789012:role/installer" in error.remedy
    assert CANARY not in repr(error.problem)
    assert "servicequotas:GetServiceQuota" in of_code("AccessDenied", "service-quotas", "GetServiceQuota").message


def test_a_quota_is_named_with_the_command_that_raises_it() -> None:
    error = of_code("VpcLimitExceeded")
    assert '"VPCs per Region" in us-west-2' in error.message
    assert "--service-code vpc --quota-code L-F678F1CE --region us-west-2" in error.remedy
    assert "Clusters" in of_code("ResourceLimitExceededException", "eks", "CreateCluster").message


def test_the_text_of_aws_is_cut_short_and_that_of_secret_services_left_out() -> None:
    assert len(of_code("InvalidParameterValue").message) < 400
    assert CANARY not in of_code("ValidationException", "secretsmanager", "CreateSecret").message


def documented() -> set[str]:
    """The error codes that AWS's own models list for the calls that Podium makes."""
    session, found = botocore.session.get_session(), set()
    names = {"tag": ["resourcegroupstaggingapi"], "servicequotas": ["service-quotas"]}
    names["elasticloadbalancing"] = ["elb", "elbv2"]
    for call in permissions.calls():
        service, _, operation = call.partition(":")
        for name in names.get(service, [service]):
            model = session.get_service_model(name)
            if operation in model.operation_names:
                shapes = model.operation_model(operation).error_shapes
                found |= {shape.metadata.get("error", {}).get("code") or shape.name for shape in shapes}
    return found


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Quota|Limit", Code.AWS_QUOTA_EXCEEDED),
        ("Throttl|TooManyRequests|Internal|Server|^Service|Communication", Code.AWS_UNAVAILABLE),
    ],
)
def test_what_aws_documents_as_a_quota_or_its_own_trouble_is_told_as_that(words: str, expected: Code) -> None:
    codes = {code for code in documented() if re.search(words, code)}
    assert len(codes) >= 9
    assert {code: of_code(code).code for code in codes} == dict.fromkeys(codes, expected)
