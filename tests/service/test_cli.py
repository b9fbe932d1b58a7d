"""The command line: what it prints, and how it says no."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import jsonschema
import pytest
import yaml
from fastapi import FastAPI
from rich.console import Console

from service.cli import main as entry
from service.cli.children import Child
from service.cli.client import Api, connect
from service.cli.demo import Wanted, run
from service.cli.documents import GUIDE, into_environment
from service.cli.errors import CliError
from service.cli.sandboxes import checked_speed
from service.cli.watching import Watch
from steps.errors import Code, Fault, Problem
from steps.waiting import NeedsPerson
from tests.service.live import served
from tests.service.world import KEY, Story
from workflows.schema import json_schema
from workflows.spec import InstallationSpec


@contextmanager
def arguments(*given: str) -> Iterator[None]:
    before, sys.argv = sys.argv, ["podium", *given]
    try:
        yield
    finally:
        sys.argv = before


def podium(*given: str) -> int:
    with arguments(*given), pytest.raises(SystemExit) as ended:
        entry.main()
    code = ended.value.code
    return code if isinstance(code, int) else 0


@pytest.fixture
def home(app: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A sandbox's home whose service is `app`."""
    monkeypatch.delenv("PODIUM_URL", raising=False)
    monkeypatch.delenv("PODIUM_API_KEY", raising=False)
    with served(app) as url:
        (tmp_path / "sandbox.env").write_text(f"# made for a test\nPODIUM_URL={url}\nPODIUM_API_KEY={KEY}\n")
        yield tmp_path


def test_help_comes_without_loading_the_service() -> None:
    program = (
        "import sys, service.cli.main; print([m for m in ('fastapi', 'dbos', 'boto3', 'httpx2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_guide_is_a_valid_spec_with_the_guides_values() -> None:
    document = yaml.safe_load(GUIDE.read_text())
    jsonschema.validate(document, json_schema())
    given = InstallationSpec.model_validate(document).model_dump()
    short = InstallationSpec.model_validate({"name": "dbos-conductor", "aws": {"region": "us-west-2"}}).model_dump()
    assert given.pop("exposure")["mode"] == "path"
    assert short.pop("exposure")["mode"] == "internal"
    registry = given.pop("registry")
    assert (registry["app_repository"], registry["migrate_repository"]) == ("dbos-app", "dbos-migrate")
    short.pop("registry")
    assert given == short


def test_plan_shows_phases_resources_and_warnings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert podium("plan", str(GUIDE)) == 0
    text = capsys.readouterr().out
    for word in ("Creating the EKS control plane", "dbos-conductor-pg", "exposure.allow_unauthenticated"):
        assert word in text
    assert podium("plan", str(GUIDE), "--json") == 0
    assert json.loads(capsys.readouterr().out)["name"] == "dbos-conductor"


def test_plan_names_every_wrong_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("name: dbos\naws: {region: us-wst-2}\nnodes: {count: 0, cuont: 1}\n")
    assert podium("plan", str(file)) == 1
    text = capsys.readouterr().err
    assert "aws.region: There is no AWS region of this name." in text
    assert "nodes.count: " in text
    assert "nodes.cuont: There is no field of this name. Did you mean count?" in text
    assert podium("plan", str(tmp_path / "none.yaml")) == 1
    assert "cannot read" in capsys.readouterr().err


def test_schema_is_a_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert podium("schema") == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


def test_status_retry_cancel_uninstall_and_events_talk_to_the_sandboxs_service(
    home: Path, story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    story.finish("preflight")
    at_home = ("--home", str(home))
    assert podium("status", *at_home) == 0
    assert "dbos-conductor  PROVISIONING" in capsys.readouterr().out
    assert podium("status", "dbos-conductor", *at_home) == 0
    assert "✓ Checking account" in capsys.readouterr().out
    assert podium("status", "dbos-conductor", "--json", *at_home) == 0
    assert json.loads(capsys.readouterr().out)["operation"]["id"] == story.operation.id
    assert podium("events", "dbos-conductor", *at_home) == 0
    assert "phase.succeeded" in capsys.readouterr().out
    assert podium("retry", "dbos-conductor", *at_home) == 1
    assert "podium: The operation is RUNNING; this needs FAILED or CANCELLED." in capsys.readouterr().err
    assert podium("cancel", "dbos-conductor", *at_home) == 0
    assert "dbos-conductor: cancelled" in capsys.readouterr().out
    assert podium("uninstall", "dbos-conductor", "--yes", *at_home) == 0
    assert "dbos-conductor: uninstalling, a last snapshot of the database is kept" in capsys.readouterr().out
    assert podium("status", "nothing", *at_home) == 1
    assert "There is no installation nothing." in capsys.readouterr().err


def test_apply_shows_the_plan_and_begins_the_upgrade(
    home: Path, story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    story.finish_all()
    file, at_home = tmp_path / "changed.yaml", ("--home", str(home))
    file.write_text(yaml.safe_dump(story.spec.public()))
    assert podium("apply", str(file), *at_home) == 0
    assert "there is nothing to do" in capsys.readouterr().out
    file.write_text(yaml.safe_dump(story.spec.public() | {"nodes": {"count": 4}}))
    assert podium("apply", str(file), "--plan", *at_home) == 0
    assert "nodes.count  2     4" in capsys.readouterr().out
    assert podium("apply", str(file), "--yes", *at_home) == 0
    assert "dbos-conductor: changing (operation " in capsys.readouterr().out
    file.write_text(yaml.safe_dump(story.spec.public() | {"namespace": "other"}))
    assert podium("apply", str(file), "--yes", *at_home) == 1
    assert "namespace: Kubernetes objects cannot be moved" in capsys.readouterr().err
    file.write_text("aws: {region: us-west-2}")
    assert podium("apply", str(file), *at_home) == 1
    assert "the spec has no name" in capsys.readouterr().err


def test_events_are_followed_as_they_happen(home: Path, app: FastAPI, story: Story) -> None:
    with connect(home) as api:
        lines = api.follow("dbos-conductor")
        assert json.loads(next(lines))["kind"] == "operation.started"
        story.run("preflight")
        assert json.loads(next(lines))["kind"] == "phase.started"
        app.state.event_watcher.close()
        assert [json.loads(line)["kind"] for line in lines] in ([], ["step.started"])


def test_a_service_that_is_not_there_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sandbox.env").write_text("PODIUM_URL=http://127.0.0.1:9\nPODIUM_API_KEY=x\n")
    assert podium("status", "--home", str(tmp_path)) == 1
    assert capsys.readouterr().err.startswith("podium: no Podium answers at http://127.0.0.1:9.")


def test_a_sandboxs_key_is_not_sent_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = connect(home).url
    monkeypatch.setenv("PODIUM_URL", url)
    with connect(home) as api, pytest.raises(CliError, match="API key is missing or wrong"):
        api.installations()


def watched(home: Path, console: Console) -> tuple[Api, Watch]:
    api = connect(home)
    return api, Watch(api, "dbos-conductor", None, console)


def test_progress_is_told_line_by_line_where_there_is_no_terminal(home: Path, story: Story) -> None:
    story.finish("preflight")
    story.run("registry")
    need = NeedsPerson("An image is missing.", "Push it.", ("docker push x",))
    story.journal.phase_waiting(story.operation.id, "registry", "registry.await_image", need)
    text = StringIO()
    api, watch = watched(home, Console(file=text, width=200))
    problem = Problem(Code.AWS_QUOTA_EXCEEDED, "No address is left.", Fault.USER, True, "Release one.")
    timer = threading.Timer(0.5, story.fail, ("network", problem))
    timer.start()
    with api:
        assert watch.until_ended() == "FAILED"
    timer.join()
    lines = text.getvalue().splitlines()
    assert any("succeeded  Checking account" in line for line in lines)
    assert "    docker push x" in lines
    assert "✗ Creating the VPC failed: AWS_QUOTA_EXCEEDED No address is left." in lines
    assert "  What to do: Release one." in lines
    assert lines[-1].endswith("dbos-conductor is FAILED")


def test_progress_is_a_live_display_on_a_terminal(home: Path, story: Story) -> None:
    story.finish("preflight")
    story.run("network")
    text = StringIO()
    api, watch = watched(
        home, Console(file=text, width=120, height=60, force_terminal=True, _environ={"TERM": "xterm"})
    )
    outputs = {"app_url": "http://127.0.0.1:1/app"}
    done = {"outputs": outputs, "facts": {}}
    timer = threading.Timer(0.5, story.journal.operation_succeeded, (story.operation.id,), done)
    timer.start()
    with api:
        assert watch.until_ended() == "READY"
    timer.join()
    assert "Creating the VPC" in text.getvalue()


def test_a_child_ends_when_its_pipe_closes_and_can_be_started_again(tmp_path: Path) -> None:
    program = "import sys; print('up', flush=True); sys.stdin.read()"
    child = Child("The thing", [sys.executable, "-c", program], tmp_path / "log", {})
    try:
        child.wait_until(lambda: "up" in child.log.read_text(), 20)
        first = child.pid
        child.restart()
        assert child.pid != first
    finally:
        child.stop()
    assert child.code == 0


def test_a_child_that_fails_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = Child("The thing", [sys.executable, "-c", "print('why'); raise SystemExit(7)"], tmp_path / "log", {})
    with pytest.raises(CliError, match=r"The thing ended with code 7\.\nThe last lines of .*:\n  why"):
        child.wait_until(lambda: False, 20)
    child.stop()


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "", "1e3"])
def test_a_speed_is_a_positive_number_or_max(speed: str) -> None:
    with pytest.raises(CliError, match="--speed"):
        checked_speed(speed)
    assert checked_speed("max") == "max"
    assert checked_speed("0.5") == "0.5"


def test_the_demo_says_when_its_spec_is_not_there(tmp_path: Path) -> None:
    wanted = Wanted(home=tmp_path, speed="max", spec=tmp_path / "none.yaml", leave=True, retry=False)
    with pytest.raises(CliError, match="cannot read"):
        run(wanted)


def test_an_env_file_fills_in_what_the_environment_does_not_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PODIUM_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("PODIUM_HELM", "")
    monkeypatch.delenv("PODIUM_HELM")
    (tmp_path / "sandbox.env").write_text("PODIUM_URL=http://127.0.0.1:2\nPODIUM_HELM=/somewhere/helm\n")
    into_environment(tmp_path / "sandbox.env")
    assert (os.environ["PODIUM_URL"], os.environ["PODIUM_HELM"]) == ("http://127.0.0.1:1", "/somewhere/helm")
    with pytest.raises(CliError, match="no such file"):
        into_environment(tmp_path / "nothing.env")
