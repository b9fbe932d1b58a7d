"""A sandbox, operations run in nurseries on it, and what each left behind to be compared."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from tests.chaos.effects import calls
from tests.chaos.helm import write_program
from tests.chaos.life import Plan
from tests.chaos.points import Memory, Point
from tests.e2e.harness import Program, Sandbox, guide, until

NAME = "dbos-conductor"
NURSERY_SECONDS = 3000.0
INSTALL: dict[str, Any] = {"spec": guide()}
UNINSTALL: dict[str, Any] = {"name": NAME, "data": "retain", "force": False}
DATABASES = ("sqlite", "postgres")


@dataclass(frozen=True)
class Lived:
    """What a nursery left in its folder."""

    folder: Path

    @property
    def died(self) -> list[str]:
        """Keys, in the order of the deaths."""
        return [key for _point, key in Memory(self.folder).died()]

    def reached(self, point: Point) -> set[str]:
        """Keys that a run without crash came by."""
        return {key for found, key in Memory(self.folder).reached() if found is point}

    @property
    def calls(self) -> list[dict[str, Any]]:
        return calls(self.folder / "calls")

    @property
    def lives(self) -> list[float]:
        """Seconds of each."""
        found: list[float] = json.loads((self.folder / "lives.json").read_text())
        return found


class Site:
    """A sandbox of its own, and Podium's database: one of `DATABASES`."""

    def __init__(self, home: Path, database: str, **env: str) -> None:
        self.home, self.sandbox = home, Sandbox(home / "sandbox", **env)
        given = self.sandbox.env
        url = given["PODIUM_DATABASE_URL"] if database == "postgres" else f"sqlite:///{home}/podium.sqlite"
        log = f"{given['SANDBOX_CONTROL_URL']}/calls"
        self._plan = Plan(url, given["PODIUM_HELM"], "", {}, log, given["AWS_REGION"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.sandbox.stop()

    @property
    def env(self) -> dict[str, str]:
        return self.sandbox.env

    def run(self, kind: str, arguments: dict[str, Any], point: Point | None, **more: Any) -> Lived:
        """Begins the operation and lets it live, dying at each of the point's keys once (None: at none), to its end.

        `more` are fields of tests.chaos.life.Plan. Raises AssertionError when it does not end well.
        """
        lived = self.plan(kind, arguments, point, **more)
        self.live(lived)
        return lived

    def plan(self, kind: str, arguments: dict[str, Any], point: Point | None, **more: Any) -> Lived:
        """What is still to be lived: see `run`."""
        folder = self.home / f"{kind}-{point or 'alive'}"
        folder.mkdir()
        if point in (Point.HELM_OUTLIVES, Point.HELM_DIES):
            more["helm"] = write_program(folder, self._plan.helm)
        replace(self._plan, kind=kind, arguments=arguments, point=point, **more).write(folder)
        return Lived(folder)

    def live(self, *planned: Lived) -> None:
        """One after the other, in one nursery, whose start costs as much as several lives."""
        folders, log = [str(one.folder) for one in planned], planned[0].folder / "log"
        nursery = Program(["tests.chaos.nursery", *folders], log, self.env)
        try:
            until(lambda: nursery.process.poll() is not None, f"the end of {folders}", NURSERY_SECONDS)
            assert nursery.process.returncode == 0, log.read_text()[-3000:]
        finally:
            nursery.stop()


def requests(keys: set[str] | list[str]) -> Counter[str]:
    """Requests by step and what they do to which kind of thing, without the thing's name."""
    return Counter(_request(key) for key in keys)


def _request(key: str) -> str:
    step, what, _digest = key.split(" | ")
    return f"{step} | {what.rpartition('/')[0] if '/' in what else what}"


def helms(keys: set[str]) -> set[str]:
    """Runs of helm among requests, in the form of tests.chaos.helm.what."""
    found = (key.split(" | ")[1] for key in keys)
    return {what for what in found if what.startswith("helm ")}
