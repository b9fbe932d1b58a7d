"""KEDA: what it decides, by itself; and the operator against a real API server and a real metrics endpoint."""

import json

import pytest

from sandbox.nodes.api import DEPLOYMENTS, Object
from sandbox.nodes.http import response
from sandbox.nodes.images.keda_operator import FINALIZER, SCALED_OBJECTS
from sandbox.nodes.images.keda_scaling import Bounds, State, decide, demand
from sandbox.nodes.images.keda_triggers import MetricsApi, TriggerError, locate, number
from sandbox.nodes.images.web import listening
from sandbox.processes import free_port
from tests.sandbox.operators.conftest import Cluster, until

IMAGE = "ghcr.io/kedacore/keda:2.17.0"
GUIDE = Bounds(polling=15, cooldown=60, minimum=1, maximum=10)


@pytest.mark.parametrize(("metric", "replicas"), [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (19, 10), (1000, 10)])
def test_the_number_wanted_is_the_metric_over_the_target_within_the_bounds(metric: float, replicas: int) -> None:
    assert demand(GUIDE, metric, target=2, activation=0) == replicas


def test_nothing_to_do_means_zero_only_when_zero_is_allowed() -> None:
    to_zero = Bounds(minimum=0, maximum=10)
    assert demand(to_zero, 0, target=2, activation=0) == 0
    assert demand(to_zero, 0.5, target=2, activation=0) == 1
    assert demand(to_zero, 5, target=2, activation=5) == 0


def test_more_comes_at_once_and_less_after_the_cool_down() -> None:
    replicas, state = decide(GUIDE, State(), current=1, wanted=5, now=0)
    assert replicas == 5
    assert decide(GUIDE, state, current=5, wanted=1, now=59)[0] == 5
    _, needed_again = decide(GUIDE, state, current=5, wanted=5, now=59)
    assert decide(GUIDE, needed_again, current=5, wanted=1, now=60)[0] == 5
    assert decide(GUIDE, state, current=5, wanted=1, now=60)[0] == 1


def test_bounds_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="MinReplicaCount=3 must be less"):
        Bounds.from_spec({"minReplicaCount": 3, "maxReplicaCount": 2})


def test_a_value_is_found_by_its_path() -> None:
    text = json.dumps({"a": {"b.c": [{"n": 1}, {"n": "2500m"}]}})
    assert locate(text, r"a.b\.c.1.n") == "2500m"
    assert locate(text, r"a.b\.c.#") == 2
    assert number("2500m", "x") == 2.5
    for path in ("a.x", "a.b\\.c.7", "a.b\\.c.1.n.deeper"):
        with pytest.raises(TriggerError, match="points to nothing"):
            locate(text, path)
    with pytest.raises(TriggerError, match="no scaler found for type: cron"):
        MetricsApi.from_trigger({"type": "cron", "metadata": {}})


def scaled(**changes: object) -> Object:
    """The guide's ScaledObject, with a shorter polling interval."""
    metadata = {
        "url": "http://dbos-app.dbos.svc.cluster.local:8080/metrics/taskQueue",
        "valueLocation": "queue_length",
        "targetValue": "2",
    }
    return {
        "scaleTargetRef": {"name": "dbos-app"},
        "pollingInterval": 0.1,
        "cooldownPeriod": 0,
        "minReplicaCount": 1,
        "maxReplicaCount": 3,
        "triggers": [{"type": "metrics-api", "metadata": metadata}],
        **changes,
    }


async def deployment(cluster: Cluster) -> None:
    labels = {"app": "dbos-app"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "x-app"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    await cluster.create(DEPLOYMENTS, "Deployment", "dbos-app", spec=spec)


def conditions(found: Object) -> dict[str, str]:
    return {item["type"]: item["status"] for item in (found.get("status") or {}).get("conditions", [])}


async def test_the_deployment_follows_the_length_of_the_queue(cluster: Cluster) -> None:
    length, port = 0, free_port()

    async def metrics() -> bytes:
        return response(200, json.dumps({"queue_length": length}).encode(), "application/json")

    await deployment(cluster)
    await cluster.create(SCALED_OBJECTS, "ScaledObject", "dbos-app", spec=scaled())
    async with listening(port, {"/metrics/taskQueue": metrics}):
        await cluster.start(IMAGE, {}, {("dbos-app.dbos.svc.cluster.local", 8080): port})
        idle = {"Ready": "True", "Active": "False"}
        await cluster.eventually(SCALED_OBJECTS, "dbos-app", lambda found: conditions(found) == idle)
        length = 50
        await cluster.eventually(DEPLOYMENTS, "dbos-app", lambda found: found["spec"]["replicas"] == 3)
        busy = {"Ready": "True", "Active": "True"}
        await cluster.eventually(SCALED_OBJECTS, "dbos-app", lambda found: conditions(found) == busy)
        length = 0
        await cluster.eventually(DEPLOYMENTS, "dbos-app", lambda found: found["spec"]["replicas"] == 1)
    down = {"Ready": "False", "Active": "False"}
    found = await cluster.eventually(SCALED_OBJECTS, "dbos-app", lambda found: conditions(found) == down)
    assert found["status"]["conditions"][0]["reason"] == "TriggerError"
    assert FINALIZER in found["metadata"]["finalizers"]

    await cluster.api.delete(SCALED_OBJECTS, "dbos-app", cluster.namespace)

    async def gone() -> bool:
        return await cluster.api.find(SCALED_OBJECTS, "dbos-app", cluster.namespace) is None

    await until(gone)  # the operator takes its finalizer off


async def test_an_unusable_scaled_object_says_why_and_is_looked_at_again_when_changed(cluster: Cluster) -> None:
    await cluster.start(IMAGE, {}, {})
    await cluster.create(SCALED_OBJECTS, "ScaledObject", "dbos-app", spec=scaled(pollingInterval=30))

    await cluster.eventually(SCALED_OBJECTS, "dbos-app", lambda found: "Target resource" in json.dumps(found))
    await deployment(cluster)
    unsupported = {"spec": {"triggers": [{"type": "cron", "metadata": {}}]}}
    await cluster.api.patch(SCALED_OBJECTS, "dbos-app", unsupported, cluster.namespace)
    unknown = "no scaler found for type: cron"
    await cluster.eventually(SCALED_OBJECTS, "dbos-app", lambda found: unknown in json.dumps(found))
