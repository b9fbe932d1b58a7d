"""Server-side apply, as KEP-555 and structured-merge-diff define it."""

from typing import Any

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import configmap, container, deployment, job, pod, service

APPS = "deployments.apps"


def test_apply_creates_and_a_second_apply_changes_nothing(kube: Kube) -> None:
    wanted = deployment("web", container(ports=[{"containerPort": 80}], env=[{"name": "A", "value": "1"}]))
    status, first = kube.apply(APPS, wanted)
    assert status == 201
    kube.until(lambda: kube.get(APPS, "web").get("status", {}).get("observedGeneration"))
    before = kube.get(APPS, "web")
    status, second = kube.apply(APPS, wanted)
    assert status == 200
    assert second["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert second["metadata"]["generation"] == first["metadata"]["generation"] == 1


_BACKEND = {"service": {"name": "s", "port": {"number": 80}}}
_HTTP = {"paths": [{"path": "/a(/|$)(.*)", "pathType": "ImplementationSpecific", "backend": _BACKEND}]}
_RULE = {"from": [{"podSelector": {"matchLabels": {"a": "b"}}}], "ports": [{"port": 8090}]}
_TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
_ROLE = {"kind": "Role", "name": "r"}


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
        ("DaemonSet", "apps/v1", {"spec": {key: deployment("x")["spec"][key] for key in ("selector", "template")}}),
        ("Ingress", "networking.k8s.io/v1", {"spec": {"ingressClassName": "nginx", "rules": [{"http": _HTTP}]}}),
        ("NetworkPolicy", "networking.k8s.io/v1", {"spec": {"podSelector": {}, "ingress": [_RULE]}}),
        ("HorizontalPodAutoscaler", "autoscaling/v2", {"spec": {"maxReplicas": 3, "scaleTargetRef": _TARGET}}),
        ("Role", "rbac.authorization.k8s.io/v1", {"rules": [{"verbs": ["get"], "resources": ["pods"]}]}),
        (
            "RoleBinding",
            "rbac.authorization.k8s.io/v1",
            {"roleRef": _ROLE, "subjects": [{"kind": "User", "name": "u"}]},
        ),
        ("PodDisruptionBudget", "policy/v1", {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}}),
        (
            "PersistentVolumeClaim",
            "v1",
            {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
        ),
    ],
)
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
    _, obj = kube.apply("configmaps", configmap("c", a="1"))
    [entry] = obj["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("podium", "Apply", "v1")
    assert entry["fieldsV1"] == {"f:data": {"f:a": {}}}


def test_a_field_no_longer_applied_is_removed(kube: Kube) -> None:
    kube.apply("configmaps", configmap("c", a="1", b="2"))
    _, obj = kube.apply("configmaps", configmap("c", a="1"))
    assert obj["data"] == {"a": "1"}


def test_a_field_no_longer_applied_stays_when_another_manager_owns_it(kube: Kube) -> None:
    kube.apply("configmaps", configmap("c", a="1", b="2"))
    kube.apply("configmaps", configmap("c", b="2"), "other")
    _, obj = kube.apply("configmaps", configmap("c", a="1"))
    assert obj["data"] == {"a": "1", "b": "2"}


def test_what_others_added_survives_an_apply(kube: Kube) -> None:
    kube.apply("configmaps", configmap("c", a="1"))
    kube.patch("configmaps", "c", {"data": {"theirs": "x"}}, "merge")
    _, obj = kube.apply("configmaps", configmap("c", a="2"))
    assert obj["data"] == {"a": "2", "theirs": "x"}


def test_a_conflict_names_manager_and_field_and_changes_nothing(kube: Kube) -> None:
    kube.apply(APPS, deployment("web", replicas=0), "first")
    status, body = kube.apply(APPS, deployment("web", replicas=1), "second")
    assert status == 409
    assert body["reason"] == "Conflict"
    assert body["message"] == 'Apply failed with 1 conflict: conflict with "first": .spec.replicas'
    assert body["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "first"', "field": ".spec.replicas"}
    ]
    assert kube.get(APPS, "web")["spec"]["replicas"] == 0


def test_a_conflict_with_an_update_names_its_version(kube: Kube) -> None:
    kube.apply("configmaps", configmap("c", a="1"))
    kube.patch("configmaps", "c", {"data": {"a": "2"}}, "merge", fieldManager="kubectl-edit")
    status, body = kube.apply("configmaps", configmap("c", a="1"))
    assert status == 409
    assert 'conflict with "kubectl-edit" using v1: .data.a' in body["message"]


def test_several_conflicts_are_listed_by_manager(kube: Kube) -> None:
    kube.apply("configmaps", configmap("c", a="1", b="2"), "first")
    _, body = kube.apply("configmaps", configmap("c", a="x", b="y"), "second")
    assert body["message"] == 'Apply failed with 2 conflicts: conflicts with "first":\n- .data.a\n- .data.b'


def test_force_takes_the_fields_over(kube: Kube) -> None:
    kube.apply("configmaps", configmap("c", a="1", b="2"), "first")
    status, obj = kube.apply("configmaps", configmap("c", a="9"), "second", force=True)
    assert status == 200
    assert obj["data"] == {"a": "9", "b": "2"}
    owners = {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"]["managedFields"]}
    assert owners == {"first": {"f:data": {"f:b": {}}}, "second": {"f:data": {"f:a": {}}}}


def test_two_managers_may_own_the_same_value(kube: Kube) -> None:
    kube.apply("configmaps", configmap("c", a="1"), "first")
    status, _ = kube.apply("configmaps", configmap("c", a="1"), "second")
    assert status == 200


def test_list_entries_merge_by_their_keys(kube: Kube) -> None:
    kube.apply(APPS, deployment("web", container(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])))
    sidecar = {"name": "sidecar", "image": "example/side:1"}
    partial: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": [sidecar]}}},
    }
    _, obj = kube.apply(APPS, partial, "injector")
    containers = obj["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in containers] == ["main", "sidecar"]
    _, obj = kube.apply(APPS, deployment("web", container(env=[{"name": "B", "value": "3"}])))
    main, side = obj["spec"]["template"]["spec"]["containers"]
    assert main["env"] == [{"name": "B", "value": "3"}]
    assert side["image"] == "example/side:1"


def test_service_ports_are_keyed_by_port_and_defaulted_protocol(kube: Kube) -> None:
    kube.apply("services", service("s", ports=[{"port": 80, "name": "http"}, {"port": 443, "name": "https"}]))
    _, obj = kube.apply("services", service("s", ports=[{"port": 443, "name": "https", "targetPort": 8443}]))
    [port] = obj["spec"]["ports"]
    assert (port["port"], port["targetPort"], port["protocol"]) == (443, 8443, "TCP")


def test_quantities_are_canonical_and_do_not_count_as_a_change(kube: Kube) -> None:
    wanted = deployment("web", container(resources={"requests": {"cpu": "0.25", "memory": "1024Mi"}}))
    _, obj = kube.apply(APPS, wanted)
    requests = obj["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]
    assert requests == {"cpu": "250m", "memory": "1Gi"}
    _, again = kube.apply(APPS, wanted)
    assert again["metadata"]["generation"] == 1


def test_an_undeclared_field_is_refused(kube: Kube) -> None:
    status, body = kube.apply(APPS, deployment("web", replica=1))
    assert status == 500
    assert "reason" not in body  # github.com/kubernetes/kubernetes/issues/122480
    assert body["message"].endswith("Kind=Deployment): .spec.replica: field not declared in schema")


def test_a_field_manager_is_required(kube: Kube) -> None:
    status, body = kube.apply("configmaps", configmap("c"), "")
    assert status == 422
    assert "fieldManager: Required value: is required for apply patch" in body["message"]


def test_dry_run_answers_but_stores_nothing(kube: Kube) -> None:
    status, obj = kube.apply("configmaps", configmap("c", a="1"), dryRun="All")
    assert status == 201
    assert obj["data"] == {"a": "1"}
    assert kube.call("GET", kube.path("configmaps", "c"))[0] == 404


def test_status_is_applied_only_through_its_subresource(kube: Kube) -> None:
    kube.apply(APPS, deployment("web"))
    wanted = deployment("web") | {"status": {"collisionCount": 7}}
    _, obj = kube.apply(APPS, wanted)
    assert "collisionCount" not in obj.get("status", {})
    status_only = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    _, obj = kube.apply(APPS, status_only | {"status": {"collisionCount": 7}}, "observer", sub="status")
    assert obj["status"]["collisionCount"] == 7


def test_yaml_bodies_are_read(kube: Kube) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  day: 2026-11-01\n"
    path = kube.path("configmaps", "c")
    headers = {"content-type": "application/apply-patch+yaml"}
    response = kube.client.patch(path, params={"fieldManager": "podium"}, content=text, headers=headers)
    assert response.status_code == 201
    assert response.json()["data"] == {"day": "2026-11-01"}
