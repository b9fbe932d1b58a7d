"""Pods: what their specs may say, and what may change."""

# ruff: noqa: E501 (a row of a table of messages is a line)

from typing import Any

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import Object, container, pod

UPDATABLE = (
    "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def _main(**more: Any) -> Object:
    return {"containers": [container(**more)]}


@pytest.mark.parametrize(
    ("spec", "field", "text"),
    [
        ({"containers": []}, "containers", "Required value"),
        ({"containers": [{"name": "c"}]}, "containers[0].image", "Required value"),
        ({"containers": [container()] * 2}, "containers[1].name", 'Duplicate value: "main"'),
        (_main(name=""), "containers[0].name", "Required value"),
        (_main(image=" x"), "containers[0].image", 'Invalid value: " x": must not have leading or trailing whitespace'),
        (_main(imagePullPolicy="X"), "containers[0].imagePullPolicy", 'Unsupported value: "X": supported values: "Always", "IfNotPresent", "Never"'),
        (_main(ports=[{"containerPort": 70000}]), "containers[0].ports[0].containerPort", "Invalid value: 70000: must be between 1 and 65535, inclusive"),
        (_main(ports=[{}]), "containers[0].ports[0].containerPort", "Required value"),
        (_main(ports=[{"containerPort": 1, "name": "x" * 16}]), "containers[0].ports[0].name", f'Invalid value: "{"x" * 16}": must be no more than 15 characters'),
        (_main(ports=[{"containerPort": 1, "protocol": "x"}]), "containers[0].ports[0].protocol", 'Unsupported value: "x": supported values: "SCTP", "TCP", "UDP"'),
        (_main(env=[{}]), "containers[0].env[0].name", "Required value"),
        (_main(env=[{"name": "A=B"}]), "containers[0].env[0].name", "Invalid value: \"A=B\": a valid environment variable name must consist only of printable ASCII characters other than '='"),
        (_main(env=[{"name": "A", "valueFrom": {}}]), "containers[0].env[0].valueFrom", 'Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`'),
        (_main(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x"}}}]), "containers[0].env[0].valueFrom.secretKeyRef.key", "Required value"),
        (_main(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "bogus"}}}]), "containers[0].env[0].valueFrom.fieldRef.fieldPath", 'Invalid value: "bogus": error converting fieldPath: field label not supported: bogus'),
        (_main(volumeMounts=[{"name": "v", "mountPath": "/x"}]), "containers[0].volumeMounts[0].name", 'Not found: "v"'),
        (_main(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}), "containers[0].resources.requests", 'Invalid value: "2": must be less than or equal to cpu limit of 1'),
        (_main(resources={"requests": {"cpu": "-1"}}), "containers[0].resources.requests[cpu]", 'Invalid value: "-1": must be greater than or equal to 0'),
        (_main(resources={"requests": {"bogus": "1"}}), "containers[0].resources.requests[bogus]", 'Invalid value: "bogus": must be a standard resource for containers'),
        (_main(livenessProbe={}), "containers[0].livenessProbe", "Required value: must specify a handler type"),
        (_main(livenessProbe={"httpGet": {"port": 0}}), "containers[0].livenessProbe.httpGet.port", "Invalid value: 0: must be between 1 and 65535, inclusive"),
        (_main(livenessProbe={"httpGet": {"port": 1}, "successThreshold": 2}), "containers[0].livenessProbe.successThreshold", "Invalid value: 2: must be 1"),
        (_main(readinessProbe={"httpGet": {"port": 1}, "tcpSocket": {"port": 1}}), "containers[0].readinessProbe.tcpSocket", "Forbidden: may not specify more than 1 handler type"),
        (_main(securityContext={"seccompProfile": {"type": "X"}}), "containers[0].securityContext.seccompProfile.type", 'Unsupported value: "X": supported values: "Localhost", "RuntimeDefault", "Unconfined"'),
        (_main(lifecycle={"preStop": {}}), "containers[0].lifecycle.preStop", "Required value: must specify a handler type"),
        ({"volumes": [{"name": "v"}, {"name": "v"}]}, "volumes[1].name", 'Duplicate value: "v"'),
        ({"volumes": [{"name": "v", "emptyDir": {}, "secret": {"secretName": "x"}}]}, "volumes[0].secret", "Forbidden: may not specify more than 1 volume type"),
        ({"volumes": [{"name": "v", "secret": {}}]}, "volumes[0].secret.secretName", "Required value"),
        ({"volumes": [{"name": "v", "configMap": {}}]}, "volumes[0].configMap.name", "Required value"),
        ({"restartPolicy": "Sometimes"}, "restartPolicy", 'Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'),
        ({"dnsPolicy": "X"}, "dnsPolicy", 'Unsupported value: "X": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"'),
        ({"activeDeadlineSeconds": 0}, "activeDeadlineSeconds", "Invalid value: 0: must be between 1 and 2147483647, inclusive"),
        ({"securityContext": {"runAsUser": -1}}, "securityContext.runAsUser", "Invalid value: -1: must be between 0 and 2147483647, inclusive"),
        ({"tolerations": [{"key": "a", "operator": "Exists", "value": "x"}]}, "tolerations[0].operator", "Invalid value: \"x\": value must be empty when `operator` is 'Exists'"),
        ({"initContainers": [container(name="main")]}, "initContainers[0].name", 'Duplicate value: "main"'),
        ({"initContainers": [container(name="i", readinessProbe={"httpGet": {"port": 1}})]}, "initContainers[0].readinessProbe", "Forbidden: may not be set for init containers without restartPolicy=Always"),
        ({"hostNetwork": True, **_main(ports=[{"containerPort": 80, "hostPort": 81}])}, "containers[0].ports[0].hostPort", "Invalid value: 81: must match `containerPort` when `hostNetwork` is true"),
        ({"topologySpreadConstraints": [{"maxSkew": 0}]}, "topologySpreadConstraints[0].topologyKey", "Required value: can not be empty"),
        ({"hostAliases": [{"ip": "x"}]}, "hostAliases[0].ip", 'Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'),
    ],
)  # fmt: skip
def test_pods_are_checked(kube: Kube, spec: Object, field: str, text: str) -> None:
    status, body = kube.create("pods", pod("p", **spec), dryRun="All")
    assert (status, body["reason"], body["details"]["kind"]) == (422, "Invalid", "Pod")
    assert (f"spec.{field}", text) in [(cause["field"], cause["message"]) for cause in body["details"]["causes"]]


def test_a_restricted_pod_is_accepted_as_it_is(kube: Kube) -> None:
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
    whole = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    obj = kube.made("pods", pod("p", securityContext=whole, containers=[container(securityContext=context)]))
    assert (obj["spec"]["securityContext"], obj["spec"]["containers"][0]["securityContext"]) == (whole, context)


@pytest.mark.parametrize("change", [{"hostNetwork": True}, {"nodeName": "n"}, {"serviceAccountName": "x"}])
def test_most_of_a_pod_may_not_change(kube: Kube, change: Object) -> None:
    kube.made("pods", pod("p", schedulerName="nobody"))
    status, body = kube.patch("pods", "p", {"spec": change}, "merge")
    assert (status, body["message"].startswith(f'Pod "p" is invalid: {UPDATABLE}')) == (422, True)


def test_images_deadlines_and_tolerations_may_change(kube: Kube) -> None:
    kube.made("pods", pod("p", schedulerName="nobody"))
    image = {"spec": {"containers": [{"name": "main", "image": "new:1"}]}}
    assert kube.patch("pods", "p", image, "strategic")[1]["spec"]["containers"][0]["image"] == "new:1"
    assert kube.patch("pods", "p", {"spec": {"activeDeadlineSeconds": 9}}, "merge")[0] == 200
    status, body = kube.patch("pods", "p", {"spec": {"activeDeadlineSeconds": 20}}, "merge")
    text = "spec.activeDeadlineSeconds: Invalid value: 20: must be less than or equal to previous value"
    assert (status, body["message"]) == (422, f'Pod "p" is invalid: {text}')
    before = kube.get("pods", "p")["spec"]["tolerations"]
    more = [*before, {"key": "a", "operator": "Exists"}]
    assert kube.patch("pods", "p", {"spec": {"tolerations": more}}, "merge")[1]["spec"]["tolerations"] == more
