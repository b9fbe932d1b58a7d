"""Pods really run: real processes, real exit codes, the kubelet's words for what is wrong."""

import base64
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.nodes.api import CONFIG_MAPS, EVENTS, PODS, SECRETS, Object
from sandbox.postgres import PostgresServer, Template
from sandbox.processes import free_port
from tests.sandbox.nodes.conftest import Cluster

SHELL = "postgres:16"  # an image with a shell
FLAG = {"volumeMounts": [{"name": "flag", "mountPath": "/flag"}]}
FLAGS = {"volumes": [{"name": "flag", "emptyDir": {}}]}


def shell(script: str, **more: object) -> Object:
    """A container that runs a script."""
    return {"image": SHELL, "command": ["bash", "-c", script], **more}


def state(status: Object) -> Object:
    """The state of the only container."""
    statuses = status.get("containerStatuses") or [{}]
    found: Object = statuses[0].get("state", {})
    return found


def waits_for(status: Object) -> str:
    """The reason why the container waits, empty when it does not."""
    return str(state(status).get("waiting", {}).get("reason", ""))


@pytest.fixture
def database() -> Iterator[PostgresServer]:
    """A server in a folder of its own: pytest's is closed to PostgreSQL's user whenever another session starts."""
    with tempfile.TemporaryDirectory(prefix="podium-nodes-") as folder:
        server = PostgresServer(Path(folder) / "pg", free_port(), Template(Path(folder)))
        server.start()
        yield server
        server.stop()


async def test_psql_runs_with_a_mounted_script_against_a_real_database(
    cluster: Cluster, database: PostgresServer
) -> None:
    secret = {
        "metadata": {"name": "admin"},
        "data": {"password": base64.b64encode(database.template.password.encode()).decode()},
    }
    await cluster.api.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", **secret}, cluster.namespace)
    sql = {
        "metadata": {"name": "sql"},
        "data": {"setup.sql": "CREATE TABLE t AS SELECT 41 + 1 AS answer;\nTABLE t;\n"},
    }
    await cluster.api.create(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", **sql}, cluster.namespace)
    password = {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": "admin", "key": "password"}}}
    url = f"postgresql://sandbox@127.0.0.1:{database.port}/postgres?sslmode=require"
    await cluster.pod(
        "psql",
        {
            "image": SHELL,
            "command": ["psql", url, "-At", "-f", "/sql/setup.sql"],
            "env": [password],
            "volumeMounts": [{"name": "sql", "mountPath": "/sql"}],
        },
        volumes=[{"name": "sql", "configMap": {"name": "sql"}}],
    )
    pod = await cluster.pod_when("psql", lambda status: status.get("phase") in {"Succeeded", "Failed"})
    assert await cluster.log("psql") == (200, "SELECT 1\n42\n")
    assert pod["status"]["phase"] == "Succeeded"
    assert state(pod["status"])["terminated"]["reason"] == "Completed"


async def test_a_missing_secret_is_named_and_waited_for(cluster: Cluster) -> None:
    reference = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "later", "key": "k"}}}
    await cluster.pod("waiting", shell("echo got $KEY", env=[reference]))
    pod = await cluster.pod_when("waiting", lambda status: waits_for(status) == "CreateContainerConfigError")
    assert state(pod["status"])["waiting"]["message"] == 'secret "later" not found'
    assert pod["status"]["phase"] == "Pending"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "later"}, "data": {"k": "dg=="}}
    await cluster.api.create(SECRETS, secret, cluster.namespace)
    await cluster.pod_when("waiting", lambda status: status.get("phase") == "Succeeded")
    assert await cluster.log("waiting") == (200, "got v\n")


async def test_a_crashing_container_is_restarted_with_back_off_and_keeps_its_last_log(cluster: Cluster) -> None:
    await cluster.pod("crash", shell("echo boom; exit 3"), restartPolicy="Always")
    pod = await cluster.pod_when("crash", lambda status: waits_for(status) == "CrashLoopBackOff")
    status = pod["status"]["containerStatuses"][0]
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert status["lastState"]["terminated"]["reason"] == "Error"
    assert status["restartCount"] >= 1
    assert pod["status"]["phase"] == "Running"
    assert await cluster.log("crash", tailLines="1") == (200, "boom\n")
    assert await cluster.log("crash", previous="true") == (200, "boom\n")


async def test_on_failure_restarts_until_it_succeeds(cluster: Cluster) -> None:
    await cluster.pod("twice", shell("test -e seen || { touch seen; exit 1; }"), restartPolicy="OnFailure")
    pod = await cluster.pod_when("twice", lambda status: status.get("phase") == "Succeeded")
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 1


async def test_an_unknown_image_cannot_be_pulled(cluster: Cluster) -> None:
    await cluster.pod("unknown", {"image": "registry.example/nobody:1"})
    pod = await cluster.pod_when("unknown", lambda status: waits_for(status) == "ImagePullBackOff")
    assert "registry.example/nobody:1" in state(pod["status"])["waiting"]["message"]
    assert (await cluster.log("unknown"))[0] == 400


@pytest.mark.parametrize(
    ("fault", "code", "reason"), [("OOMKilled", 137, "OOMKilled"), ("CrashLoopBackOff", 1, "Error")]
)
async def test_a_fault_breaks_containers_until_it_is_taken_back(
    cluster: Cluster, fault: str, code: int, reason: str
) -> None:
    cluster.processes.faults({"^postgres:faulty$": fault})
    container = shell("exit 0") | {"image": "postgres:faulty"}
    await cluster.pod("broken", container, restartPolicy="OnFailure")

    def crashed(status: Object) -> bool:
        ended = [item.get("lastState", {}).get("terminated", {}) for item in status.get("containerStatuses", [])]
        return any((end.get("exitCode"), end.get("reason")) == (code, reason) for end in ended)

    await cluster.pod_when("broken", crashed)
    cluster.processes.faults({})
    await cluster.pod_when("broken", lambda status: status.get("phase") == "Succeeded")


async def test_init_containers_run_first_and_a_command_that_is_not_there_is_a_start_error(cluster: Cluster) -> None:
    volume = {"volumes": [{"name": "shared", "emptyDir": {}}]}
    mount = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    first = {"name": "first", **shell("echo made > /shared/file", **mount)}
    await cluster.pod("ordered", shell("cat /shared/file", **mount), initContainers=[first], **volume)
    await cluster.pod_when("ordered", lambda status: status.get("phase") == "Succeeded")
    assert await cluster.log("ordered") == (200, "made\n")
    await cluster.pod("nothing", {"image": SHELL, "command": ["no-such-program"]})
    pod = await cluster.pod_when("nothing", lambda status: status.get("phase") == "Failed")
    ended = state(pod["status"])["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("StartError", 128)
    assert "no-such-program" in ended["message"]


async def test_a_failing_liveness_probe_restarts_a_container_that_was_ready(cluster: Cluster) -> None:
    answering = {"httpGet": {"path": "/", "port": 8080}}
    complaint = ["sh", "-c", "echo $WHY; exit 1"]
    probes = {
        "startupProbe": answering,
        "readinessProbe": answering,
        "livenessProbe": {"exec": {"command": complaint}, "failureThreshold": 1, "periodSeconds": 1},
    }
    env = [{"name": "WHY", "value": "no heart beat"}]
    container = {"image": "coredns:1", "ports": [{"containerPort": 8080}], "env": env, **probes}
    await cluster.pod("sick", container, restartPolicy="Always")
    pod = await cluster.pod_when("sick", lambda status: (status.get("containerStatuses") or [{}])[0].get("lastState"))
    status = pod["status"]["containerStatuses"][0]
    assert status["lastState"]["terminated"]["exitCode"] == 143
    assert await unhealthy(cluster) == {"Liveness probe failed: no heart beat"}


async def unhealthy(cluster: Cluster) -> set[str]:
    """What probes complained of."""
    events = await cluster.api.list(EVENTS, cluster.namespace)
    return {item["message"] for item in events.items if item["reason"] == "Unhealthy"}


@pytest.mark.parametrize(
    ("fault", "probe", "kind"), [("Unstarted", "startupProbe", "Startup"), ("Unlive", "livenessProbe", "Liveness")]
)
async def test_a_fault_fails_a_probe_until_it_is_taken_back(
    cluster: Cluster, fault: str, probe: str, kind: str
) -> None:
    cluster.processes.faults({"^coredns:faulty$": fault})
    asked = {probe: {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 1}}
    readiness = {"readinessProbe": {"exec": {"command": ["true"]}}}
    container = {"image": "coredns:faulty", "ports": [{"containerPort": 8080}], **asked, **readiness}
    await cluster.pod("broken", container, restartPolicy="Always")
    await cluster.pod_when("broken", lambda status: (status.get("containerStatuses") or [{}])[0].get("lastState"))
    assert await unhealthy(cluster) == {f"{kind} probe failed: HTTP probe failed with statuscode: 503"}
    cluster.processes.faults({})
    await cluster.pod_when("broken", lambda status: status["containerStatuses"][0]["ready"])


async def test_a_container_that_outgrows_its_memory_limit_is_killed(cluster: Cluster) -> None:
    script = "x=$(head -c 30000000 /dev/zero | tr '\\0' x); echo full; read -r line < <(sleep 60)"
    limits = {"resources": {"limits": {"memory": "16Mi"}}}
    await cluster.pod("hungry", shell(script, **limits))
    pod = await cluster.pod_when("hungry", lambda status: status.get("phase") == "Failed")
    ended = state(pod["status"])["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


async def test_a_reference_that_is_no_image_name_is_not_pulled(cluster: Cluster) -> None:
    await cluster.pod("odd", {"image": "registry.example/Upper Case:1"})
    pod = await cluster.pod_when("odd", lambda status: waits_for(status) == "InvalidImageName")
    assert "invalid reference format" in state(pod["status"])["waiting"]["message"]


async def test_mounted_secrets_follow_the_object_and_are_whole_at_any_moment(cluster: Cluster) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "live"}, "data": {"a": "MQ==", "b": "MQ=="}}
    await cluster.api.create(SECRETS, body, cluster.namespace)
    script = "cat /live/a /live/b; until test $(cat /live/a) = 2; do sleep 0.05; done; cat /live/a /live/b; ls /live"
    await cluster.pod(
        "reader",
        shell(script, volumeMounts=[{"name": "live", "mountPath": "/live"}]),
        volumes=[{"name": "live", "secret": {"secretName": "live", "defaultMode": 0o400}}],
    )
    await cluster.until(lambda: cluster.log("reader"), lambda answer: answer == (200, "11"))
    await cluster.api.patch(SECRETS, "live", {"data": {"a": "Mg==", "b": "Mg==", "c": ""}}, cluster.namespace)
    await cluster.pod_when("reader", lambda status: status.get("phase") == "Succeeded")
    assert (await cluster.log("reader"))[1] == "1122a\nb\nc\n"


async def test_logs_are_dated_and_cut_as_asked(cluster: Cluster) -> None:
    await cluster.pod("talks", shell("echo one; sleep 1.6; printf 'two\\n\\nthree'"))
    await cluster.pod_when("talks", lambda status: status.get("phase") == "Succeeded")
    assert await cluster.log("talks", tailLines="2") == (200, "\nthree")
    assert await cluster.log("talks", limitBytes="5") == (200, "one\nt")
    assert await cluster.log("talks", follow="true", tailLines="1") == (200, "three")
    status, dated = await cluster.log("talks", timestamps="true")
    moments, words = zip(*(line.split(" ") for line in dated.split("\n")), strict=True)
    assert (status, words) == (200, ("one", "two", "", "three"))
    assert moments[0] < moments[1] == moments[3]
    assert await cluster.log("talks", sinceTime=moments[1]) == (200, "two\n\nthree")
    assert await cluster.log("talks", sinceSeconds="3600", tailLines="0") == (200, "")
    assert (await cluster.log("talks", tailLines="many"))[0] == 400


async def test_deletion_is_sigterm_then_removal(cluster: Cluster) -> None:
    script = "trap 'echo bye; exit 0' TERM; echo up; while true; do sleep 0.05; done"
    await cluster.pod("polite", shell(script), restartPolicy="Always", terminationGracePeriodSeconds=20)
    await cluster.until(lambda: cluster.log("polite"), lambda answer: answer == (200, "up\n"))
    await cluster.api.delete(PODS, "polite", cluster.namespace)
    await cluster.until(lambda: cluster.api.find(PODS, "polite", cluster.namespace), lambda pod: pod is None)


async def test_a_killed_agent_takes_its_containers_along_and_its_successor_starts_them_again(cluster: Cluster) -> None:
    await cluster.pod("lasting", shell("echo $BASHPID; exec sleep 600"), restartPolicy="Always")
    await cluster.until(lambda: cluster.log("lasting"), lambda answer: answer[0] == 200 and answer[1] != "")
    child = int((await cluster.log("lasting"))[1])
    cluster.processes.kill(1)
    await cluster.until(lambda: _exists(child), lambda exists: not exists)
    cluster.processes.start_agent()

    def restarted(status: Object) -> bool:
        item = (status.get("containerStatuses") or [{}])[0]
        return item.get("restartCount") == 1 and "running" in item["state"]

    await cluster.pod_when("lasting", restarted)
    assert (await cluster.log("lasting", previous="true"))[1] == f"{child}\n"


async def test_pods_run_on_while_the_api_server_is_away_and_its_successor_is_followed(cluster: Cluster) -> None:
    await cluster.pod("before", shell("echo up; until test -e /flag/gone; do sleep 0.05; done", **FLAG), **FLAGS)
    await cluster.until(lambda: cluster.log("before"), lambda answer: answer == (200, "up\n"))
    directory = cluster.processes.directory / "nodes" / "pods"
    cluster.processes.kill(0)
    next(directory.glob("*/*/volumes/flag")).joinpath("gone").touch()
    cluster.processes.start_api()
    await cluster.pod_when("before", lambda status: status.get("phase") == "Succeeded")
    await cluster.pod("after", shell("echo up"))
    await cluster.pod_when("after", lambda status: status.get("phase") == "Succeeded")


async def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
