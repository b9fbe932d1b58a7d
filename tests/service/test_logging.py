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


def test_of_an_exception_types_and_places_are_told_and_only_our_own_words(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def deep(password: str) -> None:
        raise ValueError(f"refused {password}")

    logs.configure("INFO")
    try:
        try:
            deep("canary-in-text")
        except ValueError as error:
            raise PodiumError.by_user(Code.AWS_INVALID_REQUEST, "AWS refused the values.", "Correct them.") from error
    except PodiumError:
        logging.getLogger("dbos").exception("a workflow failed")
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "a workflow failed" in line]
    exception = json.loads(line)["exception"]
    assert "canary" not in line
    assert exception.splitlines()[0] == "PodiumError: AWS refused the values."
    assert "ValueError\n" in exception
    assert exception.splitlines()[-1].endswith(" deep")
