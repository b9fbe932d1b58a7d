"""The guide's example on a real control plane, to READY, through kills of the service; then all that e2e looks at.

Real here: kube-apiserver, etcd, controller-manager, scheduler, helm, sealed-secrets' chart and controller, KEDA's
definitions, PostgreSQL with TLS of its own. The service is in the group of deploy/kubernetes/rbac.yaml, and no more.
"""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.installs import GROUP, REAL, charts
from tests.e2e.harness import Sandbox, until
from tests.e2e.test_crashes import (  # noqa: F401 - the same checks, on this module's installation
    Installed,
    test_conductor_console_and_app_run_as_the_guide_has_them,
    test_conductor_has_one_application_and_one_token,
    test_conductor_lists_the_executor,
    test_databases_and_roles_are_the_guides,
    test_images_come_from_the_accounts_repositories,
    test_keda_scales_by_the_queue,
    test_no_checkpointed_step_ran_again,
    test_no_secret_value_is_in_database_logs_events_or_answers,
    test_nothing_exists_twice_at_aws,
    test_the_app_answers_at_the_url_that_podium_gives,
    test_the_app_role_cannot_create_a_table,
    test_the_charts_are_installed,
    test_the_database_has_the_guides_values,
    test_the_five_secrets_are_sealed_and_hold_what_the_guide_says,
    test_the_ingress_routes_by_path,
    test_the_migration_job_is_complete,
    test_the_network_has_the_guides_shape,
)
from tests.e2e.test_retries import break_pods

pytestmark = pytest.mark.e2e

KILLS = 5


@pytest.fixture(scope="module")
def installed(
    tmp_path_factory: pytest.TempPathFactory, chart_repository: str, programs: dict[str, Path]
) -> Iterator[Installed]:
    home = tmp_path_factory.mktemp("install")
    installed = Installed(Sandbox(home, **REAL), KILLS, PODIUM_HELM=str(programs["helm"]))
    try:
        installed.run(seconds=400, charts=charts(chart_repository))
        yield installed
    finally:
        installed.stop()


def audit(installed: Installed) -> list[dict[str, Any]]:
    """What the API server wrote down of finished requests."""
    (log,) = (installed.sandbox.home / "clusters").glob("*/audit.log")
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_the_install_survives_the_kills(installed: Installed) -> None:
    assert len(installed.kills) == KILLS
    assert installed.service.installation()["state"] == "READY"


def test_the_cluster_is_what_the_real_api_server_says(installed: Installed) -> None:
    version = installed.cluster.get("/version")
    eks = installed.cloud.client("eks").describe_cluster(name="dbos-conductor")["cluster"]
    assert version["gitVersion"].startswith(f"v{eks['version']}.")
    assert len(installed.cluster.items("/api/v1/nodes")) == 2


def test_the_service_is_never_refused_and_never_an_administrator(installed: Installed) -> None:
    """Every request of the service came as the documented group, and none was forbidden."""
    ours = [entry for entry in audit(installed) if GROUP in entry["user"].get("groups", [])]
    assert len(ours) > 100
    assert not any("system:masters" in entry["user"]["groups"] for entry in ours)
    refused = Counter(
        (entry["verb"], entry["requestURI"].partition("?")[0])
        for entry in ours
        if entry.get("responseStatus", {}).get("code") == 403
    )
    assert refused == Counter()


def test_the_release_history_is_helms_own(installed: Installed, programs: dict[str, Path]) -> None:
    kubeconfig = installed.sandbox.env["KUBECONFIG"]
    command = [str(programs["helm"]), "list", "--all-namespaces", "--output", "json", "--kubeconfig", kubeconfig]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = {release["name"]: (release["status"], release["chart"]) for release in json.loads(done.stdout)}
    assert found == {
        "ingress-nginx": ("deployed", "ingress-nginx-4.15.1"),
        "keda": ("deployed", "keda-2.21.1"),
        "sealed-secrets": ("deployed", "sealed-secrets-2.19.3"),
    }


def test_the_sealing_controller_is_the_real_one(installed: Installed) -> None:
    events = installed.cluster.get("/api/v1/namespaces/dbos/events")["items"]
    assert {event["source"]["component"] for event in events if event["reason"] == "Unsealed"} == {"sealed-secrets"}


NAME = "/v1/installations/dbos-conductor"
BROKEN = "example.com/console:broken"


@pytest.fixture(scope="module")
def upgraded(installed: Installed) -> Installed:
    """A broken Console first, then an upgrade of images, nodes, routes and scaling, through a kill."""
    service, spec = installed.service, installed.service.installation()["spec"]
    break_pods(installed.sandbox, {BROKEN: "ImagePullBackOff"})
    service.http.put(NAME, json=spec | {"console": spec["console"] | {"image": BROKEN}}).raise_for_status()
    installed.failure = service.reach("FAILED", seconds=180)["operation"]["error"]
    installed.console = installed.cluster.get("/apis/apps/v1/namespaces/dbos/deployments/console")
    break_pods(installed.sandbox, {})
    for repository in ("dbos-app", "dbos-migrate"):
        installed.sandbox.push(repository, "v2")
    spec["registry"]["tag"] = "v2"
    spec["nodes"]["count"] = 3
    spec["exposure"]["conductor_path"] = "/conductor-api"
    spec["autoscaling"]["max_replicas"] = 5
    service.http.put(NAME, json=spec).raise_for_status()
    until(lambda: service.phases()["app"]["state"] != "pending", "the app is rolled out", 120)
    service.kill()
    service.start()
    service.reach("READY", seconds=240)
    return installed


def test_a_rollout_that_fails_goes_back_to_the_generation_before(upgraded: Installed) -> None:
    assert upgraded.failure["code"] == "IMAGE_PULL_FAILED"
    assert "Rolled back to the previous generation" in upgraded.failure["message"]
    assert upgraded.console["spec"]["template"]["spec"]["containers"][0]["image"] == "dbosdev/console"
    assert upgraded.console["status"]["availableReplicas"] == 1


def test_an_upgrade_is_brought_about_on_the_real_cluster(upgraded: Installed) -> None:
    cluster = upgraded.cluster
    app = cluster.get("/apis/apps/v1/namespaces/dbos/deployments/dbos-app")
    assert app["spec"]["template"]["spec"]["containers"][0]["image"].endswith("/dbos-app:v2")
    assert len(cluster.items("/apis/batch/v1/namespaces/dbos/jobs")) == 1
    assert len(cluster.items("/api/v1/nodes")) == 3
    scaled = cluster.get("/apis/keda.sh/v1alpha1/namespaces/dbos/scaledobjects/dbos-app-scaledobject")
    assert scaled["spec"]["maxReplicaCount"] == 5
    refused = [entry for entry in audit(upgraded) if entry.get("responseStatus", {}).get("code") == 403]
    assert [entry["requestURI"] for entry in refused if GROUP in entry["user"].get("groups", [])] == []


def test_an_uninstall_on_the_real_cluster_leaves_nothing(upgraded: Installed) -> None:
    service, cloud = upgraded.service, upgraded.cloud
    answer = service.http.delete(NAME, params={"data": "delete"})
    assert answer.status_code == 202, answer.text
    until(lambda: service.phases()["ingress-nginx"]["state"] != "pending", "the release is uninstalled", 120)
    service.kill()
    service.start()
    report = service.reach("DELETED", seconds=300)["operation"]["report"]
    assert report["proof"]["leftovers"] == []
    assert cloud.client("eks").list_clusters()["clusters"] == []
    assert cloud.client("elb").describe_load_balancers()["LoadBalancerDescriptions"] == []
    assert cloud.client("rds").describe_db_instances()["DBInstances"] == []
    assert cloud.tagged("describe_vpcs", "Vpcs") == []
