"""Every step of install and uninstall that works in the cluster, under every fault at every request that it makes: to
the API server, to Conductor and others through its service proxy, to AWS, and each run of helm.

The example is installed in a sandbox without any fault. Then each step of its phases in the cluster meets its faults:
on what is installed, or with what it makes undone before each of them (RESETS).
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from steps import charts, databases, migration, sealed_secrets
from steps.clients.kubernetes import Object
from steps.names import Owner
from tests.chaos_faults.cloud import Cloud
from tests.chaos_faults.cluster import Cluster
from tests.chaos_faults.contexts import working_context
from tests.chaos_faults.hands import Clients, Step
from tests.chaos_faults.helm import HelmInFront
from tests.chaos_faults.kinds import Combination
from tests.chaos_faults.trials import Tally, Trials, completed
from tests.chaos_faults.walks import AT_AWS, IN_CLUSTER, OPERATIONS, Walk, by_turns
from tests.chaos_faults.worlds import Resets
from tests.e2e.harness import Sandbox
from workflows.phases import INSTALL, UNINSTALL

REMADE = {
    "app.delete_app": "app.ensure_app",
    "autoscaling.delete_scaled_object": "autoscaling.ensure_scaled_object",
    "charts.delete_release": "charts.ensure_release",
    "conductor.delete_conductor": "conductor.ensure_conductor",
    "console.delete_console": "console.ensure_console",
    "ingress.delete_ingress": "ingress.ensure_ingress",
    "migration.delete_job": "migration.ensure_job",
    "namespace.delete_namespace": "namespace.ensure_namespace",
    "sealed_secrets.delete_sealed": "sealed_secrets.ensure_five",
}
"""What an uninstall's step unmakes, and the install's step of the same phase that makes it."""


GIVEN = ("preflight", "network", "cluster")
"""Phases that do something else where network and cluster are given."""


class Installed:
    """A sandbox with the example in it, and no service of Podium's at work on it."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        env = sandbox.env
        self.clients = Clients()
        self.cloud = Cloud(env["AWS_ENDPOINT_URL"], env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
        self.helm = HelmInFront(folder, env["PODIUM_HELM"])
        self.made: dict[tuple[str, str], Step] = {}
        self.walk = Walk(self.clients.usual, data="delete", force=False)
        with working_context(self.clients) as hands:
            self.walk.go(INSTALL, AT_AWS, self._once)
            known = self.walk.facts
            self.clients.enter(
                known["cluster_name"], known["cluster_endpoint"], known["cluster_ca"], str(self.helm.path)
            )
            hands.enter()
            self.walk.go(INSTALL, IN_CLUSTER, self._once)
        self.cluster = Cluster(env)
        self.owner = Owner(self.walk.spec.name, OPERATIONS[INSTALL])

    def _once(self, phase: str, name: str, step: Step) -> Any:
        self.made[phase, name] = step
        return completed(partial(step, self.clients.usual))

    def close(self) -> None:
        self.cluster.close()
        self.cloud.close()
        self.clients.close()

    def given(self) -> dict[str, Any]:
        """The spec of another installation that is given this one's network, cluster and database."""
        known = self.walk.facts
        password = {key: value for key, value in known["db_master_secret"].items() if value}
        server = {"host": known["db_host"], "port": known["db_port"], "username": known["db_master_username"]}
        subnets = {f"{kind}_subnet_ids": known[f"{kind}_subnet_ids"] for kind in ("public", "private")}  # type: ignore[literal-required]
        return {
            "name": "other-conductor",
            "registry": {},
            "namespace": "other",
            "network": {"existing": {"vpc_id": known["vpc_id"], **subnets}},
            "cluster": {"existing_name": known["cluster_name"]},
            "database": {"existing": {**server, "password": password}},
        }

    def reset(self, phase: str, name: str) -> bool:
        """Undoes what the step is about to do, where it would otherwise have nothing to do; whether there was a way."""
        usual, namespace = self.clients.usual, self.walk.spec.namespace
        kube, owner = usual.kube, self.owner
        assert kube is not None
        if name == "charts.delete_release" and is_going(kube.get("Namespace", charts.CHARTS[phase].namespace)):
            completed(partial(charts.await_release_deleted, kube, phase))
        if name in REMADE:
            completed(partial(self.made[phase, REMADE[name]], usual))
        elif name == "databases.clean_up":
            completed(partial(self.made[phase, "databases.ensure_job"], usual))
        elif name in ("databases.ensure_job", "databases.ensure_separation_job"):
            databases.clean_up(kube, owner, namespace)
        elif name == "migration.ensure_job":
            migration.delete_job(kube, owner, namespace)
        elif name == "sealed_secrets.ensure_five":
            sealed_secrets.delete_sealed(kube, owner, namespace)
        elif name == "api_key.ensure_api_key":
            usual.aws.secrets.delete(owner.names.secret("conductor-api-key"))
        elif name == "charts.ensure_release":
            self._reset_release(phase)
        else:
            return False
        return True

    def _reset_release(self, chart: str) -> None:
        """KEDA is made anew; the others are upgraded to what they are."""
        usual = self.clients.usual
        assert usual.kube is not None
        assert usual.helm is not None
        if chart == "keda":
            charts.delete_release(usual.kube, self.owner, usual.helm, chart)
            completed(partial(charts.await_release_deleted, usual.kube, chart))
        else:
            name, namespace = f"podium-release-{chart}", charts.CHARTS[chart].namespace
            usual.kube.patch("ConfigMap", name, namespace, {"data": {"applied": ""}})


def is_going(one: Object | None) -> bool:
    return one is not None and "deletionTimestamp" in one["metadata"]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    sandbox = Sandbox(tmp_path / "sandbox")
    for name, value in (Cloud("", "", "").environment | sandbox.env).items():
        monkeypatch.setenv(name, value)
    try:
        found = Installed(sandbox, tmp_path / "helm")
        yield found
        found.close()
    finally:
        sandbox.stop()


def some(every: list[Combination]) -> list[Combination]:
    """Of the charts' many requests each in two ways: the steps of the three charts are the same."""
    return [*by_turns(every), *by_turns(every[::-1])]


@pytest.mark.chaos
def test_every_request_in_the_cluster_may_fail_in_every_way(
    installed: Installed, tallied: Callable[[str, Tally], None]
) -> None:
    trials = Trials([installed.cluster, installed.helm, installed.cloud], installed.clients)
    tallied("In the cluster", trials.tally)

    def tried(phase: str, name: str, step: Step) -> Any:
        """As in tests/chaos_faults/test_aws_steps.py; charts each, and preflight, known from there, by turns."""
        if name in trials.tally.requests and not name.startswith("charts."):
            return completed(partial(step, installed.clients.usual))
        trials.choose = some if name.startswith("charts.") and phase != "sealed-secrets" else list
        trials.choose = by_turns if name == "preflight.check" else trials.choose
        world = Resets(lambda: installed.cluster.lines([]), lambda: installed.reset(phase, name))
        return trials.of(name, step, world)

    with working_context(installed.clients) as hands:
        hands.enter()
        Walk(installed.clients.usual, installed.given()).go(INSTALL, GIVEN, tried)
        installed.walk.go(INSTALL, IN_CLUSTER, tried)
        installed.walk.go(UNINSTALL, {"survey"}, tried)
        installed.walk.go(UNINSTALL, IN_CLUSTER, tried)
    assert trials.failures == []
