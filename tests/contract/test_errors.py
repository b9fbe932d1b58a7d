"""Errors in their exact shape: status codes, reasons, messages and details of the Status object."""

# ruff: noqa: E501 (a row of a table of messages is a line)

from typing import Any

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import configmap, container, deployment, meta, service

APPS = "deployments.apps"
NOT_HERE = "the server could not find the requested resource"


def _status(code: int, reason: str, message: str, **details: Any) -> dict[str, Any]:
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code}
    body |= {"reason": reason, "message": message}
    return body | details


def test_what_is_not_there_is_not_found(kube: Kube) -> None:
    for verb, body in (("GET", None), ("PUT", deployment("nope")), ("DELETE", None)):
        answer = kube.call(verb, kube.path(APPS, "nope"), body)
        details = {"name": "nope", "group": "apps", "kind": "deployments"}
        assert answer == (404, _status(404, "NotFound", 'deployments.apps "nope" not found', details=details))


@pytest.mark.parametrize("path", ["/apis/apps/v1/widgets", "/apis/apps/v9", "/api/v2", "/api/v1/nothings"])
def test_unknown_resources_and_versions_of_known_groups_are_said(kube: Kube, path: str) -> None:
    assert kube.call("GET", path) == (404, _status(404, "NotFound", NOT_HERE, details={}))


def test_unknown_subresources_are_said(kube: Kube) -> None:
    for sub in ("status", "nothing"):
        assert kube.call("GET", kube.path("configmaps", "kube-root-ca.crt", sub))[1]["message"] == NOT_HERE


@pytest.mark.parametrize(
    "path", ["/apis/example.com", "/apis/example.com/v1", "/apis/example.com/v1/widgets", "/nothing"]
)
def test_paths_outside_all_groups_are_plain_404s(kube: Kube, path: str) -> None:
    response = kube.request("GET", path)
    assert (response.status_code, response.text) == (404, "404 page not found\n")


def test_methods_that_are_not_served_are_refused(kube: Kube) -> None:
    text = "the server does not allow this method on the requested resource"
    expected = 405, _status(405, "MethodNotAllowed", text, details={})
    assert kube.call("PUT", kube.path("configmaps"), configmap("c")) == expected
    assert kube.call("PATCH", kube.path("configmaps"), {}, media="application/merge-patch+json") == expected
    assert kube.call("POST", kube.path("configmaps", "c"), configmap("c")) == expected
    assert kube.call("POST", "/api/v1/configmaps", configmap("c")) == expected
    assert kube.call("DELETE", "/api/v1/configmaps") == expected
    assert kube.call("OPTIONS", kube.path("configmaps")) == expected


def test_bodies_must_fit_their_path(kube: Kube) -> None:
    status, body = kube.create("configmaps", configmap("c") | meta("c", namespace="other"))
    text = "the namespace of the provided object does not match the namespace sent on the request"
    assert (status, body) == (400, _status(400, "BadRequest", text))
    kube.made("configmaps", configmap("c"))
    status, body = kube.call("PUT", kube.path("configmaps", "c"), configmap("d"))
    text = "the name of the object (d) does not match the name on the URL (c)"
    assert (status, body) == (400, _status(400, "BadRequest", text))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (deployment("d"), 'Deployment in version "v1" cannot be handled as a ConfigMap: converting (v1.Deployment) to (core.ConfigMap): unknown conversion'),
        ({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}, 'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion'),
        ({"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "x"}}, 'ConfigMap in version "v2" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "v2" in scheme "pkg/runtime/scheme.go:110"'),
        ({"metadata": "x"}, 'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal string into Go struct field ConfigMap.metadata of type v1.ObjectMeta'),
        ({"metadata": {"name": 5}}, 'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string'),
    ],
)  # fmt: skip
def test_objects_of_another_type_are_bad_requests(kube: Kube, body: Any, text: str) -> None:
    assert kube.create("configmaps", body) == (400, _status(400, "BadRequest", text))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"replicas": "three"}, "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"),
        ({"replicas": 1.5}, "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32"),
        ({"replicas": 99999999999}, "json: cannot unmarshal number 99999999999 into Go struct field DeploymentSpec.spec.replicas of type int32"),
        ({"paused": "x"}, "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of type bool"),
        ({"template": 5}, "json: cannot unmarshal number into Go struct field DeploymentSpec.spec.template of type v1.PodTemplateSpec"),
        ({"template": {"spec": {"containers": [container(env="x")]}}}, "json: cannot unmarshal string into Go struct field Container.spec.template.spec.containers.env of type []v1.EnvVar"),
        ({"template": {"spec": {"containers": [container(env=[{"name": 5}])]}}}, "json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.name of type string"),
        ({"template": {"spec": {"containers": [container(resources={"limits": {"cpu": "x"}})]}}}, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
    ],
)  # fmt: skip
def test_wrong_types_are_bad_requests(kube: Kube, content: Any, text: str) -> None:
    head = 'Deployment in version "v1" cannot be handled as a Deployment: '
    assert kube.create(APPS, deployment("d", **content)) == (400, _status(400, "BadRequest", head + text))


def test_data_must_be_text_or_base64(kube: Kube) -> None:
    head = 'Secret in version "v1" cannot be handled as a Secret: '
    _, body = kube.create("secrets", meta("s") | {"data": {"a": "not base64!"}})
    assert body["message"] == f"{head}illegal base64 data at input byte 3"
    _, body = kube.create("secrets", meta("s") | {"stringData": {"a": 5}})
    assert (
        body["message"] == f"{head}json: cannot unmarshal number into Go struct field Secret.stringData of type string"
    )


_STRUCT = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"{", "couldn't get version/kind; json parse error: unexpected end of JSON input ({)"),
        (b"", "couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)"),
        (b"[]", f"couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type {_STRUCT} (5b5d)"),
        (b"a: [", "couldn't get version/kind; json parse error: invalid character 'a' looking for beginning of value (613a205b)"),
    ],
)  # fmt: skip
def test_malformed_bodies_are_bad_requests(kube: Kube, content: bytes, text: str) -> None:
    head = "the object provided is unrecognized (must be of type ConfigMap): "
    status, body = kube.create("configmaps", content)  # type: ignore[arg-type]
    assert (status, body) == (400, _status(400, "BadRequest", head + text))


def test_yaml_bodies_are_read_as_kubernetes_reads_yaml(kube: Kube) -> None:
    text = b"metadata: {name: c}\ndata:\n  day: 2026-11-01\n  quoted: 'yes'\n"
    status, obj = kube.create("configmaps", text, media="application/yaml")  # type: ignore[arg-type]
    assert (status, obj["data"]) == (201, {"day": "2026-11-01", "quoted": "yes"})
    status, body = kube.create("configmaps", b"metadata: {name: y}", media="application/yaml")  # type: ignore[arg-type]
    assert (status, "cannot unmarshal bool into Go struct field ObjectMeta.metadata.name" in body["message"]) == (
        400,
        True,
    )
    status, body = kube.create("configmaps", b"a: [", media="application/yaml")  # type: ignore[arg-type]
    problem = "yaml: line 1: did not find expected node content (613a205b)"
    assert body["message"] == f"the object provided is unrecognized (must be of type ConfigMap): {problem}"


def test_other_media_types_are_not_read(kube: Kube) -> None:
    status, body = kube.create("configmaps", b"x", media="text/plain")  # type: ignore[arg-type]
    accepted = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    text = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    assert (status, body) == (415, _status(415, "UnsupportedMediaType", text))


def test_answers_come_in_the_form_that_is_asked_for(kube: Kube) -> None:
    path = kube.path("configmaps", "kube-root-ca.crt")
    assert kube.request("GET", path, accept="application/yaml").text.startswith("apiVersion: v1\n")
    status, body = kube.call("GET", path, accept="text/html")
    assert (status, body["reason"], body["details"]) == (406, "NotAcceptable", {})
    assert body["message"].startswith("406: Not Acceptable\n\nAvailable representations: application/json, ")
    accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    partial = kube.call("GET", path, accept=accept)[1]
    assert (partial["kind"], partial.keys()) == ("PartialObjectMetadata", {"kind", "apiVersion", "metadata"})


@pytest.mark.parametrize(
    ("options", "field", "reason", "text"),
    [
        ({"dryRun": "Some"}, "dryRun", "NotSupported", 'Unsupported value: ["Some"]: supported values: "All"'),
        ({"fieldValidation": "Some"}, "fieldValidation", "NotSupported", 'Unsupported value: "Some": supported values: "", "Ignore", "Strict", "Warn"'),
        ({"fieldManager": "x" * 200}, "fieldManager", "TooLong", "Too long: may not be more than 128 bytes"),
        ({"fieldManager": "x\ty"}, "fieldManager", "Invalid", 'Invalid value: "x\\ty": invalid character U+0009 (at position 1)'),
    ],
)  # fmt: skip
def test_options_are_checked(kube: Kube, options: Any, field: str, reason: str, text: str) -> None:
    status, body = kube.create("configmaps", configmap("c"), **options)
    cause = {"field": field, "reason": f"FieldValue{reason}", "message": text}
    message = f'CreateOptions.meta.k8s.io "" is invalid: {field}: {text}'
    details = {"group": "meta.k8s.io", "kind": "CreateOptions", "causes": [cause]}
    assert (status, body) == (422, _status(422, "Invalid", message, details=details))
    _, body = kube.replace("configmaps", configmap("c"), **options)
    assert body["details"]["kind"] == "UpdateOptions"


def test_several_problems_are_told_at_once(kube: Kube) -> None:
    ports = [{"port": 0}, {"port": 70000, "name": "x"}]
    status, body = kube.create("services", service("s", ports=ports, sessionAffinity="X"))
    causes = [(cause["field"], cause["reason"]) for cause in body["details"]["causes"]]
    assert (status, causes) == (
        422,
        [
            ("spec.ports[0].name", "FieldValueRequired"),
            ("spec.ports[0].port", "FieldValueInvalid"),
            ("spec.ports[0].targetPort", "FieldValueInvalid"),
            ("spec.ports[1].port", "FieldValueInvalid"),
            ("spec.ports[1].targetPort", "FieldValueInvalid"),
            ("spec.sessionAffinity", "FieldValueNotSupported"),
        ],
    )
    assert body["message"].startswith('Service "s" is invalid: [spec.ports[0].name: Required value, ')
    assert body["details"]["name"] == "s"
    assert body["details"]["kind"] == "Service"


def test_an_eviction_that_breaks_a_budget_is_to_be_tried_later(kube: Kube) -> None:
    labels = {"app": "p"}
    kube.made(
        "pods",
        {"metadata": {"name": "p", "labels": labels}, "spec": {"schedulerName": "x", "containers": [container()]}},
    )
    kube.set_status("pods", "p", {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})
    budget = {"spec": {"minAvailable": 1, "selector": {"matchLabels": labels}}}
    kube.made("poddisruptionbudgets.policy", meta("b") | budget)
    kube.until(lambda: kube.get("poddisruptionbudgets.policy", "b").get("status", {}).get("observedGeneration"))
    response = kube.request("POST", kube.path("pods", "p", "eviction"), meta("p"))
    body = response.json()
    assert (response.status_code, body["reason"]) == (429, "TooManyRequests")
    assert body["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    [cause] = body["details"]["causes"]
    assert (cause["reason"], cause["message"].startswith("The disruption budget b needs 1 healthy pods and has ")) == (
        "DisruptionBudget",
        True,
    )
    kube.delete("poddisruptionbudgets.policy", "b")
    assert kube.call("POST", kube.path("pods", "p", "eviction"), meta("p"))[0] == 201
    kube.until(lambda: kube.gone("pods", "p"))
