"""What is left of a secret when the code that holds it breaks: nothing in tables, logs, events or memory."""

import gc
import logging
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import service.logging
from steps.clients.sealing import Sealer
from steps.errors import Code, PodiumError
from tests.workflows.test_engine import in_state, start, until
from tests.workflows.toy import World, toy_graphs
from workflows.durable import Run
from workflows.facts import Facts
from workflows.graph import Change, Graph, Phase, Undo
from workflows.runtime import RuntimeSettings, launch

CANARY = "canary-" + "9f8e7d6c5b4a"


def _refused(values: dict[str, str]) -> None:
    """Deep down, with the secret in every frame and in the text."""
    raise RuntimeError(f"refused {values['password']}")


def breaks_unexpectedly(file: str) -> None:
    password = Path(file).read_text()
    _refused({"password": password})


def breaks_in_the_sealer(file: str) -> None:
    """The real sealing, with a certificate that is none."""
    password = Path(file).read_text()
    Sealer("no certificate").seal("dbos", "conductor-db", password)


def breaks_with_a_cause(file: str) -> None:
    """Translated at the edge, as clients do, with the cause chained."""
    password = Path(file).read_text()
    try:
        _refused({"password": password})
    except RuntimeError as error:
        raise PodiumError.by_provider(Code.AWS_INVALID_REQUEST, "AWS refused the values.", "Correct them.") from error


def graphs(file: str, step: object) -> dict[str, Graph]:
    async def run(run: Run) -> Facts:
        await run.step("Using a secret", step, file)  # type: ignore[arg-type]
        return Facts()

    phase = Phase("a", "Doing a", (), run, Undo("Undoing a", run), 1, change=Change(("nodes",)))
    return toy_graphs(World()) | {"install": Graph((phase,))}


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[str]:
    """A file outside of what is searched."""
    file = tmp_path / "outside"
    file.write_text(CANARY)
    yield str(file)
    file.unlink()


def _held_by_frames() -> list[str]:
    """Functions of the product's or this module's frames, kept alive by a traceback, that still know the secret."""
    gc.collect()
    found = []
    for each in gc.get_objects():
        if isinstance(each, types.TracebackType):
            frame = each.tb_frame
            if any(CANARY in repr(value) for name, value in frame.f_locals.items() if name != "each"):
                found.append(frame.f_code.co_qualname)
    return found


@contextmanager
def logged_as_in_production() -> Iterator[None]:
    """The service's own logging at DEBUG, on stderr, and no other: pytest's would keep exceptions with their frames."""
    handlers, level = logging.root.handlers, logging.root.level
    service.logging.configure("DEBUG")
    try:
        yield
    finally:
        logging.root.handlers = handlers
        logging.root.setLevel(level)


@pytest.mark.parametrize("step", [breaks_unexpectedly, breaks_in_the_sealer, breaks_with_a_cause])
def test_a_secret_in_a_step_that_breaks_is_nowhere_afterwards(
    tmp_path: Path, secret: str, step: object, capfd: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with logged_as_in_production():
        runtime = launch(RuntimeSettings(database_url=f"sqlite:///{home}/podium.db"), graphs=graphs(secret, step))
        service.logging.adopt_library_loggers()
        try:
            start(runtime)
            failed = until(runtime, in_state("FAILED"))
            assert failed.operation.error is not None
            assert failed.operation.error["code"] in ("INTERNAL", "SEALING_FAILED", "AWS_INVALID_REQUEST")
            until(runtime, lambda _now: not _held_by_frames(), seconds=5)
            events = runtime.ledger.events("toy", limit=500)
        finally:
            runtime.stop()
    assert "step.failed" in {event.kind for event in events}
    assert CANARY not in repr(events) + repr(failed)
    for file in home.iterdir():
        assert CANARY.encode() not in file.read_bytes(), file.name
    captured = capfd.readouterr()
    assert "test_secrets_of_failures.py" in captured.err
    assert CANARY not in captured.out + captured.err
