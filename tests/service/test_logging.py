"""Logs: one JSON object per line, without secrets."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from service import logging as logs
from steps.errors import Code, PodiumError


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    handlers, level = logging.root.handlers, logging.root.level
    yield
    logging.root.handlers, logging.root.level = handlers, level


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def test_secrets_are_hidden_by_name_and_in_text(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    structlog.stdlib.get_logger("test").info(
        "went to postgresql://podium:canary-1@db/podium",
        license_key="canary-2",
        headers={"Authorization": "Bearer canary-3333", "note": "Bearer canary-4444"},
        url="https://x/?X-Amz-Signature=canary5&a=1",
        database="postgresql://db/podium?user=podium&password=canary%2F6&sslpassword=canary7",
    )
    (line,) = lines(capfd)
    assert "canary" not in json.dumps(line)
    assert line["event"] == "went to postgresql://podium:[redacted]@db/podium"
    assert line["level"] == "info"


def test_libraries_log_through_the_same_door(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    try:
        raise ValueError("postgresql://podium:canary-1@db/podium")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("failed with %s", "Bearer canary-2222")
    logging.getLogger("botocore.auth").info("not shown")
    (line,) = lines(capfd)
    assert "canary" not in json.dumps(line)
    assert "ValueError" in str(line["exception"])


def test_an_exception_says_where_it_came_from_and_only_our_own_say_their_text(
    capfd: pytest.CaptureFixture[str],
) -> None:
    logs.configure("INFO")
    try:
        try:
            raise ValueError("canary")
        except ValueError as error:
            raise PodiumError.by_provider(Code.SEALING_FAILED, "It refused.", "Retry.") from error
    except PodiumError:
        logging.getLogger("dbos").exception("failed")
    (line,) = lines(capfd)
    told = str(line["exception"])
    assert "canary" not in told.replace('raise ValueError("canary")', "")
    assert "builtins.ValueError\n" in told
    assert told.endswith("steps.errors.PodiumError: It refused.")
    assert "test_logging.py" in told
