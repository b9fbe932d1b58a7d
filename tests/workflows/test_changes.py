"""The change functions against AWS's stand-in with a cluster behind it: nodes, pods, a database."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from sandbox.aws.credentials import own_credentials
from sandbox.aws.eks.kubernetes_api import KubernetesApi
from steps.clients.aws import Aws, AwsTarget
from steps.clients.kubernetes import Kube
from steps.errors import PodiumError
from steps.names import Owner
from steps.waiting import Blocked, NeedsPerson, Pending
from tests.sandbox.aws.standin import ACCOUNT, REGION, StandIn
from workflows.changes import account, infrastructure
from workflows.durable import Run
from workflows.facts import Facts
from workflows.install import infrastructure as install
from workflows.spec import InstallationSpec

NAME = "changing-conductor"
PATIENCE = 120.0  # seconds
POD = {
    "image": "postgres:16",
    "name": "c",
    "command": ["bash", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"],
}


def spec_of(**changes: Any) -> InstallationSpec:
    wanted: dict[str, Any] = {"name": NAME, "aws": {"region": REGION}, "cluster": {"version": "1.32"}}
    wanted |= {"nodes": {"count": 1}, "database": {"engine_version": "16.11"}}
    return InstallationSpec.model_validate(wanted | changes)


@dataclass
class Straight:
    """A run without DBOS: steps are called one after the other, and what they return must be JSON."""

    aws: Aws
    spec: InstallationSpec
    facts: Facts
    owner: Owner = field(default_factory=lambda: Owner(NAME, "operation"))
    log: list[str] = field(default_factory=list)

    @property
    def kube(self) -> Kube:
        known = self.facts
        return Kube(
            known["cluster_endpoint"], known["cluster_ca"], lambda: self.aws.cluster_token(known["cluster_name"])
        )

    async def step(self, action: str, function: Callable[..., Any], /, *args: Any) -> Any:
        self.log.append(function.__name__)
        result = await asyncio.to_thread(function, *args)
        return json.loads(json.dumps(result))

    async def wait(self, action: str, look: Callable[..., Any], minutes: float, /, *args: Any) -> Any:
        deadline = time.monotonic() + PATIENCE
        try:
            while isinstance(found := await asyncio.to_thread(look, *args), Pending | NeedsPerson | Blocked):
                assert time.monotonic() < deadline, (action, found)
                await asyncio.sleep(0.05)
        finally:
            for one in args:
                if isinstance(one, Kube):
                    one.close()
        return json.loads(json.dumps(found))


@dataclass
class Installation:
    """What the tests change, and its AWS seen from outside."""

    cloud: StandIn
    aws: Aws
    facts: Facts

    def run(self, change: Any, spec: InstallationSpec) -> Straight:
        """Runs one change function and keeps what it found out."""
        straight = Straight(self.aws, spec, self.facts)
        found = asyncio.run(change(cast(Run, straight)))
        self.facts = cast(Facts, {**self.facts, **found})
        return straight

    @property
    def api(self) -> KubernetesApi:
        return KubernetesApi(self.cloud.home / "clusters" / f"{ACCOUNT}-{REGION}-{NAME}" / "admin.kubeconfig")

    def nodes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.request("GET", "/api/v1/nodes")["items"]
        return found

    def pods(self) -> dict[str, dict[str, Any]]:
        """The Deployment's ready pods by uid."""
        items = self.api.request("GET", "/api/v1/namespaces/default/pods")["items"]
        return {pod["metadata"]["uid"]: pod for pod in items if _is_ready(pod)}

    def deploy(self) -> None:
        """Two pods that run until they are told to end."""
        template = {"metadata": {"labels": {"app": "two"}}, "spec": {"containers": [POD]}}
        body = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "two"},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "two"}}, "template": template},
        }
        self.api.request("POST", "/apis/apps/v1/namespaces/default/deployments", body)
        until(lambda: len(self.pods()) == 2)

    def group(self, name: str) -> dict[str, Any]:
        eks = self.cloud.client("eks")
        return dict(eks.describe_nodegroup(clusterName=NAME, nodegroupName=name)["nodegroup"])

    def calls_of(self, operation: str) -> int:
        return len(self.cloud.calls(operation))


def until(look: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions") or []}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def _groups(nodes: list[dict[str, Any]]) -> set[str]:
    return {node["metadata"]["labels"]["eks.amazonaws.com/nodegroup"] for node in nodes}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that the change functions made from nothing."""
    home: Path = tmp_path_factory.mktemp("cloud")
    home.chmod(0o755)
    cloud = StandIn(home, clusters=True).start()
    with pytest.MonkeyPatch.context() as patch:
        own = own_credentials(home)
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{cloud.port}")
        patch.setenv("AWS_ACCESS_KEY_ID", own.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", own.secret_key)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        aws = Aws(AwsTarget(REGION))
        found = Installation(cloud, aws, Facts())
        for change in (
            account.preflight,
            install.network,
            install.egress,
            install.identity,
            infrastructure.cluster,
            infrastructure.nodes,
            infrastructure.addons,
            infrastructure.database,
        ):
            found.run(change, spec_of())
        found.deploy()
        yield found
        aws.close()
    assert cloud.stop() == 0


def test_from_nothing_a_change_makes_what_an_install_makes(made: Installation) -> None:
    assert made.facts["kubernetes_version"] == "1.32"
    assert made.facts["node_group"] == "default"
    assert [node["status"]["nodeInfo"]["kubeletVersion"] for node in made.nodes()] == ["v1.32.13-eks-5a1f3c2"]
    assert made.api.request("GET", "/version")["gitVersion"] == "v1.32.13-eks-5a1f3c2"
    assert made.facts["db_host"]
    for operation in ("UpdateClusterConfig", "UpdateNodegroupConfig", "UpdateAddon", "ModifyDBInstance"):
        assert made.calls_of(operation) == 0


def test_the_check_before_a_change_passes_for_what_is_there_and_says_its_version(made: Installation) -> None:
    zones = made.facts["zones"]
    made.run(account.preflight, spec_of(cluster={"version": "1.34"}, nodes={"count": 3}))
    assert made.facts["kubernetes_version"] == "1.32"
    assert made.facts["zones"] == zones
    with pytest.raises(PodiumError) as caught:
        made.run(account.preflight, spec_of(cluster={"version": "1.31"}))
    assert [one["field"] for one in caught.value.details] == ["cluster.version"]


def test_access_to_the_control_plane_is_changed(made: Installation) -> None:
    cidrs = ["10.0.0.0/8", "192.168.0.0/16"]
    for wanted in (cidrs, cidrs[::-1]):
        made.run(infrastructure.cluster, spec_of(cluster={"version": "1.32", "public_access_cidrs": wanted}))
    found = made.cloud.client("eks").describe_cluster(name=NAME)["cluster"]["resourcesVpcConfig"]
    assert found["publicAccessCidrs"] == cidrs
    assert found["subnetIds"]
    assert made.calls_of("UpdateClusterConfig") == 1


def test_more_nodes_come_without_disturbing_a_pod_and_fewer_are_drained(made: Installation) -> None:
    before = made.pods()
    made.run(infrastructure.nodes, spec_of(nodes={"count": 3}))
    assert len(made.nodes()) == 3
    assert made.pods().keys() == before.keys()
    made.run(infrastructure.nodes, spec_of(nodes={"count": 1}))
    assert len(made.nodes()) == 1
    until(lambda: len(made.pods()) == 2)
    assert made.pods().keys() == before.keys()
    assert made.group("default")["scalingConfig"] == {"minSize": 1, "maxSize": 1, "desiredSize": 1}


def test_another_instance_type_moves_the_pods_to_a_group_of_their_own(made: Installation) -> None:
    before = made.pods()
    larger = spec_of(nodes={"count": 1, "instance_type": "t3.large"})
    made.run(infrastructure.nodes, larger)
    group = made.facts["node_group"]
    assert group.startswith("default-")
    assert made.cloud.client("eks").list_nodegroups(clusterName=NAME)["nodegroups"] == [group]
    assert _groups(made.nodes()) == {group}
    until(lambda: len(made.pods()) == 2)
    assert not made.pods().keys() & before.keys()
    created = made.calls_of("CreateNodegroup")
    made.run(infrastructure.nodes, larger)
    assert made.calls_of("CreateNodegroup") == created, "what is there is not made again"
    made.run(infrastructure.nodes, spec_of())
    assert made.facts["node_group"] == "default"
    assert _groups(made.nodes()) == {"default"}
    until(lambda: len(made.pods()) == 2)


def test_a_newer_kubernetes_reaches_control_plane_addons_and_every_node(made: Installation) -> None:
    old = {node["metadata"]["name"] for node in made.nodes()}
    run = made.run(lambda run: infrastructure.kubernetes(run, "1.33"), spec_of())
    assert made.facts["kubernetes_version"] == "1.33"
    assert (
        run.log.index("ensure_version") < run.log.index("ensure_addon_version") < run.log.index("ensure_node_version")
    )
    assert made.api.request("GET", "/version")["minor"] == "33+"
    [node] = made.nodes()
    assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.33.9-eks-5a1f3c2"
    assert node["metadata"]["name"] not in old
    assert made.group("default")["version"] == "1.33"
    eks = made.cloud.client("eks")
    versions = {
        name: eks.describe_addon(clusterName=NAME, addonName=name)["addon"]["addonVersion"]
        for name in ("vpc-cni", "kube-proxy", "coredns")
    }
    assert versions["kube-proxy"] == "v1.33.3-eksbuild.2"
    cni = eks.describe_addon(clusterName=NAME, addonName="vpc-cni")["addon"]
    assert json.loads(cni["configurationValues"]) == {"enableNetworkPolicy": "true"}
    until(lambda: len(made.pods()) == 2)
    updates = made.calls_of("UpdateAddon")
    made.run(infrastructure.addons, spec_of(cluster={"version": "1.33"}))
    assert made.calls_of("UpdateAddon") == updates


def test_the_database_gets_class_storage_version_and_backups_at_once(made: Installation) -> None:
    wanted = {
        "engine_version": "16.13",
        "instance_class": "db.t4g.small",
        "storage_gib": 21,
        "backup_retention_days": 7,
    }
    before = made.facts
    for _ in range(2):
        made.run(infrastructure.database, spec_of(database=wanted))
    assert made.calls_of("ModifyDBInstance") == 1
    assert made.facts == before
    [found] = made.cloud.client("rds").describe_db_instances()["DBInstances"]
    assert (found["EngineVersion"], found["DBInstanceClass"]) == ("16.13", "db.t4g.small")
    assert (found["AllocatedStorage"], found["BackupRetentionPeriod"]) == (22, 7)


def test_the_end_of_an_installation_takes_every_node_group_with_its_tag(made: Installation) -> None:
    eks, tags = made.cloud.client("eks"), {"podium:installation": NAME}
    group = made.group("default")
    eks.create_nodegroup(
        clusterName=NAME,
        nodegroupName="left-over",
        nodeRole=group["nodeRole"],
        subnets=group["subnets"],
        scalingConfig={"minSize": 0, "maxSize": 1, "desiredSize": 0},
        tags=tags,
    )
    made.run(install.undo_nodes, spec_of())
    assert eks.list_nodegroups(clusterName=NAME)["nodegroups"] == []
    assert made.nodes() == []
