"""Every error answer, as RFC 9457 `application/problem+json`: what happened, whose fault, what to do.

`type` is a URN of the stable `code`; `errors` lists fields. An answer never repeats what the caller sent.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from service.api.models import ProvideRequest, RetryRequest
from service.validation import field_errors
from steps.errors import Code, Fault, PodiumError
from workflows import errors
from workflows.spec import InstallationSpec

MEDIA_TYPE = "application/problem+json"
_BODY_OF_VERB: dict[str, type[BaseModel]] = {"retry": RetryRequest, "provide": ProvideRequest}
_STATUS_OF_FAULT = {Fault.USER: 422, Fault.PROVIDER: 502, Fault.PODIUM: 500}
_log = structlog.stdlib.get_logger("podium.api")


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    remedy: str = "",
    field_problems: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> JSONResponse:
    """A problem document; `members` are RFC 9457 extension members such as `fault` or `installation`."""
    document: dict[str, Any] = {
        "type": f"urn:podium:problem:{code.lower().replace('_', '-')}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if remedy:
        document["remedy"] = remedy
    document |= members
    if field_problems:
        document["errors"] = [dict(one) for one in field_problems]
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id:
        document["request_id"] = request_id
    return JSONResponse(document, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


_OF_STATUS = {
    400: ("BAD_REQUEST", "The request could not be read.", "Compare it with /openapi.json."),
    401: ("UNAUTHENTICATED", "The API key is missing or wrong.", "Send it as Authorization: Bearer <key>."),
    403: ("FORBIDDEN", "This is not allowed.", ""),
    404: ("NOT_FOUND", "There is nothing at this address.", "See /openapi.json for what there is."),
    405: ("METHOD_NOT_ALLOWED", "This address does not take that method.", "The Allow header lists those it takes."),
}


def _http_exception(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
    code, detail, remedy = _OF_STATUS.get(
        error.status_code, (HTTPStatus(error.status_code).name, HTTPStatus(error.status_code).description, "")
    )
    return problem(error.status_code, code, detail, remedy=remedy, headers=error.headers)


def _validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type only
    verb = request.url.path.rpartition(":")[2]
    model = _BODY_OF_VERB.get(verb, InstallationSpec)
    return invalid(field_errors(error.errors(), model))


def invalid(field_problems: Sequence[Mapping[str, str]]) -> JSONResponse:
    names = ", ".join(one["field"] for one in field_problems if one["field"]) or "body"
    return problem(
        422,
        Code.INVALID_SPEC,
        f"The request is not valid: {names}.",
        remedy="Correct what `errors` lists and send the request again.",
        field_problems=field_problems,
        fault=Fault.USER,
        retryable=False,
    )


def not_found(what: str, name: str) -> JSONResponse:
    return problem(404, "NOT_FOUND", f"There is no {what} {name}.", remedy="GET /v1/installations lists what there is.")


def _not_found(_request: Request, error: Exception) -> JSONResponse:
    return problem(404, "NOT_FOUND", str(error), remedy="GET /v1/installations lists what there is.")


def _already_exists(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.AlreadyExists)  # noqa: S101 - registered for this type only
    where = f"/v1/installations/{error.name}"
    return problem(
        409,
        "ALREADY_EXISTS",
        f"An installation named {error.name} exists already.",
        remedy=f"Look at {where}, or choose another name.",
        installation=where,
    )


def _already_in_use(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.AlreadyInUse)  # noqa: S101 - registered for this type only
    return problem(
        409,
        "ALREADY_IN_USE",
        str(error),
        remedy="Change what `errors` lists, or uninstall the other installation first.",
        field_problems=error.fields,
    )


def _idempotency_mismatch(_request: Request, _error: Exception) -> JSONResponse:
    return problem(
        422,
        "IDEMPOTENCY_KEY_REUSED",
        "This Idempotency-Key was used before with another body.",
        remedy="Send a new key with a new body; send the same body to get the first answer again.",
    )


def _wrong_state(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.WrongState)  # noqa: S101 - registered for this type only
    what = "phase" if error.state.islower() else "operation"
    return problem(
        409,
        "WRONG_STATE",
        f"The {what} is {error.state}; this needs {' or '.join(error.allowed)}.",
        remedy=f"Wait until the {what} is in such a state.",
        state=error.state,
        allowed=list(error.allowed),
    )


def _in_progress(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.OperationInProgress)  # noqa: S101 - registered for this type only
    return problem(
        409,
        "OPERATION_IN_PROGRESS",
        f"Another operation ({error.kind}) on this installation is {error.state}.",
        remedy="Wait until it has ended, or cancel it first (POST …:cancel).",
        operation=f"/v1/operations/{error.id}",
        state=error.state,
    )


def _impossible(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.Impossible)  # noqa: S101 - registered for this type only
    names = ", ".join(one["field"] for one in error.fields)
    return problem(
        422,
        "IMMUTABLE_FIELD",
        f"This cannot be changed of an installation: {names}.",
        remedy="Leave these fields as they are, or do what `errors` says of each.",
        field_problems=error.fields,
        fault=Fault.USER,
        retryable=False,
    )


def _renamed(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.Renamed)  # noqa: S101 - registered for this type only
    remedy = f"Send the spec with name {error.name}, or install the other one with POST /v1/installations."
    return invalid([{"field": "name", "message": "Names another installation than the path.", "remedy": remedy}])


def _uninstall_begun(_request: Request, _error: Exception) -> JSONResponse:
    return problem(
        409,
        "UNINSTALL_BEGUN",
        "An uninstall of this installation was begun and has not ended well.",
        remedy="Bring it to its end (POST …:retry), then install anew with POST /v1/installations.",
    )


def _nothing_applied(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.NothingApplied)  # noqa: S101 - registered for this type only
    return problem(
        409,
        "NOTHING_APPLIED",
        f"Nothing of {error.name} has been made yet, so there is nothing to compare.",
        remedy="Bring the install on its way (POST …:retry, or PUT a corrected spec) and ask again.",
    )


def _unknown_phase(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.UnknownPhase)  # noqa: S101 - registered for this type only
    remedy = f"Use one of {', '.join(error.names)}."
    one = {"field": "phase", "message": "There is no phase of this name.", "remedy": remedy}
    return problem(422, "UNKNOWN_PHASE", "There is no phase of this name.", remedy=remedy, field_problems=[one])


def _podium_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PodiumError)  # noqa: S101 - registered for this type only
    return problem(
        _STATUS_OF_FAULT[error.fault],
        error.code,
        error.message,
        remedy=error.remedy,
        field_problems=error.details,
        fault=error.fault,
        retryable=error.retryable,
    )


def _database_unavailable(_request: Request, error: Exception) -> JSONResponse:
    _log.error("database_unavailable", error_type=type(error).__name__)
    return problem(
        503,
        "DATABASE_UNAVAILABLE",
        "Podium's database does not answer.",
        remedy="Try again in a moment; if it lasts, check the database that PODIUM_DATABASE_URL names.",
        headers={"Retry-After": "5"},
        retryable=True,
    )


def _database_error(request: Request, error: Exception) -> JSONResponse:
    """Those by which a database ends a connection are an outage, whatever class their driver gives them."""
    from workflows.database import is_outage  # noqa: PLC0415 - heavy

    if is_outage(error):
        return _database_unavailable(request, error)
    raise error


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    """Starlette hands the exception on to the server's log afterwards; its text is not for the caller.

    It answers from outside all other middleware, so the request's id is neither bound nor sent by itself.
    """
    request_id: str = request.state.request_id
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        _log.error("unexpected_error", error_type=type(error).__name__)
        return problem(
            500,
            Code.INTERNAL,
            f"Podium met an unexpected {type(error).__name__}.",
            remedy="Try again; if it happens again, report it with request_id and the service's log.",
            headers={"X-Request-Id": request_id},
            fault=Fault.PODIUM,
            retryable=True,
        )


def install(app: FastAPI) -> None:
    """Registers the handlers."""
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, TimeoutError  # noqa: A004, PLC0415 - heavy

    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(errors.NotFound, _not_found)
    app.add_exception_handler(errors.AlreadyExists, _already_exists)
    app.add_exception_handler(errors.AlreadyInUse, _already_in_use)
    app.add_exception_handler(errors.IdempotencyMismatch, _idempotency_mismatch)
    app.add_exception_handler(errors.WrongState, _wrong_state)
    app.add_exception_handler(errors.OperationInProgress, _in_progress)
    app.add_exception_handler(errors.UnknownPhase, _unknown_phase)
    app.add_exception_handler(errors.Impossible, _impossible)
    app.add_exception_handler(errors.Renamed, _renamed)
    app.add_exception_handler(errors.UninstallBegun, _uninstall_begun)
    app.add_exception_handler(errors.NothingApplied, _nothing_applied)
    app.add_exception_handler(PodiumError, _podium_error)
    app.add_exception_handler(errors.DatabaseUnavailable, _database_unavailable)
    app.add_exception_handler(OperationalError, _database_unavailable)
    app.add_exception_handler(InterfaceError, _database_unavailable)
    app.add_exception_handler(TimeoutError, _database_unavailable)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(Exception, _unexpected)
