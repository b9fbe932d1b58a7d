"""Server-side apply, as KEP-555 and structured-merge-diff define it."""

# ruff: noqa: E501 (a row of a table of messages is a line)

from typing import Any

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import (
    Object,
    configmap,
    container,
    deployment,
    job,
    meta,
    pod,
    selector_and_template,
    service,
)

APPS = "deployments.apps"


def _owners(obj: Object) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"]["managedFields"]}


def test_apply_creates_and_a_second_apply_changes_nothing(kube: Kube) -> None:
    wanted = deployment("web", container(ports=[{"containerPort": 80}], env=[{"name": "A", "value": "1"}]))
    status, first = kube.apply(APPS, wanted)
    assert status == 201
    kube.until(lambda: len(kube.get(APPS, "web").get("status", {}).get("conditions") or []) == 2)
    before = kube.get(APPS, "web")
    status, second = kube.apply(APPS, wanted)
    assert status == 200
    assert second["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert second["metadata"]["generation"] == first["metadata"]["generation"] == 1


_BACKEND = {"service": {"name": "s", "port": {"number": 80}}}
_HTTP = {"paths": [{"path": "/a(/|$)(.*)", "pathType": "ImplementationSpecific", "backend": _BACKEND}]}
_RULE = {"from": [{"podSelector": {"matchLabels": {"a": "b"}}}], "ports": [{"port": 8090}]}
_TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
_ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
_CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
_RBAC = "rbac.authorization.k8s.io/v1"


@pytest.mark.parametrize(
    ("kind", "api_version", "content"),
    [
        ("Secret", "v1", {"stringData": {"a": "b"}}),
        ("ConfigMap", "v1", {"data": {"a": "b"}}),
        ("ServiceAccount", "v1", {}),
        ("Service", "v1", {"spec": {"type": "LoadBalancer", "ports": [{"port": 80, "name": "http"}]}}),
        ("Job", "batch/v1", {"spec": job("x")["spec"]}),
        ("CronJob", "batch/v1", {"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": job("x")["spec"]}}}),
        ("Pod", "v1", {"spec": pod("x", schedulerName="nobody")["spec"]}),
        ("DaemonSet", "apps/v1", {"spec": selector_and_template("x")}),
        ("StatefulSet", "apps/v1", {"spec": selector_and_template("x") | {"replicas": 0, "serviceName": "x"}}),
        ("Ingress", "networking.k8s.io/v1", {"spec": {"ingressClassName": "nginx", "rules": [{"http": _HTTP}]}}),
        ("NetworkPolicy", "networking.k8s.io/v1", {"spec": {"podSelector": {}, "ingress": [_RULE]}}),
        ("HorizontalPodAutoscaler", "autoscaling/v2", {"spec": {"maxReplicas": 3, "scaleTargetRef": _TARGET}}),
        ("Role", _RBAC, {"rules": [{"apiGroups": [""], "verbs": ["get"], "resources": ["pods"]}]}),
        ("RoleBinding", _RBAC, {"roleRef": _ROLE, "subjects": [{"kind": "User", "name": "u"}]}),
        ("PodDisruptionBudget", "policy/v1", {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}}),
        ("PersistentVolumeClaim", "v1", {"spec": _CLAIM}),
        ("Lease", "coordination.k8s.io/v1", {"spec": {"holderIdentity": "me"}}),
        ("EndpointSlice", "discovery.k8s.io/v1", {"addressType": "IPv4", "endpoints": [{"addresses": ["192.168.1.1"]}]}),
    ],
)  # fmt: skip
def test_applying_any_kind_twice_changes_nothing(kube: Kube, kind: str, api_version: str, content: Any) -> None:
    group = api_version.rpartition("/")[0]
    plural = {"Ingress": "ingresses", "NetworkPolicy": "networkpolicies"}.get(kind, kind.lower() + "s")
    key = f"{plural}.{group}" if group else plural
    body = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "labels": {"a": "b"}}} | content
    status, first = kube.apply(key, body)
    assert status == 201, first
    status, second = kube.apply(key, body)
    assert status == 200
    assert second["metadata"]["managedFields"][0] == first["metadata"]["managedFields"][0]
    assert second["metadata"].get("generation") == first["metadata"].get("generation")
    assert second.get("spec") == first.get("spec")


def test_applied_fields_are_recorded_under_their_manager(kube: Kube) -> None:
    obj = kube.applied("configmaps", configmap("c", a="1"))
    [entry] = obj["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("podium", "Apply", "v1")
    assert entry["fieldsType"] == "FieldsV1"
    assert entry["fieldsV1"] == {"f:data": {"f:a": {}}}


def test_applied_list_entries_are_recorded_by_their_keys(kube: Kube) -> None:
    main = container(
        ports=[{"containerPort": 80}], env=[{"name": "A", "value": "1"}], resources={"requests": {"cpu": "1"}}
    )
    obj = kube.applied(APPS, deployment("web", main))
    template = {
        "f:metadata": {"f:labels": {"f:app": {}}},
        "f:spec": {
            "f:containers": {
                'k:{"name":"main"}': {
                    ".": {},
                    "f:env": {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
                    "f:image": {},
                    "f:name": {},
                    "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                    "f:resources": {"f:requests": {"f:cpu": {}}},
                }
            }
        },
    }
    assert _owners(obj)["podium"] == {"f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": template}}


def test_updates_are_recorded_with_what_they_brought_into_being(kube: Kube) -> None:
    kube.made(APPS, deployment("web", container(ports=[{"containerPort": 80}])) | meta("web", labels={"a": "b"}))
    [entry] = [each for each in kube.get(APPS, "web")["metadata"]["managedFields"] if each["manager"] == "contract"]
    assert entry["operation"] == "Update"
    assert entry["fieldsV1"]["f:metadata"] == {"f:labels": {".": {}, "f:a": {}}}
    spec = entry["fieldsV1"]["f:spec"]
    assert spec["f:strategy"] == {"f:rollingUpdate": {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}}, "f:type": {}}
    containers = spec["f:template"]["f:spec"]["f:containers"]
    assert containers.keys() == {'k:{"name":"main"}'}
    port: Object = {".": {}, "f:containerPort": {}, "f:protocol": {}}
    assert containers['k:{"name":"main"}']["f:ports"] == {".": {}, 'k:{"containerPort":80,"protocol":"TCP"}': port}


def test_the_status_has_managers_of_its_own(kube: Kube) -> None:
    kube.made("pods", pod("p", schedulerName="nobody"))
    kube.patch("pods", "p", {"status": {"message": "hello"}}, "merge", "status", fieldManager="kubelet")
    [entry] = [each for each in kube.get("pods", "p")["metadata"]["managedFields"] if each["manager"] == "kubelet"]
    assert (entry["subresource"], entry["fieldsV1"]) == ("status", {"f:status": {"f:message": {}}})


def test_a_field_no_longer_applied_is_removed(kube: Kube) -> None:
    kube.apply("configmaps", configmap("c", a="1", b="2"))
    assert kube.applied("configmaps", configmap("c", a="1"))["data"] == {"a": "1"}


def test_a_field_no_longer_applied_stays_when_another_manager_owns_it(kube: Kube) -> None:
    kube.apply("configmaps", configmap("c", a="1", b="2"))
    kube.apply("configmaps", configmap("c", b="2"), "other")
    assert kube.applied("configmaps", configmap("c", a="1"))["data"] == {"a": "1", "b": "2"}


def test_a_field_no_longer_applied_goes_back_to_its_default(kube: Kube) -> None:
    kube.apply(APPS, deployment("web", revisionHistoryLimit=3))
    assert kube.applied(APPS, deployment("web"))["spec"]["revisionHistoryLimit"] == 10


def test_secrets_given_in_plain_text_go_when_they_are_no_longer_given(kube: Kube) -> None:
    base = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    kube.apply("secrets", base | {"stringData": {"a": "b"}, "data": {"z": "eg=="}})
    assert kube.applied("secrets", base | {"stringData": {"c": "d"}})["data"] == {"c": "ZA=="}


def test_labels_and_finalizers_are_applied_and_removed(kube: Kube) -> None:
    more = {"labels": {"l": "1"}, "annotations": {"a": "b"}, "finalizers": ["example.com/wait"]}
    kube.apply("configmaps", configmap("c") | meta("c", **more))
    obj = kube.applied("configmaps", configmap("c") | meta("c"))
    assert obj["metadata"].keys() & more.keys() == set()


def test_what_others_added_survives_an_apply(kube: Kube) -> None:
    kube.apply("configmaps", configmap("c", a="1"))
    kube.patch("configmaps", "c", {"data": {"theirs": "x"}}, "merge")
    assert kube.applied("configmaps", configmap("c", a="2"))["data"] == {"a": "2", "theirs": "x"}


def test_a_conflict_names_manager_and_field_and_changes_nothing(kube: Kube) -> None:
    kube.apply(APPS, deployment("web", replicas=0), "first")
    status, body = kube.apply(APPS, deployment("web", replicas=1), "second")
    assert (status, body) == (
        409,
        {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 409, "reason": "Conflict",
            "message": 'Apply failed with 1 conflict: conflict with "first": .spec.replicas',
            "details": {
                "causes": [
                    {"reason": "FieldManagerConflict", "message": 'conflict with "first"', "field": ".spec.replicas"}
                ]
            },
        },
    )  # fmt: skip
    assert kube.get(APPS, "web")["spec"]["replicas"] == 0


def test_a_conflict_in_a_list_names_the_entry(kube: Kube) -> None:
    kube.apply(APPS, deployment("web", container(env=[{"name": "A", "value": "1"}])), "first")
    _, body = kube.apply(APPS, deployment("web", container(env=[{"name": "A", "value": "2"}])), "second")
    field = '.spec.template.spec.containers[name="main"].env[name="A"].value'
    assert body["details"]["causes"][0]["field"] == field


def test_a_conflict_with_an_update_names_its_version(kube: Kube) -> None:
    kube.apply("configmaps", configmap("c", a="1"))
    kube.patch("configmaps", "c", {"data": {"a": "2"}}, "merge", fieldManager="kubectl-edit")
    status, body = kube.apply("configmaps", configmap("c", a="1"))
    assert status == 409
    assert body["message"] == 'Apply failed with 1 conflict: conflict with "kubectl-edit" using v1: .data.a'


def test_several_conflicts_are_listed_by_manager(kube: Kube) -> None:
    kube.apply("configmaps", configmap("c", a="1", b="2"), "second")
    _, body = kube.apply("configmaps", configmap("c", a="x", b="y"), "third")
    assert body["message"] == 'Apply failed with 2 conflicts: conflicts with "second":\n- .data.a\n- .data.b'
    kube.patch("configmaps", "c", {"data": {"a": "5"}}, "merge", fieldManager="first")
    _, body = kube.apply("configmaps", configmap("c", a="x", b="y"), "third")
    assert {(cause["message"], cause["field"]) for cause in body["details"]["causes"]} == {
        ('conflict with "first" using v1', ".data.a"),
        ('conflict with "second"', ".data.b"),
    }


def test_force_takes_the_fields_over(kube: Kube) -> None:
    kube.apply("configmaps", configmap("c", a="1", b="2"), "first")
    status, obj = kube.apply("configmaps", configmap("c", a="9"), "second", force=True)
    assert status == 200
    assert obj["data"] == {"a": "9", "b": "2"}
    assert _owners(obj) == {"first": {"f:data": {"f:b": {}}}, "second": {"f:data": {"f:a": {}}}}


def test_two_managers_may_own_the_same_value(kube: Kube) -> None:
    kube.apply("configmaps", configmap("c", a="1"), "first")
    status, obj = kube.apply("configmaps", configmap("c", a="1"), "second")
    assert status == 200
    assert _owners(obj).keys() == {"first", "second"}


def test_list_entries_merge_by_their_keys_and_go_with_their_manager(kube: Kube) -> None:
    kube.apply(APPS, deployment("web", container(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])))
    sidecar = {"name": "sidecar", "image": "example/side:1"}
    partial: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": [sidecar]}}},
    }
    obj = kube.applied(APPS, partial, "injector")
    containers = obj["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in containers] == ["main", "sidecar"]
    obj = kube.applied(APPS, deployment("web", container(env=[{"name": "B", "value": "3"}])))
    main, side = obj["spec"]["template"]["spec"]["containers"]
    assert (main["env"], side["image"]) == ([{"name": "B", "value": "3"}], "example/side:1")
    partial["spec"]["template"]["spec"]["containers"] = []
    obj = kube.applied(APPS, partial, "injector")
    assert [each["name"] for each in obj["spec"]["template"]["spec"]["containers"]] == ["main"]


def test_a_list_entry_no_longer_applied_keeps_what_others_own(kube: Kube) -> None:
    kube.apply(APPS, deployment("web", container(name="a"), container(name="b")))
    other = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    tty = {"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "example/app:1", "tty": True}]}}}}
    kube.applied(APPS, other | tty, "other")
    obj = kube.applied(APPS, deployment("web", container(name="a")))
    assert [(each["name"], each.get("tty")) for each in obj["spec"]["template"]["spec"]["containers"]] == [
        ("a", None),
        ("b", True),
    ]


def test_atomic_values_are_owned_and_replaced_as_one(kube: Kube) -> None:
    kube.apply(APPS, deployment("web", container(command=["a", "b"])), "first")
    status, body = kube.apply(APPS, deployment("web", container(command=["a"])), "second")
    assert status == 409
    assert body["details"]["causes"][0]["field"] == '.spec.template.spec.containers[name="main"].command'
    obj = kube.applied(APPS, deployment("web", container(command=["c"])), "second", force=True)
    assert obj["spec"]["template"]["spec"]["containers"][0]["command"] == ["c"]


def test_service_ports_are_keyed_by_port_and_defaulted_protocol(kube: Kube) -> None:
    kube.apply("services", service("s", ports=[{"port": 80, "name": "http"}, {"port": 443, "name": "https"}]))
    obj = kube.applied("services", service("s", ports=[{"port": 443, "name": "https", "targetPort": 8443}]))
    [port] = obj["spec"]["ports"]
    assert (port["port"], port["targetPort"], port["protocol"]) == (443, 8443, "TCP")


def test_quantities_are_canonical_and_do_not_count_as_a_change(kube: Kube) -> None:
    wanted = deployment("web", container(resources={"requests": {"cpu": "0.25", "memory": "1024Mi"}}))
    obj = kube.applied(APPS, wanted)
    requests = obj["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]
    assert requests == {"cpu": "250m", "memory": "1Gi"}
    assert kube.applied(APPS, wanted)["metadata"]["generation"] == 1


def test_a_quantity_written_differently_conflicts_with_its_owner(kube: Kube) -> None:
    kube.apply(APPS, deployment("web", container(resources={"requests": {"cpu": "250m"}})), "first")
    status, body = kube.apply(APPS, deployment("web", container(resources={"requests": {"cpu": "0.25"}})), "second")
    assert status == 409
    assert body["details"]["causes"][0]["field"].endswith(".resources.requests.cpu")


def test_what_had_no_manager_belonged_to_somebody_before(kube: Kube) -> None:
    kube.made("configmaps", configmap("c", a="1"))
    kube.patch("configmaps", "c", {"metadata": {"managedFields": [{}]}}, "merge")
    status, body = kube.apply("configmaps", configmap("c", a="2"))
    assert status == 409
    assert body["message"] == 'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a'


def test_dry_run_answers_but_stores_nothing(kube: Kube) -> None:
    status, obj = kube.apply("configmaps", configmap("c", a="1"), dryRun="All")
    assert (status, obj["data"]) == (201, {"a": "1"})
    assert kube.gone("configmaps", "c")
    kube.apply("configmaps", configmap("c", a="1"))
    status, obj = kube.apply("configmaps", configmap("c", a="2"), dryRun="All")
    assert (status, obj["data"], kube.get("configmaps", "c")["data"]) == (200, {"a": "2"}, {"a": "1"})


def test_status_is_applied_only_through_its_subresource(kube: Kube) -> None:
    kube.apply(APPS, deployment("web"))
    obj = kube.applied(APPS, deployment("web") | {"status": {"collisionCount": 7}})
    assert "collisionCount" not in obj["status"]
    bare = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    obj = kube.applied(APPS, bare | {"status": {"collisionCount": 7}}, "observer", sub="status")
    assert obj["status"]["collisionCount"] == 7
    [entry] = [each for each in obj["metadata"]["managedFields"] if each["manager"] == "observer"]
    assert (entry["operation"], entry["subresource"]) == ("Apply", "status")
    status, body = kube.apply(APPS, deployment("none"), sub="status")
    assert (status, body["message"]) == (404, 'deployments.apps "none" not found')


def test_yaml_bodies_are_read(kube: Kube) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  day: 2026-11-01\n"
    path, media = kube.path("configmaps", "c"), "application/apply-patch+yaml"
    status, obj = kube.call("PATCH", path, text.encode(), media=media, fieldManager="podium")
    assert (status, obj["data"]) == (201, {"day": "2026-11-01"})


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"replica": 1}, ".spec.replica: field not declared in schema"),
        ({"replicas": "x"}, ".spec.replicas: expected numeric (int or float), got string"),
        (
            {"template": {"spec": {"containers": [container(), container()]}}},
            '.spec.template.spec.containers: duplicate entries for key [name="main"]',
        ),
    ],
)
def test_what_does_not_fit_the_type_is_refused(kube: Kube, content: Object, text: str) -> None:
    status, body = kube.apply(APPS, deployment("web", **content))
    assert status == 500
    assert "reason" not in body  # github.com/kubernetes/kubernetes/issues/122480
    head = "failed to create typed patch object (/web; apps/v1, Kind=Deployment): "
    assert body["message"] == head + text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"metadata": {"name": "c"}}, "invalid object type: /, Kind="),
        ({"apiVersion": "v1", "metadata": {"name": "c"}}, "invalid object type: /v1, Kind="),
        ({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c"}}, "invalid object type: /v1, Kind=Secret"),
        (configmap("c") | meta("c", managedFields=[{}]), "metadata.managedFields must be nil"),
        (configmap("c") | meta("c", namespace="x"), "the namespace of the provided object does not match the namespace sent on the request"),
    ],
)  # fmt: skip
def test_what_cannot_be_applied_is_a_bad_request(kube: Kube, body: Object, text: str) -> None:
    status, answer = kube.apply("configmaps", body)
    assert (status, answer["reason"], answer["message"]) == (400, "BadRequest", text)


def test_a_field_manager_is_required(kube: Kube) -> None:
    status, body = kube.apply("configmaps", configmap("c"), "")
    text = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
    assert (status, body["message"]) == (422, text)


def test_apply_checks_version_and_uid_when_they_are_given(kube: Kube) -> None:
    kube.apply("configmaps", configmap("c", a="1"))
    status, body = kube.apply("configmaps", configmap("c", a="2") | meta("c", resourceVersion="1"))
    assert (status, body["reason"]) == (409, "Conflict")
    status, body = kube.apply("configmaps", configmap("c", a="2") | meta("c", uid="z"))
    text = 'ConfigMap "c" is invalid: metadata.uid: Invalid value: "z": field is immutable'
    assert (status, body["message"]) == (422, text)
