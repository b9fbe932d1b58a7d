"""The real helm is killed at every point, and the product's step goes on from what it left, losing nothing."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.helm.repository import Repository
from sandbox.helm.serving import served
from steps import charts
from steps.clients.helm import HISTORY, Helm
from steps.clients.kubernetes import Kube
from steps.errors import Code, TransientError
from steps.reporting import heard
from steps.waiting import Pending
from tests.cluster.planes import Plane, until
from tests.cluster.releases import NAME, NAMESPACE, OWNER, VERSIONS, Releases, package


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart's two versions."""
    made = tmp_path_factory.mktemp("charts")
    package(made)
    return made


@pytest.fixture(scope="module", autouse=True)
def _no_namespace_left(control_plane: Plane) -> Iterator[None]:
    yield
    client = control_plane.client()
    client.delete("Namespace", NAMESPACE)
    until(lambda: client.get("Namespace", NAMESPACE) is None, 60)
    client.close()


@pytest.fixture
def releases(kube: Kube, programs: dict[str, Path], folder: Path) -> Iterator[Releases]:
    """The one release, by the real helm, from a repository on this machine."""
    with served(Repository(folder)) as address:
        made = Releases(kube, programs["helm"], f"http://{address}", folder)
        yield made
        made.clean()


@pytest.mark.parametrize("when", ["pre-install", "post-install"])
def test_a_killed_install_is_completed_and_nothing_that_it_made_is_deleted(releases: Releases, when: str) -> None:
    releases.kill_upgrade("pending-install", hang=when, settings={"round": "1"})
    precious = releases.make_object()
    made = [releases.get("ConfigMap", "settings")["metadata"]["uid"]] if when == "post-install" else []
    with heard() as lines:
        result = releases.ensure(settings={"round": "2"})
    assert result == {"release": NAME, "version": "1.0.0", "revision": 3}
    assert "Release keda was left as pending-install: rolling to revision 1." in lines
    assert releases.settings()["round"] == "2"
    assert [releases.get("ConfigMap", "settings")["metadata"]["uid"]][: len(made)] == made
    assert releases.get("ScaledObject", "precious")["metadata"]["uid"] == precious
    assert releases.ensure(settings={"round": "2"}) == result


def test_a_killed_upgrade_goes_back_to_the_revision_in_force_and_then_on(releases: Releases) -> None:
    releases.ensure(settings={"round": "1"})
    precious = releases.make_object()
    releases.kill_upgrade("pending-upgrade", hang="post-upgrade", extra=True, settings={"round": "2"})
    assert releases.history() == {1: "deployed", 2: "pending-upgrade"}
    assert releases.ensure(settings={"round": "3"})["revision"] == 4
    assert releases.history() == {1: "superseded", 2: "pending-upgrade", 3: "superseded", 4: "deployed"}
    assert releases.settings()["round"] == "3"
    assert not releases.has("ConfigMap", "extra")
    assert releases.get("ScaledObject", "precious")["metadata"]["uid"] == precious


def test_a_killed_upgrade_that_was_to_take_something_away_needs_a_second_look(releases: Releases) -> None:
    releases.ensure(extra=True)
    releases.kill_upgrade("pending-upgrade", hang="pre-upgrade", extra=False)
    with pytest.raises(TransientError, match='no ConfigMap with the name "extra" found'):
        releases.ensure()
    assert releases.history() == {1: "deployed", 2: "superseded", 3: "failed"}
    assert releases.ensure()["revision"] == 5
    assert not releases.has("ConfigMap", "extra")


def test_a_killed_rollback_is_repaired(releases: Releases) -> None:
    releases.ensure(hang="post-rollback", settings={"round": "1"})
    releases.ensure(settings={"round": "2"})
    releases.kill("rollback", NAME, "1", status="pending-rollback")
    assert releases.ensure(settings={"round": "3"})["revision"] == 5
    assert releases.history()[5] == "deployed"
    assert releases.settings()["round"] == "3"


def test_a_first_install_that_failed_tells_why_and_is_mended_by_other_values(releases: Releases) -> None:
    with heard() as lines, pytest.raises(TransientError) as caught:
        releases.ensure(refused=True, settings={"round": "1"})
    assert caught.value.code is Code.HELM_FAILED
    assert "helm upgrade failed" in caught.value.message
    assert 'Unsupported value: "Nonsense"' in caught.value.message
    assert lines[0].startswith("Pulled keda 1.0.0 from http://127.0.0.1:")
    assert releases.history() == {1: "failed"}
    precious = releases.make_object()
    assert releases.ensure(settings={"round": "2"})["revision"] == 2
    assert releases.settings()["round"] == "2"
    assert releases.get("ScaledObject", "precious")["metadata"]["uid"] == precious


def test_what_a_failed_upgrade_made_is_gone_after_the_next(releases: Releases) -> None:
    releases.ensure(settings={"round": "1"})
    with pytest.raises(TransientError):
        releases.ensure(extra=True, refused=True)
    assert releases.history() == {1: "deployed", 2: "failed"}
    assert releases.has("ConfigMap", "extra")
    assert releases.ensure(settings={"round": "3"})["revision"] == 4
    assert not releases.has("ConfigMap", "extra")


def test_a_release_of_superseded_revisions_only_is_upgraded(releases: Releases) -> None:
    """As after a kill between the two writes in which helm ends an upgrade."""
    releases.ensure(settings={"round": "1"})
    releases.ensure(settings={"round": "2"})
    releases.relabel(2, "superseded")
    assert releases.ensure(settings={"round": "2"})["revision"] == 3
    releases.relabel(3, "pending-upgrade")
    assert releases.history() == {1: "superseded", 2: "superseded", 3: "pending-upgrade"}
    assert releases.ensure(settings={"round": "4"})["revision"] == 5
    assert releases.settings()["round"] == "4"


def test_a_killed_uninstall_is_finished_before_the_chart_is_installed_anew(releases: Releases) -> None:
    releases.ensure(sticky=True)
    precious = releases.make_object()
    releases.kill("uninstall", NAME, "--wait", status="uninstalling")
    releases.kube.patch("ConfigMap", "sticky", NAMESPACE, {"metadata": {"finalizers": None}})
    assert releases.ensure(settings={"round": "2"})["revision"] == 1
    assert releases.history() == {1: "deployed"}
    assert releases.get("ScaledObject", "precious")["metadata"]["uid"] == precious


def test_a_release_uninstalled_with_its_history_kept_is_installed_again(releases: Releases) -> None:
    releases.ensure()
    releases.run("uninstall", NAME, "--keep-history")
    assert releases.ensure(settings={"round": "2"})["revision"] == 2
    assert releases.history() == {1: "superseded", 2: "deployed"}


def test_an_install_killed_after_an_uninstall_does_not_go_back_beyond_that(releases: Releases) -> None:
    releases.ensure(extra=True)
    releases.ensure(extra=True, settings={"round": "2"})
    releases.run("uninstall", NAME, "--keep-history")
    releases.kill_upgrade("pending-install", hang="pre-install")
    assert releases.history() == {1: "superseded", 2: "superseded", 3: "pending-install"}
    with heard() as lines:
        assert releases.ensure()["revision"] == 5
    assert "Release keda was left as pending-install: rolling to revision 3." in lines
    assert not releases.has("ConfigMap", "extra")


def test_a_helm_thought_dead_that_wakes_up_does_no_harm(releases: Releases) -> None:
    with releases.stuck("pending-install", hang="pre-install", settings={"round": "late"}) as orphan:
        os.kill(orphan, signal.SIGSTOP)
        assert releases.ensure(settings={"round": "2"})["revision"] == 3
        releases.kube.delete("Job", "hanging", NAMESPACE)
        os.kill(orphan, signal.SIGCONT)
        until(lambda: releases.history()[1] == "failed", 60)
    assert releases.ensure(settings={"round": "2"})["revision"] == 3
    assert releases.settings()["round"] == "2"


def test_a_second_deployed_revision_is_noticed_and_made_good(releases: Releases) -> None:
    releases.ensure(settings={"round": "1"})
    releases.ensure(settings={"round": "2"})
    releases.relabel(1, "deployed")
    assert releases.ensure(settings={"round": "2"})["revision"] == 4
    assert [status for status in releases.history().values() if status == "deployed"] == ["deployed"]


def test_of_two_at_once_one_may_have_to_come_again_and_one_revision_is_in_force(releases: Releases) -> None:
    def run(value: str) -> str:
        try:
            releases.ensure(settings={"by": value}, patience=5)
        except TransientError as error:
            return error.message
        return ""

    with ThreadPoolExecutor(2) as pool:
        messages = list(pool.map(run, ("one", "other")))
    assert not all(messages), messages
    releases.ensure(settings={"by": "one"})
    assert releases.settings()["by"] == "one"
    assert list(releases.history().values()).count("deployed") == 1


def test_the_history_is_bounded(releases: Releases) -> None:
    for number in range(HISTORY + 2):
        releases.ensure(settings={"round": str(number)})
    assert len(releases.history()) == HISTORY


def test_definitions_are_upgraded_with_the_chart_and_objects_stay(releases: Releases) -> None:
    releases.ensure()
    precious = releases.make_object()
    with heard() as lines:
        releases.ensure(VERSIONS[1])
    assert "Applied CustomResourceDefinition scaledjobs.keda.sh" in lines
    assert _fields(releases.kube, "scaledobjects.keda.sh") == {"size", "count"}
    assert _fields(releases.kube, "scaledjobs.keda.sh") == {"size", "count"}
    assert releases.get("ScaledObject", "precious")["metadata"]["uid"] == precious


def test_a_definition_of_somebody_else_is_used_as_it_is(releases: Releases) -> None:
    releases.ensure()
    name = "scaledobjects.keda.sh"
    releases.kube.patch("CustomResourceDefinition", name, None, {"metadata": {"labels": {"podium/installation": "x"}}})
    with heard() as lines:
        releases.ensure(VERSIONS[1])
    assert f"CustomResourceDefinition {name} is there and not Podium's: it is used as it is." in lines
    assert _fields(releases.kube, name) == {"size"}


def test_definitions_go_with_the_release_only_when_no_object_needs_them(releases: Releases) -> None:
    releases.ensure()
    releases.make_object()
    assert not releases.delete_definitions()
    assert releases.has("ScaledObject", "precious")
    releases.kube.delete("ScaledObject", "precious", NAMESPACE)
    assert releases.delete_definitions()
    until(lambda: releases.kube.get("CustomResourceDefinition", "scaledobjects.keda.sh") is None)


def test_a_chart_that_does_not_come_up_says_why(releases: Releases) -> None:
    releases.ensure(workload=True)

    def told() -> str:
        found = charts.await_release(releases.kube, NAME)
        assert isinstance(found, Pending)
        return found.detail

    until(lambda: "Unschedulable" in told())
    assert "keda-operator" in told()


def test_texts_in_values_arrive_as_texts(releases: Releases) -> None:
    texts = {
        "a": "1e3",
        "b": "yes",
        "c": "0o14",
        "d": "é\U0001f600\xa0",
        "e": "two\nlines: {{ .Values }}",
        "f": "012",
        "g": "~",
    }
    releases.ensure(settings=texts)
    assert {key: value for key, value in releases.settings().items() if key in texts} == texts


def test_a_helm_that_takes_too_long_is_asked_to_end_and_notes_that_it_failed(releases: Releases) -> None:
    choice = charts.Choice(releases.repository, VERSIONS[0], {"hang": "pre-install"})
    impatient = Helm(str(releases.binary), timeout_seconds=3)
    with pytest.raises(TransientError, match="no end after 3 s"):
        charts.ensure_release(releases.kube, OWNER, NAME, choice, helm=impatient)
    assert releases.status == "failed"
    assert releases.ensure()["revision"] == 2


def _fields(kube: Kube, definition: str) -> set[str]:
    found = kube.get("CustomResourceDefinition", definition)
    assert found is not None
    schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return set(schema["properties"]["spec"]["properties"])
