"""The one translator of AWS's errors into Podium's.

    no usable credentials      AWS_CREDENTIALS_MISSING      user, CredentialsError
    expired credentials        AWS_CREDENTIALS_EXPIRED      user, CredentialsError
    not permitted              AWS_ACCESS_DENIED            user, names the IAM action
    a quota is reached         AWS_QUOTA_EXCEEDED           user, names the quota
    throttling, 5xx, network   AWS_UNAVAILABLE              provider, transient
    not an answer of AWS's     AWS_UNAVAILABLE              provider, transient (a proxy's page, half an answer)
    still in use, not ready    AWS_RESOURCE_FAILED          provider, transient
    everything else            AWS_INVALID_REQUEST          podium

Only the error's code and HTTP status decide, never its text. The text of AWS is shown, cut short, unless it may hold a
secret: botocore and Secrets Manager repeat the values they reject.
"""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConfigParseError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    InfiniteLoopConfigError,
    LoginError,
    MetadataRetrievalError,
    NoAuthTokenError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    RefreshWithMFAUnsupportedError,
    SSOError,
    TokenRetrievalError,
    UnknownCredentialError,
)
from botocore.parsers import ResponseParserError

from steps.clients.aws.permissions import action_name, also_needed
from steps.clients.aws.quotas import quota_of
from steps.errors import Code, CredentialsError, Fault, PodiumError, TransientError

TEXT_LIMIT = 300
ASSUMING = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity"})
"""Calls that botocore makes by itself, within the call of any service."""
QUIET_SERVICES = frozenset({"secretsmanager", "sts"})

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
REJECTED = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "NotAuthorized",
        "OptInRequired",
        "UnauthorizedOperation",
        "UnauthorizedAccess",
    }
)
THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "ConcurrentModification",
        "ConcurrentModificationException",
        "DependencyThrottle",
        "EC2ThrottledException",
        "EntityTemporarilyUnmodifiable",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "InternalServiceException",
        "OpenIdIdpCommunicationError",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServerException",
        "ServiceException",
        "ServiceFailure",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
        "Unavailable",
    }
)
BUSY = frozenset(
    {
        "DeleteConflict",
        "DependencyViolation",
        "IncorrectState",
        "InvalidDBInstanceState",
        "InvalidDBSubnetGroupStateFault",
        "InvalidIPAddress.InUse",
        "RepositoryNotEmptyException",
        "ResourceInUseException",
    }
)
CAPACITY = frozenset(
    {"InsufficientInstanceCapacity", "InsufficientDBInstanceCapacity", "InsufficientDBInstanceCapacityFault"}
)
NOT_SEEN_SUFFIXES = (".NotFound", "NatGatewayNotFound")
"""EC2 does not show everywhere at once what it has made: an id that we just got may be "not found" for a moment."""
QUOTA_SUFFIXES = (
    "LimitExceeded",
    "LimitExceededException",
    "QuotaExceeded",
    "QuotaExceededException",
    "QuotaExceededFault",
    "LimitExceededFault",
)

_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    ProfileNotFound,
    MetadataRetrievalError,
    ConfigNotFound,
    ConfigParseError,
    InfiniteLoopConfigError,
    UnknownCredentialError,
    RefreshWithMFAUnsupportedError,
)
_SIGNED_OUT = (SSOError, LoginError, TokenRetrievalError, NoAuthTokenError)
_NO_ANSWER = (
    HTTPClientError,
    EndpointConnectionError,
    ConnectTimeoutError,
    ConnectionClosedError,
)
_GIVE_CREDENTIALS = (
    "Give Podium's process valid AWS credentials (environment, shared file or instance role; "
    "`aws sts get-caller-identity` must answer); check the machine's clock and that the region is enabled. "
    "Podium reads them anew by itself."
)


def is_quiet(error: Exception, service: str) -> bool:
    """Whether the error's own text must not be shown or logged, because it may repeat a secret value."""
    return service in QUIET_SERVICES or (isinstance(error, BotoCoreError) and not isinstance(error, _NO_ANSWER))


def translate(  # noqa: PLR0911 - one line per kind
    error: Exception, service: str, region: str, principal: str | None
) -> PodiumError:
    """Podium's error for one of botocore's. `service` is boto3's name of it, `principal` who called, if known."""
    if isinstance(error, ClientError):
        return _of_answer(error, service, region, principal)
    if isinstance(error, _NO_CREDENTIALS):
        return _credentials(Code.AWS_CREDENTIALS_MISSING, f"no usable AWS credentials ({type(error).__name__})")
    if isinstance(error, _SIGNED_OUT):
        return _credentials(Code.AWS_CREDENTIALS_EXPIRED, f"the AWS sign-in has expired ({type(error).__name__})")
    if came_from_credentials(error):
        return _credentials(Code.AWS_CREDENTIALS_EXPIRED, "AWS's credentials were renewed, but are still expired")
    if isinstance(error, _NO_ANSWER):
        return _unavailable(f"{service} in {region} did not answer ({type(error).__name__})")
    if isinstance(error, ResponseParserError):
        return _unreadable(service, region, type(error).__name__)
    return PodiumError(
        Code.AWS_INVALID_REQUEST,
        f"the request to {service} could not be made ({type(error).__name__})",
        fault=Fault.PODIUM,
        retryable=True,
        remedy="Check region and values of the installation spec; if they are right, report this error.",
    )


def incomplete(error: LookupError, service: str, region: str) -> TransientError:
    """For an answer in which a part is missing that AWS documents as always there."""
    return _unreadable(
        service, region, f"without {error.args[0] if error.args else 'what was asked for'!s}"[:TEXT_LIMIT]
    )


def _of_answer(  # noqa: PLR0911 - one line per kind
    error: ClientError, service: str, region: str, principal: str | None
) -> PodiumError:
    code = str(error.response["Error"].get("Code", ""))
    if error.operation_name in ASSUMING:
        service = "sts"
    action = action_name(service, error.operation_name)
    kind = _kind(code, int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)))
    text = _text(error, service)
    if kind is Code.AWS_CREDENTIALS_EXPIRED:
        return _credentials(kind, f"AWS says the credentials have expired ({code} from {action})")
    if kind is Code.AWS_CREDENTIALS_MISSING:
        return _credentials(kind, f"AWS rejects the credentials ({code} from {action})")
    if kind is Code.AWS_ACCESS_DENIED:
        return _denied(code, action, principal)
    if kind is Code.AWS_QUOTA_EXCEEDED:
        return _quota(code, action, region)
    if kind is Code.AWS_UNAVAILABLE and (not code or code.isdigit()):
        return _unreadable(action, region, f"HTTP {code or 'error'} without an error code")
    if kind is Code.AWS_UNAVAILABLE:
        return _unavailable(f"{action} in {region}: {code}")
    if kind is Code.AWS_RESOURCE_FAILED:
        return _busy(code, f"{action}: {code}{text}")
    return PodiumError(
        Code.AWS_INVALID_REQUEST,
        f"AWS refused {action}: {code}{text}",
        fault=Fault.USER,
        retryable=True,
        remedy="Correct what AWS names in the installation spec or in the account, then retry.",
    )


def _kind(code: str, status: int) -> Code:  # noqa: PLR0911 - one line per kind, in order of precedence
    if code in EXPIRED:
        return Code.AWS_CREDENTIALS_EXPIRED
    if code in REJECTED:
        return Code.AWS_CREDENTIALS_MISSING
    if code in DENIED:
        return Code.AWS_ACCESS_DENIED
    if code in THROTTLED:
        return Code.AWS_UNAVAILABLE
    if code in BUSY | CAPACITY or code.endswith(NOT_SEEN_SUFFIXES):
        return Code.AWS_RESOURCE_FAILED
    if quota_of(code) or code.endswith(QUOTA_SUFFIXES):
        return Code.AWS_QUOTA_EXCEEDED
    if status == 429 or (status >= 500 and status != 501) or not code or code.isdigit():
        return Code.AWS_UNAVAILABLE
    return Code.AWS_INVALID_REQUEST


def _text(error: ClientError, service: str) -> str:
    """AWS's own sentence, cut short; nothing from services whose errors may repeat a secret."""
    message = str(error.response["Error"].get("Message", ""))
    if service in QUIET_SERVICES or not message:
        return ""
    return f": {message[:TEXT_LIMIT]}"


def came_from_credentials(error: Exception) -> bool:
    """Whether botocore's renewal of credentials raised this: it has no class of its own for new ones that are expired
    too (`RefreshableCredentials._protected_refresh` raises RuntimeError)."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and place.tb_frame.f_globals.get("__name__") == "botocore.credentials"


def _credentials(code: Code, message: str) -> CredentialsError:
    return CredentialsError.by_user(code, message, _GIVE_CREDENTIALS)


def _unavailable(message: str) -> TransientError:
    return TransientError.by_provider(
        Code.AWS_UNAVAILABLE, f"AWS is not available: {message}", "Retry in a few minutes; see AWS's health dashboard."
    )


def _unreadable(service: str, region: str, how: str) -> TransientError:
    """Something between Podium and AWS answered, or cut the answer short. A code of digits is botocore's own, for an
    error answer in which it found none."""
    return TransientError.by_provider(
        Code.AWS_UNAVAILABLE,
        f"what answered for {service} in {region} was not AWS ({how})",
        "Retry; if it stays so, look whether a proxy or firewall between Podium and AWS answers in its place.",
    )


def _busy(code: str, message: str) -> TransientError:
    remedy = "Retry in a few minutes; if it stays so, remove what still uses it."
    if code in CAPACITY:
        remedy = "AWS is out of this instance type for now: retry later, or choose another type or region."
    return TransientError.by_provider(Code.AWS_RESOURCE_FAILED, message, remedy)


def _denied(code: str, action: str, principal: str | None) -> PodiumError:
    if action == "sts:AssumeRole":
        return PodiumError.by_user(
            Code.AWS_ACCESS_DENIED,
            f"AWS does not allow Podium to assume the installation's role ({code})",
            "Let the trust policy of aws.role_arn allow Podium's identity (with aws.external_id, if it asks for one), "
            "and grant that identity sts:AssumeRole on the role; then retry.",
        )
    needs = " and ".join((action, *also_needed(action)))
    return PodiumError.by_user(
        Code.AWS_ACCESS_DENIED,
        f"AWS does not allow {principal or 'this identity'} to call {action} ({code})",
        f"Grant {needs} to {principal or 'the role or user whose credentials Podium uses'} "
        "(deploy/iam/podium-policy.json holds all it needs), then retry.",
    )


def _quota(code: str, action: str, region: str) -> PodiumError:
    quota = quota_of(code, action)
    if quota is None:
        return PodiumError.by_user(
            Code.AWS_QUOTA_EXCEEDED,
            f"an AWS quota in {region} is reached ({code} from {action})",
            "Raise it in the Service Quotas console or remove what is no longer used, then retry.",
        )
    return PodiumError.by_user(
        Code.AWS_QUOTA_EXCEEDED,
        f'the AWS quota "{quota.name}" in {region} is reached ({code} from {action})',
        quota.remedy(region),
    )
