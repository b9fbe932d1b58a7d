"""A step that fails with a secret in its variables and in its exception's text leaves it nowhere."""

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from service import logging as logs
from steps.clients.sealing import Sealer
from steps.errors import Code, PodiumError, TransientError
from steps.waiting import Pending
from tests.memory import Hidden
from tests.workflows.test_engine import SPEC, in_state, until
from workflows.durable import Run
from workflows.facts import Facts
from workflows.graph import Graph, Phase, Undo, undoing
from workflows.runtime import RuntimeSettings, launch


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    handlers, level = logging.root.handlers, logging.root.level
    yield
    logging.root.handlers, logging.root.level = handlers, level
    structlog.reset_defaults()


def unexpected(hidden: Hidden) -> None:
    value = hidden.reveal()
    raise ValueError(f"cannot encode {value}")


def in_the_sealer(hidden: Hidden) -> None:
    """The real sealing, with a certificate that is none."""
    value = hidden.reveal()
    Sealer("no certificate").seal("dbos", "conductor-db", value)


def translated(hidden: Hidden) -> None:
    """As a client does with a vendor's error."""
    try:
        unexpected(hidden)
    except ValueError as error:
        raise PodiumError.by_provider(Code.SEALING_FAILED, "It refused.", "Retry.") from error


def transient(hidden: Hidden) -> None:
    try:
        unexpected(hidden)
    except ValueError as error:
        raise TransientError.by_provider(Code.AWS_UNAVAILABLE, "It is busy.", "Retry.") from error


def look(hidden: Hidden) -> Pending:
    transient(hidden)
    return Pending("never")


Step = Callable[[Hidden], object]


def graphs(step: Step, hidden: Hidden) -> dict[str, Graph]:
    async def run(run: Run) -> Facts:
        if step is look:
            await run.wait("Looking", look, 0.001, hidden)
        else:
            await run.step("Failing", step, hidden)
        return Facts()

    def phase(name: str) -> Phase:
        return Phase(name, name, (), run, Undo(name, run), 1)

    install = Graph((phase("a"),))
    return {"install": install, "uninstall": undoing(install, first=phase("survey"), last=phase("proof"))}


@pytest.mark.parametrize(
    "step",
    [unexpected, look, *(pytest.param(one, marks=pytest.mark.chaos) for one in (in_the_sealer, translated, transient))],
    ids=lambda one: one.__name__,
)
def test_a_failed_step_leaves_no_secret_behind(step: Step, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    hidden = Hidden(secrets.token_hex(16))
    logs.configure("DEBUG")
    runtime = launch(RuntimeSettings(f"sqlite:///{tmp_path}/podium.db"), graphs=graphs(step, hidden))
    try:
        logs.adopt_library_loggers()
        runtime.control.create(SPEC, idempotency_key=None, fingerprint="")
        until(runtime, in_state("FAILED"), 60)
        ended(runtime.client.retrieve_workflow(runtime.ledger.installation("toy").operation.id).get_status)  # type: ignore[union-attr]
        assert hidden.holders() == []
    finally:
        runtime.stop()
    said = "".join(capfd.readouterr())
    assert "step.unexpected_error" in said or step is not unexpected
    assert "PodiumError: " in said or "TransientError: " in said
    assert not hidden.is_in(said)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert [path.name for path in files if hidden.is_in(path.read_bytes())] == []
    assert hidden.holders() == []


def ended(status: Callable[[], object]) -> None:
    """The workflow has recorded its end."""
    deadline = time.monotonic() + 20
    while getattr(status(), "status", None) != "ERROR":
        assert time.monotonic() < deadline
        time.sleep(0.02)  # polling with a deadline
