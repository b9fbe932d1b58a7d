"""Conductor rolled out by an upgrade, on the sandbox's API server with its controllers: what goes back, and what not.

The test is the kubelet: an image with `broken` in its name cannot be pulled, one with `slow` takes for ever.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from steps import rollback
from steps.clients.kubernetes import Kube as Client
from steps.errors import Code, PodiumError
from tests.contract import kubelet
from tests.contract.kube import Kube, unique
from tests.contract.server import StandIn
from tests.workflows.test_engine import in_state, start, states, until
from tests.workflows.test_waits import let_pass
from workflows.changes import workloads
from workflows.durable import Run
from workflows.facts import Facts
from workflows.graph import Change, Graph, Phase, PhaseFunction, Undo, undoing
from workflows.install import conductor
from workflows.journal import Journal
from workflows.records import InstallationRecord
from workflows.runtime import Runtime, RuntimeSettings, launch
from workflows.spec import Aws, InstallationSpec

GOOD = "example/conductor:1"
FRUITLESS = "example/conductor:2-broken"
SLOW = "example/conductor:2-slow"


@dataclass
class Cluster:
    """A namespace in the stand-in, its pods brought up by a thread. `faults`: words in an image, to what they do."""

    kube: Kube
    client: Client
    faults: dict[str, str] = field(default_factory=lambda: {"broken": "ImagePullBackOff", "slow": "nothing"})
    made: dict[str, str] = field(default_factory=dict)
    """Image by pod, of all that ever were."""
    unready: set[str] = field(default_factory=set)
    """Images whose pods are not ready."""

    def tend(self, over: threading.Event) -> None:
        while not over.wait(0.02):
            for pod in self.kube.items("pods"):
                if "deletionTimestamp" not in pod["metadata"]:
                    self._tend(pod["metadata"]["name"], pod["spec"]["containers"][0]["image"], pod["status"])

    def _tend(self, name: str, image: str, status: dict[str, Any]) -> None:
        self.made[name] = image
        fault = next((what for word, what in self.faults.items() if word in image), None)
        if fault == "ImagePullBackOff" and "containerStatuses" not in status:
            state = {"waiting": {"reason": fault, "message": f'Back-off pulling image "{image}"'}}
            container = {"name": "conductor", "image": image, "imageID": "", "ready": False, "restartCount": 0}
            self._set(name, {"containerStatuses": [container | {"state": state}]})
        elif fault is None:
            ready = image not in self.unready
            known = {each["type"]: each["status"] for each in status.get("conditions") or []}
            if known.get("Ready") != str(ready):
                self._run(name, ready=ready)

    def _set(self, name: str, status: dict[str, Any]) -> None:
        self.kube.patch("pods", name, {"status": status}, "merge", "status")

    def _run(self, name: str, *, ready: bool) -> None:
        kubelet.run(self.kube, name, ready=ready) if self.kube.find("pods", name) else None

    def deployment(self) -> Any:
        return self.kube.get("deployments.apps", "conductor")

    @property
    def image(self) -> str:
        return str(self.deployment()["spec"]["template"]["spec"]["containers"][0]["image"])

    def pods_of(self, image: str) -> list[str]:
        return [name for name, of in self.made.items() if of == image]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    started = StandIn(tmp_path_factory.mktemp("cluster"), "http://127.0.0.1:9")
    started.start()
    yield started
    started.stop()


@pytest.fixture
def cluster(server: StandIn) -> Iterator[Cluster]:
    with server.client() as http:
        name = unique("dbos")
        http.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
        kube = Kube(http, name)
        kube.until(lambda: kube.find("serviceaccounts", "default"))
        client = Client(server.url, server.authority, lambda: server.token)
        over, cluster = threading.Event(), Cluster(kube, client)
        thread = threading.Thread(target=cluster.tend, args=(over,))
        thread.start()
        yield cluster
        over.set()
        thread.join()
        client.close()


@contextmanager
def running(folder: Path, cluster: Cluster) -> Iterator[Runtime]:
    class OnStandIn(Run):
        @property
        def kube(self) -> Client:
            return cluster.client

    def on_stand_in(function: PhaseFunction) -> PhaseFunction:
        async def run(run: Run) -> Facts:
            return await function(OnStandIn(**{each.name: getattr(run, each.name) for each in fields(run)}))

        return run

    install, change = on_stand_in(conductor.conductor), on_stand_in(workloads.conductor)
    undo = Undo("Deleting Conductor", on_stand_in(conductor.undo_conductor))
    phase = Phase("conductor", "Conductor", (), install, undo, 1, change=Change(("conductor",), run=change))
    first, last = Phase("survey", "Looking", (), install, undo, 1), Phase("proof", "Proving", (), install, undo, 1)
    graphs = {"install": Graph((phase,)), "uninstall": undoing(Graph((phase,)), first=first, last=last)}
    runtime = launch(RuntimeSettings(database_url=f"sqlite:///{folder}/podium.db"), graphs=graphs)
    try:
        yield runtime
    finally:
        runtime.stop()


def spec(cluster: Cluster, image: str, **more: Any) -> InstallationSpec:
    wanted = InstallationSpec(name="toy", aws=Aws(region="us-west-2"), namespace=cluster.kube.namespace).public()
    return InstallationSpec.model_validate(wanted | {"conductor": {"image": image} | more})


def installed(runtime: Runtime, cluster: Cluster, image: str = GOOD) -> None:
    start(runtime, spec(cluster, image))
    until(runtime, in_state("READY"))


def upgrade(runtime: Runtime, cluster: Cluster, image: str, **more: Any) -> None:
    runtime.control.apply(spec(cluster, image, **more))


def failed(runtime: Runtime) -> dict[str, Any]:
    error = until(runtime, in_state("FAILED")).operation.error
    assert error is not None
    return error


def told(runtime: Runtime) -> list[tuple[str, str]]:
    """Events of rollouts, with their messages."""
    events = runtime.ledger.events("toy", limit=1000)
    return [(event.kind, event.message) for event in events if event.kind.startswith("rollout.")]


def waits_for(cluster: Cluster, image: str) -> Callable[[InstallationRecord], bool]:
    """Whether the rollout has made a pod of the image, and waits."""
    return lambda _record: bool(cluster.pods_of(image))


def test_a_generation_that_cannot_start_goes_back_and_says_so(tmp_path: Path, cluster: Cluster) -> None:
    with running(tmp_path, cluster) as runtime:
        installed(runtime, cluster)
        before = cluster.deployment()["spec"]
        upgrade(runtime, cluster, FRUITLESS, replicas=2)
        error = failed(runtime)
        back = f"Rolled back to the previous generation (revision 1, image {GOOD}), which is ready."
        assert (error["code"], error["step"]) == ("IMAGE_PULL_FAILED", "conductor.ensure_conductor")
        assert f"cannot pull the image {FRUITLESS}" in error["message"]
        assert error["message"].endswith(back)
        assert told(runtime) == [("rollout.rolling_back", "Rolling back conductor"), ("rollout.rolled_back", back)]
        assert cluster.deployment()["spec"] == before
        assert len(cluster.pods_of(GOOD)) == 1, "its pods were left alone"


def test_a_retry_tries_the_new_generation_again(tmp_path: Path, cluster: Cluster) -> None:
    with running(tmp_path, cluster) as runtime:
        installed(runtime, cluster)
        upgrade(runtime, cluster, FRUITLESS)
        failed(runtime)
        runtime.control.retry("toy")
        until(runtime, lambda record: record.state == "FAILED" and record.operation.phases[0].attempt == 2)
        assert [kind for kind, _ in told(runtime)] == ["rollout.rolling_back", "rollout.rolled_back"] * 2
        assert cluster.image == GOOD
        cluster.faults.clear()
        runtime.control.retry("toy")
        until(runtime, in_state("READY"))
        assert cluster.image == FRUITLESS


def test_the_next_spec_goes_on_from_the_generation_that_is_back(tmp_path: Path, cluster: Cluster) -> None:
    with running(tmp_path, cluster) as runtime:
        installed(runtime, cluster)
        for image in (FRUITLESS, "example/conductor:3-broken"):
            upgrade(runtime, cluster, image)
            assert f"image {GOOD}), which is ready." in failed(runtime)["message"]
        upgrade(runtime, cluster, GOOD)
        until(runtime, in_state("READY"))
        assert len(cluster.pods_of(GOOD)) == 1


def test_a_cancelled_rollout_stays_where_it_is_and_goes_on_with_a_retry(tmp_path: Path, cluster: Cluster) -> None:
    with running(tmp_path, cluster) as runtime:
        installed(runtime, cluster)
        upgrade(runtime, cluster, SLOW)
        until(runtime, waits_for(cluster, SLOW))
        runtime.control.cancel("toy")
        operation = until(runtime, in_state("CANCELLED")).operation
        problem = PodiumError.by_user(Code.WORKLOAD_FAILED, "It broke.", "Mend it.").problem
        late = Journal(runtime.engine).rolling_back(operation.id, "conductor", "x", "Rolling back", problem)
        assert late is False, "also when the failure comes a moment after the cancel"
        assert cluster.image == SLOW
        cluster.faults.clear()
        runtime.control.retry("toy")
        until(runtime, in_state("READY"))
        assert told(runtime) == []
        assert len(cluster.pods_of(SLOW)) == 1


def test_a_restart_in_the_middle_goes_on_and_knows_the_generation_to_go_back_to(
    tmp_path: Path, cluster: Cluster
) -> None:
    with running(tmp_path, cluster) as runtime:
        installed(runtime, cluster)
        upgrade(runtime, cluster, SLOW)
        until(runtime, waits_for(cluster, SLOW))
    assert cluster.image == SLOW, "a process that stops leaves it to the next one"
    cluster.faults["slow"] = "ImagePullBackOff"
    with running(tmp_path, cluster) as runtime:
        assert f"image {GOOD}), which is ready." in failed(runtime)["message"]
        assert cluster.image == GOOD


def test_patience_outlives_the_process_and_ends_in_going_back(tmp_path: Path, cluster: Cluster) -> None:
    with running(tmp_path, cluster) as runtime:
        installed(runtime, cluster)
        upgrade(runtime, cluster, SLOW)
        until(runtime, waits_for(cluster, SLOW))
        let_pass(runtime, timedelta(minutes=15))
    with running(tmp_path, cluster) as runtime:
        error = failed(runtime)
        assert error["code"] == "TIMED_OUT"
        assert error["message"].endswith("which is ready.")


def test_a_restart_while_it_goes_back_does_not_try_the_new_generation_again(tmp_path: Path, cluster: Cluster) -> None:
    with running(tmp_path, cluster) as runtime:
        installed(runtime, cluster)
        cluster.faults["broken"] = "nothing"
        upgrade(runtime, cluster, FRUITLESS)
        until(runtime, waits_for(cluster, FRUITLESS))
        cluster.unready.add(GOOD)
        cluster.kube.until(lambda: not cluster.deployment()["status"].get("availableReplicas"))
        cluster.faults["broken"] = "ImagePullBackOff"
        until(runtime, lambda _record: cluster.image == GOOD)
    with running(tmp_path, cluster) as runtime:
        until(runtime, lambda record: states(record)["conductor"] == "running")
        until(runtime, lambda _record: len(told(runtime)) == 2)
        cluster.unready.clear()
        error = failed(runtime)
        assert error["code"] == "IMAGE_PULL_FAILED"
        assert error["message"].endswith("which is ready.")
        assert len(cluster.pods_of(FRUITLESS)) == 1


def test_going_back_that_does_not_succeed_is_said_beside_the_failure(tmp_path: Path, cluster: Cluster) -> None:
    with running(tmp_path, cluster) as runtime:
        installed(runtime, cluster)
        first = rollback.healthy_generation(cluster.client, cluster.kube.namespace, "conductor")
        assert first is not None
        upgrade(runtime, cluster, SLOW)
        until(runtime, waits_for(cluster, SLOW))
        cluster.kube.delete("replicasets.apps", first["replica_set"])
        cluster.kube.until(lambda: cluster.kube.gone("replicasets.apps", first["replica_set"]))
        cluster.faults["slow"] = "ImagePullBackOff"
        error = failed(runtime)
        assert error["code"] == "IMAGE_PULL_FAILED"
        assert f"did not succeed either: {cluster.kube.namespace}/conductor cannot go back" in error["message"]


def test_without_a_generation_that_was_ever_healthy_there_is_nothing_to_go_back_to(
    tmp_path: Path, cluster: Cluster
) -> None:
    with running(tmp_path, cluster) as runtime:
        start(runtime, spec(cluster, FRUITLESS))
        failed(runtime)
        upgrade(runtime, cluster, "example/conductor:3-broken")
        assert "olled back" not in failed(runtime)["message"]
        assert told(runtime) == []
        upgrade(runtime, cluster, GOOD)
        until(runtime, in_state("READY"))
