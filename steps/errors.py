"""Every error Podium reports, in one vocabulary.

    Exception
    └── PodiumError            code · fault · retryable · remedy · message
        └── TransientError     worth another try within the same step (throttling, 5xx, broken connections)
            └── CredentialsError   AWS's credentials do not work: tried again until they do, counted as no attempt

A `code` is stable and documented (docs/errors.md); `fault` says who can mend it; `remedy` says how in one sentence.
Vendor exceptions are translated into these once, in `steps/clients/`, with the cause chained. DBOS stores `code` and
`data` of an exception beside its message (dbos `_serialization.exception_to_workflow_error_data`): no secret in them.
"""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self


class Fault(StrEnum):
    """Who has to act."""

    USER = "user"
    PROVIDER = "provider"
    PODIUM = "podium"


class Code(StrEnum):
    """The stable error codes."""

    INVALID_SPEC = "INVALID_SPEC"
    PREFLIGHT_FAILED = "PREFLIGHT_FAILED"
    AWS_CREDENTIALS_MISSING = "AWS_CREDENTIALS_MISSING"
    AWS_CREDENTIALS_EXPIRED = "AWS_CREDENTIALS_EXPIRED"
    AWS_ACCESS_DENIED = "AWS_ACCESS_DENIED"
    AWS_QUOTA_EXCEEDED = "AWS_QUOTA_EXCEEDED"
    AWS_INVALID_REQUEST = "AWS_INVALID_REQUEST"
    AWS_UNAVAILABLE = "AWS_UNAVAILABLE"
    AWS_RESOURCE_FAILED = "AWS_RESOURCE_FAILED"
    NAME_TAKEN = "NAME_TAKEN"
    SECRET_NOT_FOUND = "SECRET_NOT_FOUND"  # noqa: S105 - an error code, not a secret
    KUBERNETES_UNAVAILABLE = "KUBERNETES_UNAVAILABLE"
    KUBERNETES_ACCESS_DENIED = "KUBERNETES_ACCESS_DENIED"
    KUBERNETES_REJECTED = "KUBERNETES_REJECTED"
    KUBERNETES_CONFLICT = "KUBERNETES_CONFLICT"
    WORKLOAD_FAILED = "WORKLOAD_FAILED"
    IMAGE_PULL_FAILED = "IMAGE_PULL_FAILED"
    JOB_FAILED = "JOB_FAILED"
    HELM_FAILED = "HELM_FAILED"
    SEALING_FAILED = "SEALING_FAILED"
    CONDUCTOR_UNAVAILABLE = "CONDUCTOR_UNAVAILABLE"
    CONDUCTOR_REJECTED = "CONDUCTOR_REJECTED"
    SMOKE_TEST_FAILED = "SMOKE_TEST_FAILED"
    TIMED_OUT = "TIMED_OUT"
    INTERRUPTED = "INTERRUPTED"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True)
class Problem:
    """What the API, the page and the event log show of an error."""

    code: str
    message: str
    fault: str = Fault.PODIUM
    retryable: bool = True
    remedy: str = ""
    details: tuple[dict[str, Any], ...] = ()
    step: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"details": list(self.details)}


class PodiumError(Exception):
    """An error that says what happened, whose fault it is, whether a retry can help, and what to do.

    `details` lists the parts of a compound error (preflight reports all problems at once): dicts with
    `code`, `field`, `message`, `remedy`. `step` is filled in by the step that failed, e.g. `network.ensure_vpc`.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        fault: Fault,
        retryable: bool,
        remedy: str,
        details: tuple[dict[str, Any], ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fault = fault
        self.retryable = retryable
        self.remedy = remedy
        self.details = details
        self.step: str | None = None

    @property
    def data(self) -> dict[str, Any]:
        """What DBOS stores beside the message: plain JSON."""
        return {
            "fault": str(self.fault),
            "retryable": self.retryable,
            "remedy": self.remedy,
            "details": list(self.details),
            "step": self.step,
        }

    @property
    def problem(self) -> Problem:
        return Problem(
            str(self.code), self.message, str(self.fault), self.retryable, self.remedy, self.details, self.step
        )

    @classmethod
    def by_user(
        cls, code: Code, message: str, remedy: str, *, retryable: bool = True, details: tuple[dict[str, Any], ...] = ()
    ) -> Self:
        """Something the caller can put right (then retry)."""
        return cls(code, message, fault=Fault.USER, retryable=retryable, remedy=remedy, details=details)

    @classmethod
    def by_provider(cls, code: Code, message: str, remedy: str, *, retryable: bool = True) -> Self:
        """Something AWS, Kubernetes, helm or Conductor did."""
        return cls(code, message, fault=Fault.PROVIDER, retryable=retryable, remedy=remedy)


class TransientError(PodiumError):
    """Throttling, 5xx, a connection that broke: tried again within the step, with back-off, before it counts."""


class CredentialsError(TransientError):
    """AWS's credentials are missing, expired or not known to AWS: the phase waits, and goes on when they work."""


def problem_of(error: BaseException) -> Problem:
    """The problem in any exception: ours, DBOS's stored form of ours, or an unexpected one (code INTERNAL).

    The text of an unexpected exception is not shown, since nobody has checked it for secrets: only its type is.
    """
    if isinstance(error, PodiumError):
        return error.problem
    data = getattr(error, "data", None)
    code = getattr(error, "code", None)
    if isinstance(data, dict) and isinstance(code, str) and code in Code.__members__:
        return Problem(
            code,
            str(error),
            str(data.get("fault", Fault.PODIUM)),
            bool(data.get("retryable", True)),
            str(data.get("remedy", "")),
            tuple(data.get("details", ())),
            data.get("step"),
        )
    return Problem(
        Code.INTERNAL,
        f"Podium met an unexpected {getattr(error, 'name', type(error).__name__)}.",
        remedy="Retry; if it happens again, report it with the service's log of this moment.",
    )
