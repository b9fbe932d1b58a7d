"""Every checkpoint, and every request within a step, of an install and of an uninstall is died at once, on SQLite and
on PostgreSQL; what is there afterwards is what a run without a crash leaves, and nothing was done twice.

The points' keys come from a run without crash: a new step is covered by being there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.chaos.conftest import Reference
from tests.chaos.effects import by_operation, made, twice, unmade
from tests.chaos.matrix import DATABASES, INSTALL, UNINSTALL, Lived, Site, helms, requests
from tests.chaos.picture import account_picture, differences, installed_picture
from tests.chaos.points import CHECKPOINTS, Point

MOOT = ("charts.await_release_deleted", "namespace.await_namespace_deleted")
"""Of waits that are not begun when nothing is there to wait for."""

HELM = (Point.HELM_OUTLIVES, Point.HELM_DIES)

pytestmark = [pytest.mark.chaos, pytest.mark.e2e]


@dataclass(frozen=True)
class Through:
    """An installation's life with all the deaths of one point."""

    point: Point
    install: Lived
    installed: list[str]
    uninstall: Lived
    uninstalled: list[str]


@pytest.fixture(
    scope="module",
    params=[(database, point) for point in (*CHECKPOINTS, Point.ANSWERED, *HELM) for database in DATABASES],
    ids=lambda one: f"{one[1]}-{one[0]}",
)
def through(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Through]:
    database, point = request.param
    with Site(tmp_path_factory.mktemp(f"{point}-{database}"), database) as site:
        install = site.run("install", INSTALL, point)
        installed = installed_picture(site.env)
        uninstall = site.run("uninstall", UNINSTALL, point)
        yield Through(point, install, installed, uninstall, account_picture(site.env))


def test_every_point_of_the_run_without_a_crash_was_died_at(through: Through, reference: Reference) -> None:
    for crashed, alive in ((through.install, reference.install), (through.uninstall, reference.uninstall)):
        if through.point is Point.ANSWERED:
            assert requests(alive.reached(through.point)) - requests(crashed.died) == {}
        elif through.point in HELM:
            assert helms(alive.reached(Point.ANSWERED)) <= set(crashed.died)
        else:
            assert sorted(set(crashed.died) | _moot(alive, through.point)) == sorted(alive.reached(through.point))


def _moot(alive: Lived, point: Point) -> set[str]:
    """Waits for what a step has deleted: there is none when the step, begun again after a death, finds it gone."""
    return {key for key in alive.reached(point) if key.partition(": ")[2].startswith(MOOT)}


def test_what_is_there_is_what_an_install_without_a_crash_leaves(through: Through, reference: Reference) -> None:
    assert differences(reference.installed, through.installed) == []


def test_nothing_was_made_twice(through: Through, reference: Reference) -> None:
    """By AWS's own log. What was nevertheless made twice would have to be taken away again, and be told here."""
    assert twice(through.install.calls) == {}
    assert by_operation(made(through.install.calls)) == by_operation(made(reference.install.calls))


def test_an_install_takes_nothing_away(through: Through) -> None:
    assert by_operation(unmade(through.install.calls)) == {}


def test_nothing_but_what_is_kept_is_left_after_the_uninstall(through: Through, reference: Reference) -> None:
    """One last snapshot, and the repositories with their images."""
    assert differences(reference.uninstalled, through.uninstalled) == []
    assert [line.partition(":")[0] for line in through.uninstalled].count("rds snapshots") == 1
