"""One whole install of the guide's example, the service killed at some points of it; then everything seen from outside.

The order of the tests matters only for speed: they share one sandbox, installed once by the fixture.
"""

import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psycopg
import pytest
import sqlalchemy as sa

from sandbox.postgres import programs
from tests.e2e.harness import Sandbox, Service, guide, until
from tests.e2e.outside import Cloud, Cluster, database

pytestmark = pytest.mark.e2e

KILLS = 8
CHECKPOINTS = 185
"""Of one install (`make bench`): the kills are spread evenly over them, since none is made twice."""
LICENCE = "canary-licence-4711-0815"
RECORDED = sa.text(
    "SELECT workflow_uuid, function_id, function_name, started_at_epoch_ms, completed_at_epoch_ms"
    " FROM dbos.operation_outputs"
)


class Installed:
    """A sandbox with the guide's example installed through some kills, and what was seen on the way."""

    def __init__(self, sandbox: Sandbox, kills: int = KILLS, **env: str) -> None:
        self.sandbox, self._wanted_kills = sandbox, kills
        self.service = Service(self.sandbox, PODIUM_LOG_LEVEL="DEBUG", **env)
        self.engine = sa.create_engine(
            self.sandbox.env["PODIUM_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
        )
        self.kills: list[int] = []
        self.rerun: list[tuple[Any, ...]] = []
        self.cloud = Cloud(self.sandbox.env)
        self.failure: dict[str, Any] = {}
        self.console: dict[str, Any] = {}

    def run(self, seconds: float = 240, **changes: Any) -> None:
        """Installs the guide's example with top-level fields replaced, in so many seconds after the last kill."""
        spec = guide(**changes)
        spec["conductor"] = {**spec.get("conductor", {}), "license_key": LICENCE}
        self.service.create(spec).raise_for_status()
        for kill in range(1, self._wanted_kills + 1):
            self._kill_after(kill * CHECKPOINTS // (self._wanted_kills + 1))
        self.service.reach("READY", seconds=seconds)
        self.cluster = Cluster(self.sandbox.env)

    def _steps(self) -> int:
        with self.engine.connect() as connection:
            query = sa.text("SELECT count(*) FROM podium_events WHERE kind = 'step.started'")
            return int(connection.execute(query).scalar_one())

    def _kill_after(self, checkpoints: int) -> None:
        until(lambda: len(self._recorded()) >= checkpoints or self._is_over(), f"checkpoint {checkpoints}", 120)
        if self._is_over():
            return
        self.service.kill()
        before = self._recorded()
        self.kills.append(self._steps())
        self.service.start()
        until(lambda: self._steps() > self.kills[-1] or self._is_over(), "the install goes on", 60)
        after = self._recorded()
        self.rerun += [before[key] for key in before if before[key] != after.get(key)]

    def _is_over(self) -> bool:
        with self.engine.connect() as connection:
            state = connection.execute(sa.text("SELECT state FROM podium_installations")).scalar_one()
        return state in ("READY", "FAILED")

    def _recorded(self) -> dict[tuple[str, int], tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return {(row[0], row[1]): tuple(row) for row in connection.execute(RECORDED)}

    def stop(self) -> None:
        self.engine.dispose()
        self.service.stop()
        if hasattr(self, "cluster"):
            self.cluster.http.close()
        self.sandbox.stop()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    installed = Installed(Sandbox(tmp_path_factory.mktemp("crashes")))
    try:
        installed.run()
        yield installed
    finally:
        installed.stop()


def test_the_install_survives_the_kills(installed: Installed) -> None:
    assert len(installed.kills) == KILLS
    assert installed.service.installation()["state"] == "READY"


def test_no_checkpointed_step_ran_again(installed: Installed) -> None:
    """What DBOS had recorded before each kill is still the same record after it, times included."""
    assert installed.rerun == []


def test_nothing_exists_twice_at_aws(installed: Installed) -> None:
    cloud = installed.cloud
    one_each = {
        "describe_vpcs": "Vpcs",
        "describe_internet_gateways": "InternetGateways",
        "describe_addresses": "Addresses",
        "describe_nat_gateways": "NatGateways",
        "describe_security_groups": "SecurityGroups",
    }
    assert {name: len(cloud.tagged(name, key)) for name, key in one_each.items()} == dict.fromkeys(one_each, 1)
    subnets = cloud.tagged("describe_subnets", "Subnets")
    assert Counter(subnet["CidrBlock"] for subnet in subnets) == dict.fromkeys(
        ["192.168.0.0/19", "192.168.32.0/19", "192.168.96.0/19", "192.168.128.0/19"], 1
    )
    assert len(cloud.tagged("describe_route_tables", "RouteTables")) == 2
    ec2 = cloud.client("ec2")
    assert sum(not vpc["IsDefault"] for vpc in ec2.describe_vpcs()["Vpcs"]) == 1
    assert len(ec2.describe_addresses()["Addresses"]) == 1
    assert len(cloud.client("rds").describe_db_instances()["DBInstances"]) == 1
    roles = [role["RoleName"] for role in cloud.client("iam").list_roles()["Roles"] if "dbos" in role["RoleName"]]
    assert sorted(roles) == ["dbos-conductor-cluster", "dbos-conductor-node"]
    assert len(cloud.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]) == 1


def test_conductor_has_one_application_and_one_token(installed: Installed) -> None:
    cluster = installed.cluster
    apps = cluster.through_service("conductor", 8090, "/v2/orgs/local/apps").json()
    tokens = cluster.through_service("conductor", 8090, "/v2/orgs/local/tokens").json()
    assert (len(_items(apps)), len(_items(tokens))) == (1, 1)


def test_the_network_has_the_guides_shape(installed: Installed) -> None:
    cloud = installed.cloud
    (vpc,) = cloud.tagged("describe_vpcs", "Vpcs")
    assert vpc["CidrBlock"] == "192.168.0.0/16"
    subnets = cloud.tagged("describe_subnets", "Subnets")
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 2
    roles = Counter(
        tag["Key"] for subnet in subnets for tag in subnet["Tags"] if tag["Key"].startswith("kubernetes.io/role/")
    )
    assert roles == {"kubernetes.io/role/elb": 2, "kubernetes.io/role/internal-elb": 2}
    routes = [route for table in cloud.tagged("describe_route_tables", "RouteTables") for route in table["Routes"]]
    way_out = [route for route in routes if route["DestinationCidrBlock"] == "0.0.0.0/0"]
    assert {"GatewayId" if route.get("GatewayId", "").startswith("igw") else "NatGatewayId" for route in way_out} == {
        "GatewayId",
        "NatGatewayId",
    }


def test_the_cluster_has_the_guides_values(installed: Installed) -> None:
    eks = installed.cloud.client("eks")
    cluster = eks.describe_cluster(name="dbos-conductor")["cluster"]
    assert (cluster["status"], cluster["version"]) == ("ACTIVE", "1.31")
    group = eks.describe_nodegroup(clusterName="dbos-conductor", nodegroupName="default")["nodegroup"]
    assert group["status"] == "ACTIVE"
    assert group["instanceTypes"] == ["t3.medium"]
    assert group["scalingConfig"]["desiredSize"] == 2
    assert sorted(eks.list_addons(clusterName="dbos-conductor")["addons"]) == ["coredns", "kube-proxy", "vpc-cni"]
    cni = eks.describe_addon(clusterName="dbos-conductor", addonName="vpc-cni")["addon"]
    assert '"enableNetworkPolicy"' in cni["configurationValues"]
    assert "true" in cni["configurationValues"]
    nodes = installed.cluster.items("/api/v1/nodes")
    assert len(nodes) == 2


def test_the_database_has_the_guides_values(installed: Installed) -> None:
    (instance,) = installed.cloud.client("rds").describe_db_instances()["DBInstances"]
    assert instance["DBInstanceIdentifier"] == "dbos-conductor-pg"
    assert (instance["Engine"], instance["EngineVersion"].split(".")[0]) == ("postgres", "16")
    assert (instance["DBInstanceClass"], instance["AllocatedStorage"]) == ("db.t4g.micro", 20)
    assert (instance["PubliclyAccessible"], instance["StorageEncrypted"]) == (False, True)
    assert instance["DBSubnetGroup"]["DBSubnetGroupName"] == "dbos-conductor-db"
    (group,) = installed.cloud.tagged("describe_security_groups", "SecurityGroups")
    assert group["GroupName"] == "dbos-conductor-rds"
    (rule,) = group["IpPermissions"]
    cluster = installed.cloud.client("eks").describe_cluster(name="dbos-conductor")["cluster"]
    source = cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]
    assert (rule["FromPort"], rule["UserIdGroupPairs"][0]["GroupId"]) == (5432, source)


def test_databases_and_roles_are_the_guides(installed: Installed) -> None:
    with database(installed.sandbox.env["SANDBOX_POSTGRES_URL"]) as connection:
        databases = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
        roles = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles WHERE rolcanlogin")}
    assert {"dbos_conductor", "dbos_app"} <= databases
    assert {"dbos_conductor_role", "dbos_app_role", "postgres"} <= roles


def test_the_app_role_cannot_create_a_table(installed: Installed) -> None:
    url = installed.cluster.secret("dbos-app-db")["database-url"]
    assert urlsplit(url).query == "sslmode=require"
    with database(url) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("dbos_app_role",)
        for table in ("public.mine", "dbos.mine"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"CREATE TABLE {table} (id int)")


def test_the_five_secrets_are_sealed_and_hold_what_the_guide_says(installed: Installed) -> None:
    cluster = installed.cluster
    names = {"postgres-admin", "conductor-db", "conductor-license", "dbos-app-db", "conductor-api-key"}
    assert names <= cluster.items("/apis/bitnami.com/v1alpha1/namespaces/dbos/sealedsecrets").keys()
    assert cluster.secret("postgres-admin").keys() == {"password", "database-url"}
    assert "/dbos_app?" in cluster.secret("postgres-admin")["database-url"]
    assert "//dbos_conductor_role:" in cluster.secret("conductor-db")["database-url"]
    assert cluster.secret("conductor-license") == {"license-key": LICENCE}
    assert cluster.secret("conductor-api-key")["api-key"] not in ("", "placeholder")


def test_the_charts_are_installed(installed: Installed) -> None:
    cluster = installed.cluster
    assert "ingress-nginx-controller" in cluster.items("/apis/apps/v1/namespaces/ingress-nginx/deployments")
    assert "sealed-secrets" in cluster.items("/apis/apps/v1/namespaces/kube-system/deployments")
    assert "keda-operator" in cluster.items("/apis/apps/v1/namespaces/keda/deployments")
    service = cluster.get("/api/v1/namespaces/ingress-nginx/services/ingress-nginx-controller")
    assert service["spec"]["type"] == "LoadBalancer"
    elb = installed.cloud.client("elb")
    (balancer,) = elb.describe_load_balancers()["LoadBalancerDescriptions"]
    attributes = elb.describe_load_balancer_attributes(LoadBalancerName=balancer["LoadBalancerName"])
    assert attributes["LoadBalancerAttributes"]["ConnectionSettings"]["IdleTimeout"] == 3600


def test_conductor_console_and_app_run_as_the_guide_has_them(installed: Installed) -> None:
    deployments = installed.cluster.items("/apis/apps/v1/namespaces/dbos/deployments")
    assert {"conductor", "console", "dbos-app"} <= deployments.keys()
    assert all(found["status"]["readyReplicas"] >= 1 for found in deployments.values())
    conductor = deployments["conductor"]["spec"]["template"]["spec"]["containers"][0]
    assert conductor["image"] == "dbosdev/conductor"
    assert conductor["resources"] == {
        "requests": {"cpu": "250m", "memory": "256Mi"},
        "limits": {"cpu": "1", "memory": "512Mi"},
    }
    app = deployments["dbos-app"]["spec"]["template"]["spec"]["containers"][0]
    env = {entry["name"]: entry.get("value") for entry in app["env"]}
    assert env["DBOS_CONDUCTOR_URL"] == "ws://conductor.dbos.svc.cluster.local:8090/"


def test_images_come_from_the_accounts_repositories(installed: Installed) -> None:
    repositories = installed.cloud.client("ecr").describe_repositories()["repositories"]
    assert {repository["repositoryName"] for repository in repositories} == {"dbos-app", "dbos-migrate"}


def test_conductor_lists_the_executor(installed: Installed) -> None:
    found = installed.cluster.through_service("conductor", 8090, "/v2/orgs/local/apps/dbos-app/executors").json()
    assert [executor["status"] for executor in _items(found)].count("HEALTHY") == 1


def test_the_migration_job_is_complete(installed: Installed) -> None:
    jobs = installed.cluster.items("/apis/batch/v1/namespaces/dbos/jobs")
    (name,) = [name for name in jobs if name.startswith("dbos-migrate")]
    assert jobs[name]["status"]["succeeded"] == 1
    assert jobs[name]["spec"]["backoffLimit"] == 3


def test_the_ingress_routes_by_path(installed: Installed) -> None:
    ingress = installed.cluster.get("/apis/networking.k8s.io/v1/namespaces/dbos/ingresses/dbos-ingress")
    paths = [path["path"] for path in ingress["spec"]["rules"][0]["http"]["paths"]]
    assert paths == ["/conductor(/|$)(.*)", "/app(/|$)(.*)", "/()(.*)"]
    notes = ingress["metadata"]["annotations"]
    prefix = "nginx.ingress.kubernetes.io"
    assert notes[f"{prefix}/rewrite-target"] == "/$2"
    assert notes[f"{prefix}/proxy-read-timeout"] == "3600"


def test_the_app_answers_at_the_url_that_podium_gives(installed: Installed) -> None:
    outputs = installed.service.installation()["outputs"]
    with httpx2.Client(base_url=outputs["app_url"], timeout=30) as app:
        assert app.get("/workflow/x").json() == {"workflow_id": "x", "status": "started"}
        assert until(lambda: app.get("/last_step/x", timeout=90).json()["last_step"], "a step of x", 90) >= 1
    assert httpx2.get(outputs["console_url"]).status_code == 200


def test_keda_scales_by_the_queue(installed: Installed) -> None:
    scaled = installed.cluster.get("/apis/keda.sh/v1alpha1/namespaces/dbos/scaledobjects/dbos-app-scaledobject")
    spec = scaled["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (1, 10)
    assert (spec["pollingInterval"], spec["cooldownPeriod"]) == (15, 60)
    trigger = spec["triggers"][0]
    assert trigger["type"] == "metrics-api"
    assert trigger["metadata"]["url"] == "http://dbos-app.dbos.svc.cluster.local:8080/metrics/taskQueue"
    assert (trigger["metadata"]["valueLocation"], trigger["metadata"]["targetValue"]) == ("queue_length", "2")


def test_no_secret_value_is_in_database_logs_events_or_answers(installed: Installed) -> None:
    cluster = installed.cluster
    canaries = {
        LICENCE,
        cluster.secret("conductor-api-key")["api-key"],
        cluster.secret("postgres-admin")["password"],
        *(urlsplit(cluster.secret(name)["database-url"]).password or "" for name in ("conductor-db", "dbos-app-db")),
    }
    assert all(len(canary) >= 8 for canary in canaries)
    places = {
        "database": _dump(installed),
        "service log": installed.service.log.read_text(),
        "events": str(installed.service.events()),
        "installation": installed.service.http.get("/v1/installations/dbos-conductor").text,
        "list": installed.service.http.get("/v1/installations").text,
        "metrics": installed.service.http.get("/metrics").text,
    }
    assert "dbos-conductor" in places["database"]
    found = [place for place, text in places.items() for canary in canaries if canary in text]
    assert found == []


def _dump(installed: Installed) -> str:
    """The whole of Podium's database as SQL text."""
    dump = programs() / "pg_dump"
    done = subprocess.run(
        [dump, installed.sandbox.env["PODIUM_DATABASE_URL"]], capture_output=True, text=True, check=True
    )
    return done.stdout


def _items(answer: Any) -> list[dict[str, Any]]:
    """Conductor's lists: bare, or the one list in an object."""
    if isinstance(answer, list):
        return answer
    (found,) = [value for value in answer.values() if isinstance(value, list)]
    return list(found)
