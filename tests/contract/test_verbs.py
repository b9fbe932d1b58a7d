"""create, get, list, update and patch."""

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import Object, configmap, container, deployment, job, meta, pod, service

APPS = "deployments.apps"


def test_a_new_object_gets_identity_and_defaults(kube: Kube) -> None:
    obj = kube.made(APPS, deployment("web"))
    metadata, spec = obj["metadata"], obj["spec"]
    assert {"uid", "creationTimestamp", "resourceVersion", "generation"} <= metadata.keys()
    assert metadata["namespace"] == kube.namespace
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    assert (spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (10, 600)
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    assert spec["template"]["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"


def test_a_pod_begins_pending(kube: Kube) -> None:
    assert kube.made("pods", pod("p"))["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


def test_a_job_selects_its_pods_by_its_uid(kube: Kube) -> None:
    obj = kube.made("jobs.batch", job("j"))
    uid = obj["metadata"]["uid"]
    assert obj["spec"]["selector"]["matchLabels"] == {"batch.kubernetes.io/controller-uid": uid}
    assert obj["spec"]["template"]["metadata"]["labels"]["job-name"] == "j"
    assert obj["spec"]["backoffLimit"] == 6


def test_services_get_addresses_of_their_own(kube: Kube) -> None:
    first, second = kube.made("services", service("a")), kube.made("services", service("b", type="LoadBalancer"))
    assert first["spec"]["clusterIP"] != second["spec"]["clusterIP"]
    assert first["spec"]["clusterIPs"] == [first["spec"]["clusterIP"]]
    assert first["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert 30000 <= second["spec"]["ports"][0]["nodePort"] < 32768


def test_a_headless_service_has_no_address(kube: Kube) -> None:
    assert kube.made("services", service("a", clusterIP="None"))["spec"]["clusterIP"] == "None"


def test_string_data_becomes_data(kube: Kube) -> None:
    obj = kube.made("secrets", meta("s") | {"stringData": {"a": "hello"}})
    assert obj["data"] == {"a": "aGVsbG8="}
    assert "stringData" not in obj
    assert obj["type"] == "Opaque"


def test_generate_name_makes_distinct_names(kube: Kube) -> None:
    names = [kube.made("configmaps", {"metadata": {"generateName": "x-"}})["metadata"]["name"] for _ in range(3)]
    assert len(set(names)) == 3
    assert all(name.startswith("x-") and len(name) == 7 for name in names)


def test_a_name_that_is_taken_is_already_exists(kube: Kube) -> None:
    kube.made("configmaps", configmap("c"))
    status, body = kube.create("configmaps", configmap("c"))
    assert (status, body["reason"], body["message"]) == (409, "AlreadyExists", 'configmaps "c" already exists')
    assert body["details"] == {"name": "c", "kind": "configmaps"}


def test_what_is_not_there_is_not_found(kube: Kube) -> None:
    status, body = kube.call("GET", kube.path(APPS, "nope"))
    assert (status, body["reason"], body["message"]) == (404, "NotFound", 'deployments.apps "nope" not found')
    assert body["details"] == {"name": "nope", "group": "apps", "kind": "deployments"}


def test_an_unknown_resource_is_not_found(kube: Kube) -> None:
    status, body = kube.call("GET", "/apis/apps/v1/widgets")
    assert (status, body["message"]) == (404, "the server could not find the requested resource")
    response = kube.client.get("/apis/example.com/v1/widgets")
    assert (response.status_code, response.text) == (404, "404 page not found\n")


def test_nothing_can_be_created_in_a_missing_namespace(kube: Kube) -> None:
    status, body = kube.call("POST", "/api/v1/namespaces/missing/configmaps", configmap("c"))
    assert (status, body["message"]) == (404, 'namespaces "missing" not found')


def test_a_stale_update_conflicts(kube: Kube) -> None:
    old = kube.made("configmaps", configmap("c", a="1"))
    kube.patch("configmaps", "c", {"data": {"a": "2"}}, "merge")
    status, body = kube.call("PUT", kube.path("configmaps", "c"), old)
    assert (status, body["reason"]) == (409, "Conflict")
    assert "the object has been modified; please apply your changes to the latest version" in body["message"]


def test_an_update_without_change_keeps_the_version(kube: Kube) -> None:
    old = kube.made("configmaps", configmap("c", a="1"))
    _, new = kube.call("PUT", kube.path("configmaps", "c"), old)
    assert new["metadata"]["resourceVersion"] == old["metadata"]["resourceVersion"]


def test_the_generation_counts_changes_of_the_spec_only(kube: Kube) -> None:
    kube.made(APPS, deployment("web"))
    _, labelled = kube.patch(APPS, "web", {"metadata": {"labels": {"a": "b"}}}, "merge")
    _, changed = kube.patch(APPS, "web", {"spec": {"minReadySeconds": 5}}, "merge")
    assert (labelled["metadata"]["generation"], changed["metadata"]["generation"]) == (1, 2)


def test_status_and_spec_change_on_their_own_paths(kube: Kube) -> None:
    kube.made("pods", pod("p"))
    both = {"spec": {"activeDeadlineSeconds": 9}, "status": {"message": "hello"}}
    _, by_status = kube.patch("pods", "p", both, "merge", "status")
    assert by_status["status"]["message"] == "hello"
    assert "activeDeadlineSeconds" not in by_status["spec"]
    _, by_main = kube.patch("pods", "p", both | {"status": {"message": "other"}}, "merge")
    assert by_main["spec"]["activeDeadlineSeconds"] == 9
    assert by_main["status"]["message"] == "hello"


def test_scale_reads_and_sets_the_replicas(kube: Kube) -> None:
    kube.made(APPS, deployment("web"))
    status, scale = kube.patch(APPS, "web", {"spec": {"replicas": 0}}, "merge", "scale")
    assert (status, scale["kind"], scale["status"]["selector"]) == (200, "Scale", "app=web")
    assert scale["spec"] == {}  # what is 0 is not written


def test_a_pod_is_bound_once(kube: Kube) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}
    assert kube.call("POST", "/api/v1/nodes", node)[0] == 201  # pods of nodes that are not there are removed
    kube.made("pods", pod("p", schedulerName="nobody"))
    binding = meta("p") | {"target": {"kind": "Node", "name": "node-1"}}
    assert kube.call("POST", kube.path("pods", "p", "binding"), binding)[0] == 201
    bound = kube.get("pods", "p")
    assert bound["spec"]["nodeName"] == "node-1"
    assert bound["status"]["conditions"][0]["type"] == "PodScheduled"
    assert kube.call("POST", kube.path("pods", "p", "binding"), binding)[0] == 409
    assert kube.call("DELETE", "/api/v1/nodes/node-1")[0] == 200


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("app=a", ["one"]),
        ("app!=a", ["three", "two"]),
        ("app in (a,b)", ["one", "two"]),
        ("app notin (a,b)", ["three"]),
        ("app", ["one", "two"]),
        ("!app", ["three"]),
        ("app=a,tier=web", ["one"]),
        ("app=a,tier!=web", []),
    ],
)
def test_lists_are_selected_by_labels(kube: Kube, selector: str, found: list[str]) -> None:
    labels: dict[str, Object] = {"one": {"app": "a", "tier": "web"}, "two": {"app": "b"}, "three": {}}
    for name, values in labels.items():
        kube.made("pods", pod(name) | meta(name, labels=values))
    assert kube.names("pods", labelSelector=selector) == found


def test_lists_are_selected_by_fields(kube: Kube) -> None:
    for name in ("a", "b"):
        kube.made("pods", pod(name, schedulerName="nobody"))
    kube.patch("pods", "b", {"status": {"phase": "Running"}}, "merge", "status")
    assert kube.names("pods", fieldSelector="status.phase=Running") == ["b"]
    assert kube.names("pods", fieldSelector="metadata.name!=b,status.phase=Pending") == ["a"]
    status, body = kube.call("GET", kube.path("pods"), fieldSelector="spec.image=x")
    assert (status, body["message"]) == (400, "field label not supported: spec.image")


def test_long_lists_come_in_pages(kube: Kube) -> None:
    for number in range(5):
        kube.made("secrets", meta(f"s{number}"))
    _, first = kube.call("GET", kube.path("secrets"), limit=2)
    assert first["metadata"]["remainingItemCount"] == 3
    _, second = kube.call("GET", kube.path("secrets"), limit=3, **{"continue": first["metadata"]["continue"]})
    names = [item["metadata"]["name"] for page in (first, second) for item in page["items"]]
    assert names == ["s0", "s1", "s2", "s3", "s4"]
    assert "continue" not in second["metadata"]


def test_items_of_built_in_lists_carry_no_kind(kube: Kube) -> None:
    kube.made("secrets", meta("s"))
    _, found = kube.call("GET", kube.path("secrets"))
    assert found["kind"] == "SecretList"
    assert found["items"][0].keys() & {"kind", "apiVersion"} == set()


def test_json_patch_changes_and_tests(kube: Kube) -> None:
    kube.made("configmaps", configmap("c", a="1"))
    operations = [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "add", "path": "/data/b~0x", "value": "2"}]
    _, obj = kube.patch("configmaps", "c", operations, "json")
    assert obj["reason"] == "Invalid"
    operations[1]["path"] = "/data/b"
    _, obj = kube.patch("configmaps", "c", operations, "json")
    assert obj["data"] == {"a": "1", "b": "2"}
    status, body = kube.patch("configmaps", "c", [{"op": "test", "path": "/data/a", "value": "9"}], "json")
    assert (status, body["reason"]) == (422, "Invalid")
    status, _ = kube.patch("configmaps", "c", [{"op": "remove", "path": "/data/none"}], "json")
    assert status == 422


def test_merge_patch_replaces_lists_and_strategic_merges_them(kube: Kube) -> None:
    kube.made(APPS, deployment("web", container(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])))
    change = {"name": "main", "env": [{"name": "B", "value": "3"}, {"name": "A", "$patch": "delete"}]}
    body = {"spec": {"template": {"spec": {"containers": [change]}}}}
    _, obj = kube.patch(APPS, "web", body, "strategic")
    [main] = obj["spec"]["template"]["spec"]["containers"]
    assert (main["image"], main["env"]) == ("example/app:1", [{"name": "B", "value": "3"}])
    only = {"spec": {"template": {"spec": {"containers": [container(name="other")]}}}}
    _, obj = kube.patch(APPS, "web", only, "merge")
    assert [each["name"] for each in obj["spec"]["template"]["spec"]["containers"]] == ["other"]


def test_strategic_patch_keeps_the_order_asked_for(kube: Kube) -> None:
    kube.made(APPS, deployment("web", container(name="a"), container(name="b")))
    template = {"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}]}
    body = {"spec": {"template": {"spec": template | {"containers": [container(name="c")]}}}}
    _, obj = kube.patch(APPS, "web", body, "strategic")
    assert [each["name"] for each in obj["spec"]["template"]["spec"]["containers"]] == ["c", "b", "a"]


def test_an_unknown_patch_type_is_refused(kube: Kube) -> None:
    kube.made("configmaps", configmap("c"))
    status, body = kube.call("PATCH", kube.path("configmaps", "c"), {}, media="application/json")
    assert (status, body["reason"]) == (415, "UnsupportedMediaType")


def test_dry_run_create_stores_nothing(kube: Kube) -> None:
    assert kube.create("configmaps", configmap("c"), dryRun="All")[0] == 201
    assert kube.names("configmaps", fieldSelector="metadata.name=c") == []


def test_methods_that_are_not_served_are_refused(kube: Kube) -> None:
    status, body = kube.call("PUT", kube.path("configmaps"), configmap("c"))
    assert (status, body["reason"]) == (405, "MethodNotAllowed")
    kube.made("pods", pod("p"))
    status, body = kube.call("POST", kube.path("pods", "p", "exec"))
    assert (status, body["reason"]) == (501, "NotImplemented")


def test_tables_are_made_for_kubectl(kube: Kube) -> None:
    kube.made("pods", pod("p"))
    accept = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    table = kube.client.get(kube.path("pods"), headers=accept).json()
    titles = [column["name"] for column in table["columnDefinitions"]]
    assert dict(zip(titles, table["rows"][0]["cells"], strict=True)) | {"Age": ""} == {
        "Name": "p", "Ready": "0/1", "Status": "Pending", "Restarts": 0, "Age": "",
    }  # fmt: skip
