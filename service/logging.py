"""Logs as one JSON object per line on stderr: ours, uvicorn's and the libraries', all through the same processors.

Redaction is the last line of defence, not the first: no code of ours logs a secret on purpose. Of an exception only
types and places are told, and the text of our own errors: nobody has checked a library's text for secrets (DBOS logs
every error of a workflow with all its causes).
"""

import logging
import re
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from typing import Any

import structlog
from structlog.typing import ExcInfo, Processor

from steps.errors import PodiumError

REDACTED = "[redacted]"

_SECRET_KEY = re.compile(r"secret|passw|token|authorization|api_?key|licen[cs]e|credential|cookie", re.IGNORECASE)
_SECRET_TEXT = (
    (re.compile(r"(://[^\s:/@]*:)[^\s@/]+@"), r"\1" + REDACTED + "@"),
    (re.compile(r"(?i)(bearer\s+)[A-Za-z0-9._~+/=-]{8,}"), r"\1" + REDACTED),
    (re.compile(r"(?i)((?:x-amz-(?:signature|security-token|credential))=)[^&\s]+"), r"\1" + REDACTED),
)


def scrub(text: str) -> str:
    """`text` without passwords in URLs, bearer tokens and AWS signatures."""
    for pattern, replacement in _SECRET_TEXT:
        text = pattern.sub(replacement, text)
    return text


def _redacted(key: str, value: Any) -> Any:
    if _SECRET_KEY.search(key):
        return REDACTED
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {name: _redacted(str(name), part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", part) for part in value]
    return value


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Processor: hides values of keys that look secret and secrets inside text; drops uvicorn's coloured copies."""
    return {key: _redacted(key, value) for key, value in event.items() if key != "color_message"}


def traced(exc_info: ExcInfo) -> str:
    """An exception with its causes, the latest first: type (and our own errors' text), then a line for each place."""
    return "\n".join(_traced(exc_info[1], set()))


def _traced(error: BaseException | None, seen: set[int]) -> Iterator[str]:
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield f"{type(error).__qualname__}{f': {error.message}' if isinstance(error, PodiumError) else ''}"
        for place in traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), lookup_lines=False):
            yield f"  {place.filename.rpartition('site-packages/')[2]}:{place.lineno} {place.name}"
        for part in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
            yield from _traced(part, seen)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def configure(level: str) -> None:
    """Sends every logger of this process to stderr as JSON, from `level` upwards."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(traced),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(level)
    adopt_library_loggers()


def adopt_library_loggers() -> None:
    """Takes away the handlers that libraries gave their own loggers, so that nothing is printed twice or unredacted.

    Called again after DBOS was launched, since that is when DBOS adds its own.
    """
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "dbos", "alembic"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").setLevel(logging.CRITICAL)  # service.api.context logs requests, without queries
    for name in ("botocore", "boto3", "urllib3", "kubernetes", "httpx2", "httpcore2", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
