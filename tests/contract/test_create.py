"""Creating: identity, defaults, names, and what is filled in."""

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


def test_a_new_object_gets_identity_and_defaults(kube: Kube) -> None:
    obj = kube.made(APPS, deployment("web"))
    metadata, spec = obj["metadata"], obj["spec"]
    assert {"uid", "creationTimestamp", "resourceVersion", "generation"} <= metadata.keys()
    assert metadata["namespace"] == kube.namespace
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    assert (spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (10, 600)
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    assert spec["template"]["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"


def test_what_a_caller_says_about_identity_is_ignored(kube: Kube) -> None:
    given = {"uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z", "deletionTimestamp": "2001-01-01T00:00:00Z"}
    obj = kube.made("configmaps", configmap("c") | meta("c", **given))
    assert obj["metadata"]["uid"] != "mine"
    assert not obj["metadata"]["creationTimestamp"].startswith("2001")
    assert "deletionTimestamp" not in obj["metadata"]


def test_a_resource_version_may_not_be_given(kube: Kube) -> None:
    status, body = kube.create("configmaps", configmap("c") | meta("c", resourceVersion="1"))
    assert (status, body["message"]) == (500, "resourceVersion should not be set on objects to be created")


def test_empty_fields_are_left_out_unless_their_type_always_shows_them(kube: Kube) -> None:
    made = kube.made("configmaps", {"metadata": {"name": "c", "labels": {}}, "data": {}})
    assert made.keys() == {"kind", "apiVersion", "metadata"}
    assert "labels" not in made["metadata"]
    assert kube.made("roles.rbac.authorization.k8s.io", meta("r"))["rules"] is None
    web = kube.made(APPS, deployment("web", container(env=[{"name": "A", "value": ""}])))
    assert web["status"] == {}
    assert web["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "A"}]
    assert web["spec"]["template"]["spec"]["containers"][0]["resources"] == {}
    assert web["spec"]["replicas"] == 0


def test_a_pod_begins_pending_with_all_defaults(kube: Kube) -> None:
    obj = kube.made("pods", pod("p", schedulerName="nobody"))
    assert obj["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    spec = obj["spec"]
    assert (spec["restartPolicy"], spec["dnsPolicy"], spec["terminationGracePeriodSeconds"]) == (
        "Always",
        "ClusterFirst",
        30,
    )
    assert (spec["serviceAccountName"], spec["serviceAccount"], spec["enableServiceLinks"]) == (
        "default",
        "default",
        True,
    )
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert [(each["key"], each["tolerationSeconds"]) for each in spec["tolerations"]] == [
        ("node.kubernetes.io/not-ready", 300),
        ("node.kubernetes.io/unreachable", 300),
    ]


def test_a_pod_gets_the_token_of_its_account(kube: Kube) -> None:
    spec = kube.made("pods", pod("p", schedulerName="nobody"))["spec"]
    [mount], [volume] = spec["containers"][0]["volumeMounts"], spec["volumes"]
    assert mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert mount["name"] == volume["name"]
    assert volume["name"].startswith("kube-api-access-")
    sources = volume["projected"]["sources"]
    assert sources[0] == {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
    assert sources[1]["configMap"] == {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    without = kube.made("pods", pod("q", schedulerName="nobody", automountServiceAccountToken=False))["spec"]
    assert "volumes" not in without


def test_a_pod_needs_its_account_and_its_priority_class(kube: Kube) -> None:
    status, body = kube.create("pods", pod("p", serviceAccountName="nope"))
    where = f'{kube.namespace}/nope: serviceaccount "nope" not found'
    assert (status, body["message"]) == (403, f'pods "p" is forbidden: error looking up service account {where}')
    status, body = kube.create("pods", pod("p", priorityClassName="nope"))
    assert (status, body["message"]) == (403, 'pods "p" is forbidden: no PriorityClass with name nope was found')
    assert kube.made("pods", pod("p", priorityClassName="system-cluster-critical"))["spec"]["priority"] == 2_000_000_000


def test_requests_default_to_limits_and_make_the_quality_of_service(kube: Kube) -> None:
    limits = {"cpu": "0.5", "memory": "1024Mi"}
    obj = kube.made("pods", pod("p", containers=[container(resources={"limits": limits})]))
    assert obj["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "500m", "memory": "1Gi"},
        "requests": {"cpu": "500m", "memory": "1Gi"},
    }
    assert obj["status"]["qosClass"] == "Guaranteed"
    requests = {"requests": {"cpu": 1}}
    assert kube.made("pods", pod("q", containers=[container(resources=requests)]))["status"]["qosClass"] == "Burstable"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("0.5", "500m"), ("1000m", "1"), ("1024Mi", "1Gi"), ("1536Mi", "1536Mi"), ("0.5Gi", "512Mi"), ("1000", "1k"),
        (2, "2"), ("1e3", "1e3"), ("1.5Gi", "1536Mi"), ("0", "0"), ("1500k", "1500k"), ("1.5M", "1500k"),
    ],
)  # fmt: skip
def test_quantities_are_canonical(kube: Kube, given: object, shown: str) -> None:
    body = pod("p", containers=[container(resources={"requests": {"memory": given}})])
    status, obj = kube.create("pods", body, dryRun="All")
    assert status == 201
    assert obj["spec"]["containers"][0]["resources"]["requests"]["memory"] == shown


def test_probes_volumes_and_references_are_defaulted(kube: Kube) -> None:
    main = container(
        image="example/app",
        ports=[{"containerPort": 80}],
        livenessProbe={"httpGet": {"port": 80}},
        lifecycle={"preStop": {"httpGet": {"port": 1}}},
        env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    )
    volumes: list[Object] = [{"name": "v"}, {"name": "s", "secret": {"secretName": "s"}}]
    spec = kube.made("pods", pod("p", containers=[main], volumes=volumes))["spec"]
    found = spec["containers"][0]
    assert found["imagePullPolicy"] == "Always"
    assert found["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert found["livenessProbe"] == {
        "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
        "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
    }  # fmt: skip
    assert found["lifecycle"]["preStop"]["httpGet"] == {"path": "/", "port": 1, "scheme": "HTTP"}
    assert found["env"][0]["valueFrom"]["fieldRef"] == {"apiVersion": "v1", "fieldPath": "metadata.name"}
    assert spec["volumes"][0] == {"name": "v", "emptyDir": {}}
    assert spec["volumes"][1]["secret"] == {"secretName": "s", "defaultMode": 420}


def test_a_job_selects_its_pods_by_its_uid(kube: Kube) -> None:
    obj = kube.made("jobs.batch", job("j"))
    uid = obj["metadata"]["uid"]
    assert obj["spec"]["selector"]["matchLabels"] == {"batch.kubernetes.io/controller-uid": uid}
    assert obj["spec"]["template"]["metadata"]["labels"]["job-name"] == "j"
    assert obj["metadata"]["labels"] == obj["spec"]["template"]["metadata"]["labels"]
    spec = {key: obj["spec"][key] for key in ("backoffLimit", "completions", "parallelism", "completionMode")}
    assert spec == {"backoffLimit": 6, "completions": 1, "parallelism": 1, "completionMode": "NonIndexed"}


def test_other_workloads_get_their_defaults(kube: Kube) -> None:
    daemons = kube.made("daemonsets.apps", meta("d") | {"spec": selector_and_template("d")})
    assert daemons["spec"]["updateStrategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    stateful = kube.made("statefulsets.apps", meta("s") | {"spec": selector_and_template("s")})
    assert stateful["spec"]["podManagementPolicy"] == "OrderedReady"
    assert stateful["spec"]["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    cron = kube.made(
        "cronjobs.batch", meta("c") | {"spec": {"schedule": "0 0 * * *", "jobTemplate": {"spec": job("x")["spec"]}}}
    )
    assert (cron["spec"]["concurrencyPolicy"], cron["spec"]["suspend"]) == ("Allow", False)
    assert "backoffLimit" not in cron["spec"]["jobTemplate"]["spec"]
    target = {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"}}
    scaler = kube.made("horizontalpodautoscalers.autoscaling", meta("h") | {"spec": target})
    assert scaler["spec"]["minReplicas"] == 1
    assert scaler["spec"]["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 80}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    assert kube.made("persistentvolumeclaims", meta("p") | {"spec": claim})["metadata"]["finalizers"] == [
        "kubernetes.io/pvc-protection"
    ]


def test_network_kinds_get_their_defaults(kube: Kube) -> None:
    spec: Object = {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}], "egress": [{}]}
    policy = kube.made("networkpolicies.networking.k8s.io", meta("n") | {"spec": spec})["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [{"ports": [{"port": 80, "protocol": "TCP"}]}]
    backend = {"service": {"name": "s", "port": {"number": 80}}}
    ingress = kube.made("ingresses.networking.k8s.io", meta("i") | {"spec": {"defaultBackend": backend}})
    assert ingress["status"] == {"loadBalancer": {}}
    ends = {"addressType": "IPv4", "endpoints": [{"addresses": ["192.168.1.1"]}], "ports": [{"port": 80}]}
    made = kube.made("endpointslices.discovery.k8s.io", meta("e") | ends)
    assert made["ports"] == [{"name": "", "port": 80, "protocol": "TCP"}]
    assert made["endpoints"] == [{"addresses": ["192.168.1.1"], "conditions": {}}]


def test_generate_name_makes_distinct_names(kube: Kube) -> None:
    names = [kube.made("configmaps", {"metadata": {"generateName": "x-"}})["metadata"]["name"] for _ in range(3)]
    assert len(set(names)) == 3
    assert all(name.startswith("x-") and len(name) == 7 for name in names)
    long = kube.made("configmaps", {"metadata": {"generateName": "a" * 70}})["metadata"]["name"]
    assert (len(long), long[:58]) == (63, "a" * 58)


def test_a_name_that_is_taken_is_already_exists(kube: Kube) -> None:
    kube.made("configmaps", configmap("c"))
    status, body = kube.create("configmaps", configmap("c"))
    assert (status, body) == (
        409,
        {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 409,
            "reason": "AlreadyExists", "message": 'configmaps "c" already exists',
            "details": {"name": "c", "kind": "configmaps"},
        },
    )  # fmt: skip


def test_nothing_can_be_created_in_a_missing_namespace(kube: Kube) -> None:
    status, body = kube.call("POST", "/api/v1/namespaces/missing/configmaps", configmap("c"))
    assert (status, body["message"]) == (404, 'namespaces "missing" not found')
    assert body["details"] == {"name": "missing", "kind": "namespaces"}


def test_dry_run_answers_but_stores_nothing(kube: Kube) -> None:
    status, obj = kube.create("services", service("s"), dryRun="All")
    assert status == 201
    assert obj["metadata"]["uid"]
    assert "resourceVersion" not in obj["metadata"]
    assert kube.gone("services", "s")


def test_every_namespace_gets_an_account_and_the_authority(kube: Kube) -> None:
    assert kube.get("serviceaccounts", "default")["metadata"]["name"] == "default"
    authority = kube.until(lambda: kube.find("configmaps", "kube-root-ca.crt"))
    assert authority["data"]["ca.crt"].startswith("-----BEGIN CERTIFICATE-----")
    assert kube.delete("serviceaccounts", "default")[0] == 200
    kube.until(lambda: kube.find("serviceaccounts", "default"))
