"""The engine under random graphs, faults, deaths and requests: what must hold, holds, and every operation ends."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.properties.plans import Plan, plans
from tests.properties.story import Story
from workflows.runtime import RuntimeSettings, launch

REAL = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    print_blob=False,
)
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables."""
    path = tmp_path_factory.mktemp("tables") / "podium.sqlite"
    launch(RuntimeSettings(f"sqlite:///{path}"), execute=False).stop()
    return path


def lived_on_sqlite(plan: Plan, template: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="plan-", dir=template.parent) as name:
        folder = Path(name)
        (folder / "podium.sqlite").write_bytes(template.read_bytes())
        story = Story(plan, folder, f"sqlite:///{folder}/podium.sqlite")
        try:
            story.live()
        finally:
            story.close()


@settings(REAL, max_examples=4)
@given(plan=plans(most=4, events=3))
def test_whatever_happens_an_operation_ends_and_nothing_is_done_twice(plan: Plan, template: Path) -> None:
    lived_on_sqlite(plan, template)
