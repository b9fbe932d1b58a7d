"""Errors that the API answers with, each rendering a `metav1.Status` worded as kube-apiserver words it.

    ApiError
    ├── BadRequest 400          ├── Conflict 409            ├── Invalid 422
    ├── Unauthorized 401        │   └── ApplyConflict 409   ├── TooManyRequests 429
    ├── Forbidden 403           ├── AlreadyExists 409       ├── InternalError 500
    ├── NotFound 404            ├── Gone 410 (Expired)      ├── Unsupported 501
    ├── MethodNotAllowed 405    ├── UnsupportedMediaType 415└── ServiceUnavailable 503, Timeout 504
    └── NotAcceptable 406
Source of the texts: k8s.io/apimachinery/pkg/api/errors.
"""

import json
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of Status.details.causes: which field is wrong, and why."""

    field: str
    reason: str
    message: str


def required(field: str, detail: str = "") -> Cause:
    """A field that must be given."""
    return Cause(field, "FieldValueRequired", f"Required value{': ' + detail if detail else ''}")


def invalid(field: str, value: Any, detail: str) -> Cause:
    """A value that is malformed."""
    return Cause(field, "FieldValueInvalid", f"Invalid value: {render(value)}: {detail}")


def immutable(field: str, value: Any) -> Cause:
    """A field that cannot change after creation."""
    return invalid(field, value, "field is immutable")


def unsupported(field: str, value: Any, choices: list[str]) -> Cause:
    """A value outside an enumeration."""
    listed = ", ".join(f'"{choice}"' for choice in choices)
    return Cause(field, "FieldValueNotSupported", f"Unsupported value: {render(value)}: supported values: {listed}")


def duplicate(field: str, value: Any) -> Cause:
    """A list entry whose key is already taken."""
    return Cause(field, "FieldValueDuplicate", f"Duplicate value: {render(value)}")


def not_found(field: str, value: Any) -> Cause:
    """A reference to something that is not there."""
    return Cause(field, "FieldValueNotFound", f"Not found: {render(value)}")


def forbidden(field: str, detail: str) -> Cause:
    """A field that may not be set or changed here."""
    return Cause(field, "FieldValueForbidden", f"Forbidden: {detail}")


def render(value: Any) -> str:
    """A value as Go's field errors print it: strings quoted, the rest as JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class ApiError(Exception):
    """An answer that is a failure; `status()` is its body."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(self, message: str, *, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.metadata: dict[str, Any] = {}  # of the Status: `continue` of a list that is too old

    def status(self) -> dict[str, Any]:
        """The `metav1.Status` object."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return body | {"code": self.code}


def split_kind(kind: str) -> tuple[str, str]:
    """`deployments.apps` -> (`deployments`, `apps`); `pods` -> (`pods`, ``)."""
    plural, _, group = kind.partition(".")
    return plural, group


def _details(kind: str, name: str, **extra: Any) -> dict[str, Any]:
    plural, group = split_kind(kind)
    known = {"name": name, "group": group, "kind": plural}
    return {key: value for key, value in known.items() if value} | extra


class BadRequest(ApiError):
    """400: the request cannot be understood."""

    code, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    """401: who calls is not known."""

    code, reason = 401, "Unauthorized"


class Forbidden(ApiError):
    """403: refused for `kind` `name` because of `detail`."""

    code, reason = 403, "Forbidden"

    def __init__(self, kind: str, name: str, detail: str) -> None:
        what = f'{kind} "{name}"' if name else kind
        super().__init__(f"{what} is forbidden: {detail}", details=_details(kind, name))


class NotFound(ApiError):
    """404: no object of that name."""

    code, reason = 404, "NotFound"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f'{kind} "{name}" not found', details=_details(kind, name))


class PathNotFound(ApiError):
    """404: no such resource type or path."""

    code, reason = 404, "NotFound"

    def __init__(self) -> None:
        super().__init__("the server could not find the requested resource", details={})


class UnknownPath(PathNotFound):
    """404 in plain text: what the real server answers below groups that it does not serve."""


class MethodNotAllowed(ApiError):
    """405: the verb is not served on this path."""

    code, reason = 405, "MethodNotAllowed"

    def __init__(self) -> None:
        super().__init__("the server does not allow this method on the requested resource", details={})


class NotAcceptable(ApiError):
    """406: none of the accepted media types can be produced."""

    code, reason = 406, "NotAcceptable"


class Conflict(ApiError):
    """409: somebody else changed the object first, or a precondition fails."""

    code, reason = 409, "Conflict"

    def __init__(self, kind: str, name: str, detail: str) -> None:
        super().__init__(
            f'Operation cannot be fulfilled on {kind} "{name}": {detail}',
            details=_details(kind, name),
        )


class ApplyConflict(ApiError):
    """409: server-side apply would take fields that other managers own."""

    code, reason = 409, "Conflict"

    def __init__(self, message: str, causes: list[Cause]) -> None:
        super().__init__(message, details={"causes": _causes(causes)})


class AlreadyExists(ApiError):
    """409: an object of that name is there already."""

    code, reason = 409, "AlreadyExists"

    def __init__(self, kind: str, name: str, *, deleting: bool = False) -> None:
        head = "object is being deleted: " if deleting else ""
        super().__init__(f'{head}{kind} "{name}" already exists', details=_details(kind, name))


class Gone(ApiError):
    """410: the resourceVersion asked for is no longer in the history."""

    code, reason = 410, "Expired"


class UnsupportedMediaType(ApiError):
    """415: the body's media type is not understood."""

    code, reason = 415, "UnsupportedMediaType"


class Invalid(ApiError):
    """422: the object is understood but not valid. `name` and `kind` (`Deployment.apps`) as in Kubernetes' own text."""

    code, reason = 422, "Invalid"

    def __init__(self, kind: str, name: str, causes: list[Cause]) -> None:
        texts = [f"{cause.field}: {cause.message}" for cause in causes]
        texts = list(dict.fromkeys(texts))
        summary = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
        super().__init__(
            f'{kind} "{name}" is invalid: {summary}',
            details=_details(kind, name, causes=_causes(causes)),
        )
        self.causes = causes


class TooManyRequests(ApiError):
    """429: try again later; `seconds`, unless 0, becomes Retry-After."""

    code, reason = 429, "TooManyRequests"

    def __init__(self, message: str, *, seconds: int = 1, details: dict[str, Any] | None = None) -> None:
        super().__init__(message, details=(details or {}) | ({"retryAfterSeconds": seconds} if seconds else {}))


class InternalError(ApiError):
    """500: a mistake of the server's own."""


class Unclassified(ApiError):
    """500 without a reason: what the real server answers for errors that it did not foresee."""

    code, reason = 500, ""


class Unsupported(ApiError):
    """501: real Kubernetes does this, the sandbox does not; said loudly so that nobody takes it for an answer."""

    code, reason = 501, "NotImplemented"

    def __init__(self, what: str) -> None:
        super().__init__(f"the sandbox's Kubernetes API does not implement {what}")


class ServiceUnavailable(ApiError):
    """503: nothing there to answer."""

    code, reason = 503, "ServiceUnavailable"


class Timeout(ApiError):
    """504: not within the time given."""

    code, reason = 504, "Timeout"


def _causes(causes: list[Cause]) -> list[dict[str, str]]:
    return [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes]
