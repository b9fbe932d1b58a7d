"""The ground on which a changed spec is compared, also where an older release kept none."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.e2e.harness import guide
from workflows.applied import Applied, as_json, of_installation
from workflows.phases import GRAPHS
from workflows.records import InstallationRecord, OperationRecord
from workflows.spec import InstallationSpec

INSTALL = GRAPHS["install"]
SPEC = InstallationSpec.model_validate(guide())
MOMENT = datetime(2026, 11, 1, tzinfo=UTC)
OPERATION = OperationRecord("one", SPEC.name, "install", "SUCCEEDED", 100, MOMENT)
READY = InstallationRecord(SPEC.name, "id", "READY", SPEC.public(), {}, MOMENT, MOMENT, OPERATION)
HALF = as_json({"console": Applied({"console.replicas": 7}, settled=True, seq=9)})


def test_an_install_that_an_older_release_ended_went_by_its_spec() -> None:
    found = of_installation(INSTALL, READY)
    assert set(found) == {phase.name for phase in INSTALL.wanted(SPEC)}
    assert all(one.settled for one in found.values())


def test_of_an_install_that_was_taken_over_both_parts_are_known() -> None:
    """What this release did is as it was kept; what the older one had done was taken for never done."""
    found = of_installation(INSTALL, replace(READY, applied=HALF))
    assert set(found) == {phase.name for phase in INSTALL.wanted(SPEC)}
    assert found["console"].fields == {"console.replicas": 7}
    assert found["network"].settled


@pytest.mark.parametrize(
    "installation",
    [
        replace(READY, state="FAILED", applied=HALF),
        replace(READY, operation=replace(OPERATION, kind="upgrade"), applied=HALF),
    ],
    ids=["failed", "changed"],
)
def test_otherwise_nothing_is_taken_for_done_that_was_not_kept(installation: InstallationRecord) -> None:
    assert set(of_installation(INSTALL, installation)) == {"console"}
