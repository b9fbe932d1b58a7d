"""The node agent with a real API server, real controllers and a real scheduler: pods are where they say they are."""

import base64
import json
import re
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from steps.clients.kubernetes import Kube, Object
from tests.cluster.conftest import NODE
from tests.cluster.planes import Plane, until
from tests.cluster.workloads import (
    agent,
    container,
    deployment,
    found,
    is_ready,
    namespace,
    phase,
    pod,
    service,
    web,
    when,
)

OTHER = "ip-10-0-2-20.us-west-2.compute.internal"
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
ASK = (
    f'ask() {{ curl -s --cacert {TOKEN}/ca.crt -H "Authorization: Bearer $(cat {TOKEN}/token)" '
    '"https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT$1" "${@:2}"; }; '
)


@pytest.fixture
def place(control_plane: Plane, nodes: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one test, in a cluster with a node."""
    with namespace(control_plane, request.node.name.removeprefix("test_").replace("_", "-")[:50].rstrip("-")) as name:
        yield name


@pytest.fixture
def http(control_plane: Plane) -> Iterator[httpx2.Client]:
    with control_plane.http() as client:
        yield client


def test_a_node_is_ready_and_free_for_pods_and_tells_where_its_kubelet_is(kube: Kube, nodes: Path) -> None:
    until(lambda: "taints" not in (kube.get("Node", NODE) or {})["spec"])
    node = kube.get("Node", NODE)
    assert node is not None
    assert node["status"]["addresses"][0]["address"].startswith("172.31.0.")
    assert node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] == 10250
    assert node["status"]["allocatable"].keys() >= {"cpu", "memory", "pods", "ephemeral-storage"}


def test_a_service_leads_to_its_pods_by_proxy_cluster_ip_and_node_port(
    kube: Kube, place: str, http: httpx2.Client
) -> None:
    readiness = {"httpGet": {"path": "/ready", "port": "web"}}
    kube.apply(deployment(place, "web", web(readinessProbe=readiness), replicas=2))
    kube.apply(service(place, "web", type="NodePort"))
    until(lambda: found(kube, "Deployment", "web", place)["status"].get("availableReplicas") == 2)
    until(lambda: kube.service_request(place, "web", 80, "GET", "/x").status == 200)
    [one, two] = kube.list("Pod", place, labels={"app": "web"})
    addresses = {item["status"]["podIP"] for item in (one, two)}
    assert len(addresses) == 2
    assert http.get(f"/api/v1/namespaces/{place}/pods/{one['metadata']['name']}:8181/proxy/").text == "ok"
    spec = found(kube, "Service", "web", place)["spec"]
    for url in (
        f"http://{spec['clusterIP']}",
        f"http://{one['status']['hostIP']}:{spec['ports'][0]['nodePort']}",
        *(f"http://{address}:8181" for address in addresses),
    ):
        assert httpx2.get(url, trust_env=False).text == "ok", url
    kube.delete("Deployment", "web", place)
    until(lambda: not kube.list("Pod", place, labels={"app": "web"}))
    with pytest.raises(httpx2.TransportError):
        httpx2.get(f"http://{one['status']['podIP']}:8181", trust_env=False)


def test_agents_of_two_node_groups_share_addresses_and_services(
    control_plane: Plane, kube: Kube, place: str, tmp_path: Path
) -> None:
    with agent(control_plane, tmp_path / "nodes", OTHER):
        anti = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [_apart("web")]}}
        kube.apply(deployment(place, "web", web(), replicas=2, affinity=anti))
        kube.apply(service(place, "web"))
        until(lambda: found(kube, "Deployment", "web", place).get("status", {}).get("availableReplicas") == 2)
        pods = kube.list("Pod", place, labels={"app": "web"})
        assert {item["spec"]["nodeName"] for item in pods} == {NODE, OTHER}
        assert len({item["status"]["podIP"] for item in pods} | {item["status"]["hostIP"] for item in pods}) == 4
        address = found(kube, "Service", "web", place)["spec"]["clusterIP"]
        for _ in range(10):
            assert httpx2.get(f"http://{address}", trust_env=False).status_code == 200
    until(lambda: _answers(f"http://{address}"))


def _apart(app: str) -> Object:
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": "kubernetes.io/hostname"}


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


def test_a_pod_keeps_its_address_when_its_agent_is_killed(control_plane: Plane, kube: Kube, tmp_path: Path) -> None:
    folder = tmp_path / "nodes"
    with namespace(control_plane, "address-kept") as place, agent(control_plane, folder, OTHER) as first:
        kube.apply(pod(place, "web", web(), restartPolicy="Always", nodeName=OTHER))
        before = when(kube, "web", place, lambda status: is_ready({"status": status}))["status"]
        first.send_signal(signal.SIGKILL)
        first.wait()
        with agent(control_plane, folder, OTHER):
            again = when(kube, "web", place, lambda status: _restarts(status) == 1 and is_ready({"status": status}))
            after = again["status"]
            assert (after["podIP"], after["hostIP"]) == (before["podIP"], before["hostIP"])
            assert httpx2.get(f"http://{after['podIP']}:8181", trust_env=False).status_code == 200


def _restarts(status: Object) -> int:
    return int((status.get("containerStatuses") or [{}])[0].get("restartCount", 0))


def test_a_pod_of_the_nodes_network_has_the_nodes_address(kube: Kube, place: str) -> None:
    ports = [{"containerPort": 9153, "hostPort": 9153}]
    kube.apply(pod(place, "host", web() | {"ports": ports}, hostNetwork=True))
    status = when(kube, "host", place, phase("Running"))["status"]
    assert status["podIP"] == status["hostIP"] != "127.0.0.1"
    assert httpx2.get(f"http://{status['podIP']}:9153", trust_env=False).status_code == 200


def test_a_pod_speaks_to_the_api_server_as_its_service_account(kube: Kube, place: str) -> None:
    kube.apply(pod(place, "asks", container(script=ASK + f"ask /api/v1/namespaces/{place}/secrets")))
    when(kube, "asks", place, phase("Succeeded"))
    said = json.loads(kube.pod_logs(place, "asks", tail=100))
    assert said["code"] == 403
    assert f'User "system:serviceaccount:{place}:default" cannot list resource "secrets"' in said["message"]


def test_the_token_ends_with_its_pod(control_plane: Plane, kube: Kube, place: str) -> None:
    kube.apply(pod(place, "holds", container(script=f"cat {TOKEN}/token; sleep 60"), restartPolicy="Always"))
    until(lambda: kube.pod_logs(place, "holds").count(".") == 2)
    token = kube.pod_logs(place, "holds").strip()
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["kubernetes.io"]
    assert claims["pod"] == {"name": "holds", "uid": found(kube, "Pod", "holds", place)["metadata"]["uid"]}
    assert claims["node"]["name"] == NODE
    kube.delete("Pod", "holds", place)
    until(lambda: kube.get("Pod", "holds", place) is None)
    with control_plane.http(token) as http:
        until(lambda: http.get("/version").status_code == 401)  # a good one is remembered for ten seconds


def test_projected_files_and_the_pods_own_resources_are_told(kube: Kube, place: str) -> None:
    kube.apply(_secret(place, "live", "one"))
    sources = [
        {"secret": {"name": "live", "items": [{"key": "k", "path": "deep/k", "mode": 0o400}]}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"configMap": {"name": "kube-root-ca.crt"}},
    ]
    reference = {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}
    script = (
        "cat /all/deep/k; stat -Lc ' %a' /all/deep/k; cat /all/labels; echo; grep -c BEGIN /all/ca.crt; "
        "echo $MEMORY $IP; until grep -q two /all/deep/k; do sleep 0.1; done; cat /all/deep/k"
    )
    own = {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIPs"}}}
    contents = container(
        script=script,
        env=[{"name": "MEMORY", "valueFrom": reference}, own],
        resources={"limits": {"memory": "64Mi"}},
        volumeMounts=[{"name": "all", "mountPath": "/all"}],
    )
    kube.apply(pod(place, "reads", contents, volumes=[{"name": "all", "projected": {"sources": sources}}]))
    until(lambda: len(kube.pod_logs(place, "reads").splitlines()) == 4)
    kube.apply(_secret(place, "live", "two"))
    status = when(kube, "reads", place, phase("Succeeded"))["status"]
    lines = kube.pod_logs(place, "reads").splitlines()
    assert lines == ["one 400", 'app="reads"', "1", f"64 {status['podIP']}", "two"]


def _secret(place: str, name: str, value: str) -> Object:
    metadata = {"name": name, "namespace": place}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"k": value}}


def test_logs_come_through_the_api_server_dated_cut_and_followed(kube: Kube, place: str, http: httpx2.Client) -> None:
    script = "test -e seen && { echo three; exit 0; }; touch seen; echo one; sleep 2; echo two; exit 4"
    kube.apply(pod(place, "talks", container(script=script), restartPolicy="OnFailure"))
    path = f"/api/v1/namespaces/{place}/pods/talks/log"
    until(lambda: http.get(path).text == "one\n")
    assert http.get(path, params={"follow": "true"}).text == "one\ntwo\n"
    when(kube, "talks", place, phase("Succeeded"))
    assert http.get(path).text == "three\n"
    assert http.get(path, params={"previous": "true", "tailLines": "1"}).text == "two\n"
    dated = http.get(path, params={"previous": "true", "timestamps": "true"}).text.splitlines()
    assert [line.split(" ")[1] for line in dated] == ["one", "two"]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ", line) for line in dated)
    later = {"previous": "true", "sinceTime": dated[1].split(".")[0] + "Z"}
    assert http.get(path, params=later).text == "two\n"
    assert http.get(path, params={"previous": "true", "limitBytes": "2"}).text == "on"
    assert http.get(path, params={"container": "nobody"}).status_code == 400


def test_a_log_that_is_not_there_yet_is_refused_in_the_kubelets_words(
    kube: Kube, place: str, http: httpx2.Client
) -> None:
    kube.apply(pod(place, "unknown", container("registry.example/nobody:1")))
    when(kube, "unknown", place, lambda status: "ImagePullBackOff" in json.dumps(status))
    answer = http.get(f"/api/v1/namespaces/{place}/pods/unknown/log")
    assert answer.status_code == 400
    assert 'container "c" in pod "unknown" is waiting to start: ' in answer.json()["message"]


def test_kubelets_answer_the_api_server_only_and_do_not_execute(
    control_plane: Plane, kube: Kube, place: str, http: httpx2.Client
) -> None:
    kube.apply(pod(place, "web", web()))
    status = when(kube, "web", place, phase("Running"))["status"]
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    with pytest.raises(httpx2.TransportError):
        httpx2.get(f"https://{status['hostIP']}:10250/healthz", verify=unverified, trust_env=False)
    upgrade = {"connection": "Upgrade", "upgrade": "SPDY/3.1", "x-stream-protocol-version": "v4.channel.k8s.io"}
    answer = http.post(f"/api/v1/namespaces/{place}/pods/web/exec?command=ls&stdout=true", headers=upgrade)
    assert answer.status_code == 501
    assert answer.json()["reason"] == "NotImplemented"


def test_a_pods_status_tells_what_real_controllers_ask_for(kube: Kube, place: str) -> None:
    slow = "trap 'exit 0' TERM; echo up; while true; do sleep 0.1; done"
    kube.apply(
        pod(place, "polite", container(script=slow, resources={"requests": {"cpu": "10m"}}), restartPolicy="Always")
    )
    item = when(kube, "polite", place, lambda status: is_ready({"status": status}))
    status = item["status"]
    conditions = {each["type"]: each for each in status["conditions"]}
    assert conditions.keys() == {
        "PodReadyToStartContainers",
        "Initialized",
        "ContainersReady",
        "Ready",
        "PodScheduled",
    }
    assert all(each["status"] == "True" for each in conditions.values())
    assert (status["observedGeneration"], status["qosClass"]) == (item["metadata"]["generation"], "Burstable")
    assert status["containerStatuses"][0]["started"] is True
    until(lambda: "up" in kube.pod_logs(place, "polite"))
    with_finalizer = {"metadata": {"finalizers": ["podium.test/hold"]}}
    kube.patch("Pod", "polite", place, with_finalizer)
    kube.delete("Pod", "polite", place)
    ended = when(kube, "polite", place, phase("Succeeded"))["status"]["containerStatuses"][0]
    assert ended["state"]["terminated"]["exitCode"] == 0
    kube.patch("Pod", "polite", place, {"metadata": {"finalizers": None}})
    until(lambda: kube.get("Pod", "polite", place) is None)
