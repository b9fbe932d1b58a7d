"""Every refusal as an RFC 9457 problem, the error body of the OpenAPI document (its schema ErrorModel)."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """Ends a request with this status; `detail` is a sentence for a person."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail

    def response(self) -> JSONResponse:
        return problem(self.status, self.detail)


def problem(status: int, detail: str, errors: list[dict[str, Any]] | None = None) -> JSONResponse:
    """The answer itself; `errors` locates the faults of a request that failed validation."""
    body: dict[str, Any] = {
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "type": "about:blank",
    }
    if errors:
        body["errors"] = errors
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE)


def _raised(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)  # noqa: S101 - registered for this class only
    return error.response()


def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    return problem(422, "validation failed", [_fault(fault) for fault in error.errors()])


def _fault(fault: dict[str, Any]) -> dict[str, Any]:
    located = {"location": ".".join(str(part) for part in fault["loc"]), "message": fault["msg"]}
    value = fault.get("input")
    return {**located, "value": value} if isinstance(value, str | int | float | bool) else located


def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    return problem(error.status_code, str(error.detail))


def install(app: FastAPI) -> None:
    """Makes the application answer with problems, also for paths it does not know."""
    app.add_exception_handler(ProblemError, _raised)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
