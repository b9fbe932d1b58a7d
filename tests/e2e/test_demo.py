"""The README's promise: kill the demo in the middle and start it again; it goes on."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.e2e.harness import ROOT, read_env, until

pytestmark = pytest.mark.e2e


class Demo:
    """`podium demo` in a folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home, self.log = home, home.with_suffix(".out")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "subprocess.Popen[bytes]":
        command = [
            sys.executable,
            "-m",
            "service.cli.main",
            "demo",
            "--home",
            str(self.home),
            "--speed",
            "max",
            "--exit",
        ]
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PODIUM_", "AWS_"))}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, env=clean, cwd=ROOT)
        return self.process

    def steps(self) -> int:
        """How many steps have ended well so far."""
        env = read_env(self.home / "sandbox.env") if (self.home / "sandbox.env").exists() else {}
        if "PODIUM_DATABASE_URL" not in env:
            return 0
        engine = sa.create_engine(env["PODIUM_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"))
        query = sa.text("SELECT count(*) FROM podium_events WHERE kind = 'step.succeeded'")
        try:
            with engine.connect() as connection:
                return int(connection.execute(query).scalar_one())
        except sa.exc.DBAPIError:
            return 0
        finally:
            engine.dispose()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path / "home")
    yield demo
    if demo.process is not None and demo.process.poll() is None:
        demo.process.send_signal(signal.SIGTERM)
        demo.process.wait(30)


def test_a_demo_that_is_killed_in_the_middle_goes_on_when_it_is_started_again_at_once(demo: Demo) -> None:
    first = demo.start()
    until(lambda: demo.steps() > 20, "the install is in the middle", 60)
    first.kill()
    first.wait()
    second = demo.start()
    assert second.wait(150) == 0, demo.log.read_text()[-2000:]
    states = [
        json.loads(line) for line in (demo.home / "logs" / "service.log").read_text().splitlines() if line[:1] == "{"
    ]
    assert sum(entry["event"] == "listening" for entry in states) == 2
