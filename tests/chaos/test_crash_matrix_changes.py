"""As test_crash_matrix.py, for an upgrade of nearly everything and for the repair of what tests.e2e.breakage breaks.

Only the change dies; the install before it, and the hands between, do not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.chaos.effects import by_operation, made, unmade
from tests.chaos.matrix import DATABASES, INSTALL, NAME, Lived, Site, helms, requests
from tests.chaos.picture import differences, installed_picture
from tests.chaos.points import CHECKPOINTS, Point
from tests.e2e.breakage import BROKEN, Hands
from tests.e2e.harness import guide
from tests.e2e.outside import Cluster
from tests.e2e.test_lifetime import UPGRADE

CHANGES: dict[str, dict[str, Any]] = {"upgrade": {"spec": guide(**UPGRADE)}, "repair": {"name": NAME}}
HELM = (Point.HELM_OUTLIVES, Point.HELM_DIES)

pytestmark = [pytest.mark.chaos, pytest.mark.e2e]


@dataclass(frozen=True)
class Changed:
    """A change of an installation, and what was to be seen after it."""

    kind: str
    point: Point | None
    lived: Lived
    picture: list[str]


def change(site: Site, kind: str, point: Point | None) -> Changed:
    site.run("install", INSTALL, None)
    if kind == "upgrade":
        for repository in ("dbos-app", "dbos-migrate"):
            site.sandbox.push(repository, "v2")
    else:
        break_all(site.env)
    lived = site.run(kind, CHANGES[kind], point)
    return Changed(kind, point, lived, installed_picture(site.env))


def break_all(env: dict[str, str]) -> None:
    hands = Hands(env)
    hands.cluster = Cluster(env)
    try:
        for hand in BROKEN:
            hand(hands)
    finally:
        hands.cluster.http.close()


@pytest.fixture(scope="module")
def alive(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Changed]:
    """Each change without a crash."""
    found = {}
    for kind in CHANGES:
        with Site(tmp_path_factory.mktemp(f"{kind}-alive"), "sqlite") as site:
            found[kind] = change(site, kind, None)
    return found


@pytest.fixture(
    scope="module",
    params=[
        (kind, database, point)
        for kind in CHANGES
        for point in (*CHECKPOINTS, Point.ANSWERED, *HELM)
        for database in DATABASES
    ],
    ids=lambda one: f"{one[0]}-{one[2]}-{one[1]}",
)
def changed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Changed]:
    kind, database, point = request.param
    with Site(tmp_path_factory.mktemp(f"{kind}-{point}-{database}"), database) as site:
        yield change(site, kind, point)


def test_every_point_of_the_change_without_a_crash_was_died_at(changed: Changed, alive: dict[str, Changed]) -> None:
    without, point = alive[changed.kind].lived, changed.point
    assert point is not None
    if point is Point.ANSWERED:
        assert requests(without.reached(point)) - requests(changed.lived.died) == {}
    elif point in HELM:
        assert helms(without.reached(Point.ANSWERED)) <= set(changed.lived.died)
    else:
        assert sorted(changed.lived.died) == sorted(without.reached(point))


def test_what_is_there_is_what_the_change_without_a_crash_leaves(changed: Changed, alive: dict[str, Changed]) -> None:
    assert differences(alive[changed.kind].picture, changed.picture) == []


def test_each_effect_was_had_as_often_as_without_a_crash(changed: Changed, alive: dict[str, Changed]) -> None:
    """By AWS's own log. The same thing may be made twice here: what was taken away by hand comes back once."""
    without = alive[changed.kind].lived
    assert by_operation(made(changed.lived.calls)) == by_operation(made(without.calls))
    assert by_operation(unmade(changed.lived.calls)) == by_operation(unmade(without.calls))
