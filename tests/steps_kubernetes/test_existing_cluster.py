"""Preflight of an existing cluster, before the sandbox's EKS and the API server behind it."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from sandbox.aws.credentials import own_credentials
from steps import preflight_cluster
from steps.clients.aws import Aws, AwsTarget
from steps.findings import Findings
from steps.names import Owner
from steps.wanted import Wanted
from tests.sandbox.aws.standin import REGION, StandIn, make_network, make_role, until
from tests.sandbox.aws.test_eks import create_cluster, status

OWNER = Owner("existing", "operation-1")
ROLES = Path(__file__).parents[2] / "deploy" / "kubernetes" / "rbac.yaml"
WANTED = Wanted(existing_cluster="one", charts=("sealed-secrets", "keda"))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """AWS with the EKS cluster `one`, and its API server."""
    cloud = StandIn(tmp_path_factory.mktemp("cloud"), clusters=True).start()
    create_cluster(cloud, {"cluster": make_role(cloud, "eks", "eks.amazonaws.com")}, make_network(cloud))
    until(lambda: status(cloud), "ACTIVE", 60)
    yield cloud
    assert cloud.stop() == 0


def problems(cloud: StandIn, monkeypatch: pytest.MonkeyPatch, role: str | None = None) -> list[dict[str, Any]]:
    own = own_credentials(cloud.home)
    given = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{cloud.port}", "AWS_CONFIG_FILE": "/nonexistent"}
    given |= {"AWS_ACCESS_KEY_ID": own.access_key, "AWS_SECRET_ACCESS_KEY": own.secret_key}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    aws, findings = Aws(AwsTarget(REGION, role)), Findings()
    preflight_cluster.check_access(aws, OWNER, WANTED, findings)
    aws.close()
    return findings.problems


def apply_roles(cloud: StandIn) -> None:
    """What the remedy says: `kubectl apply -f deploy/kubernetes/rbac.yaml`, as the cluster's administrator."""
    (folder,) = (cloud.home / "clusters").iterdir()
    config = yaml.safe_load((folder / "admin.kubeconfig").read_text())
    trust = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    headers = {"authorization": f"Bearer {config['users'][0]['user']['token']}"}
    headers["content-type"] = "application/apply-patch+yaml"
    server = config["clusters"][0]["cluster"]["server"]
    with httpx2.Client(base_url=server, verify=trust, headers=headers, trust_env=False) as client:
        for each in yaml.safe_load_all(ROLES.read_text()):
            path = f"/apis/{each['apiVersion']}/{each['kind'].lower()}s/{each['metadata']['name']}"
            client.patch(path, params={"fieldManager": "kubectl"}, content=yaml.safe_dump(each)).raise_for_status()


def test_the_maker_of_a_cluster_misses_nothing(cloud: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(cloud, monkeypatch) == []


def test_an_identity_without_access_is_told_of_the_entry_and_then_of_the_roles(
    cloud: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = make_role(cloud, "installer", "ec2.amazonaws.com")
    (unknown,) = problems(cloud, monkeypatch, role)
    assert unknown["code"] == "KUBERNETES_ACCESS_DENIED"
    assert unknown["message"].startswith(f"the EKS cluster one does not let {role} in")
    assert (
        f"--region {REGION} --cluster-name one --principal-arn {role} --kubernetes-groups podium" in unknown["remedy"]
    )
    cloud.client("eks").create_access_entry(clusterName="one", principalArn=role, kubernetesGroups=["podium"])
    (without_roles,) = problems(cloud, monkeypatch, role)
    assert without_roles["field"] == "cluster.existing_name"
    assert without_roles["message"].startswith(f"{role} may not, in the EKS cluster one: get, create, patch, delete")
    assert "get services/proxy dbos-app:8080" in without_roles["message"]
    assert "get, list, patch, update, watch */scale.*" in without_roles["message"]
    apply_roles(cloud)
    assert problems(cloud, monkeypatch, role) == []


def test_a_new_cluster_or_one_that_is_not_there_is_not_asked(cloud: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{cloud.port}")
    aws, findings = Aws(AwsTarget(REGION)), Findings()
    preflight_cluster.check_access(aws, OWNER, Wanted(), findings)
    aws.close()
    assert findings.problems == []
