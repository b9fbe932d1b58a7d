"""Drift and repair of the guide's example. Much is broken at once, by hand and from outside; one look finds each thing,
and one repair mends all of it. The tests share one sandbox and are in that order.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.breakage import BROKEN, DBOS, Hands
from tests.e2e.harness import ROOT, Sandbox, Service, guide
from tests.e2e.outside import Cluster

pytestmark = pytest.mark.e2e

NAME = "/v1/installations/dbos-conductor"
READS = ("Describe", "List", "Get", "Batch", "Simulate", "AssumeRole")


class Place(Hands):
    """The guide's example, installed, and hands to break it."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox.env)
        self.sandbox, self.service = sandbox, Service(sandbox)

    def install(self) -> None:
        self.service.create(guide()).raise_for_status()
        self.service.reach("READY", seconds=240)
        self.cluster = Cluster(self.sandbox.env)

    def drift(self) -> dict[str, Any]:
        answer = self.service.http.get(f"{NAME}/drift", timeout=90)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def settled(self) -> dict[str, Any]:
        """The report once controllers have seen a repair: KEDA looks at its metric every few seconds only."""
        deadline = time.monotonic() + 30
        while not (found := self.drift())["in_sync"] and time.monotonic() < deadline:
            time.sleep(0.5)
        return found

    def written(self) -> list[str]:
        """AWS's operations so far that change something."""
        return [call["operation"] for call in self.sandbox.calls() if not call["operation"].startswith(READS)]

    def versions(self) -> dict[str, str]:
        """The resource version of everything that a hand, or Podium, could have changed in the cluster."""
        paths = (
            *(f"/api/v1/{DBOS}/{kind}" for kind in ("services", "secrets", "configmaps")),
            *(f"/apis/apps/v1/namespaces/{name}/deployments" for name in ("dbos", "keda", "ingress-nginx")),
            f"/apis/networking.k8s.io/v1/{DBOS}/ingresses",
            f"/apis/bitnami.com/v1alpha1/{DBOS}/sealedsecrets",
            f"/apis/keda.sh/v1alpha1/{DBOS}/scaledobjects",
        )
        return {
            f"{path}/{name}": json.dumps([each["metadata"]["labels"], each.get("spec"), each.get("data")])
            for path in paths
            for name, each in self.cluster.items(path).items()
            if each["metadata"].get("labels")
        }

    def podium(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line, as a person calls it."""
        command = [sys.executable, "-m", "service.cli.main", *arguments, "--home", str(self.sandbox.home)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)

    def stop(self) -> None:
        if hasattr(self, "cluster"):
            self.cluster.http.close()
        self.service.stop()
        self.sandbox.stop()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(Sandbox(tmp_path_factory.mktemp("drift")))
    try:
        place.install()
        yield place
    finally:
        place.stop()


UNTOUCHED = {"sealed-secrets", "api-key"}


def test_a_healthy_installation_is_in_sync_and_the_look_changes_nothing(place: Place) -> None:
    before, objects = place.written(), place.versions()
    found = place.drift()
    assert (found["differences"], found["unreadable"], found["in_sync"]) == ([], [], True), json.dumps(found)
    left_out = {one["phase"] for one in found["not_compared"]}
    assert left_out == {"preflight", "databases", "migration", "privileges", "smoke-test"}
    assert place.written() == before
    assert place.versions() == objects


def test_nothing_to_repair_begins_nothing(place: Place) -> None:
    answer = place.service.http.post(f"{NAME}:repair", timeout=90)
    assert (answer.status_code, answer.json()["in_sync"]) == (200, True)
    assert place.service.installation()["operation"]["kind"] == "install"


@pytest.fixture(scope="module")
def report(place: Place) -> dict[str, Any]:
    """Of everything broken at once. Nothing but the hands has changed anything meanwhile."""
    for hand in BROKEN:
        hand(place)
    before, objects = place.written(), place.versions()
    found = place.drift()
    assert place.written() == before
    assert place.versions() == objects
    return found


@pytest.mark.parametrize("hand", BROKEN, ids=lambda hand: hand.__name__)
def test_it_is_noticed(report: dict[str, Any], hand: Callable[[Hands], None]) -> None:
    phase, kind, thing, field = BROKEN[hand]
    of_phase = [one for one in report["differences"] if one["phase"] == phase]
    seen = [
        one
        for one in of_phase
        if one["kind"] == kind
        and thing in f"{one['resource']['type']} {one['resource']['name']}"
        and (one["field"] is None if field is None else (one["field"] or "").startswith(field))
    ]
    assert seen, json.dumps(of_phase, indent=1)
    assert all(one["message"] for one in seen)


def test_nothing_else_is_said_to_differ_and_no_secret_is_shown(report: dict[str, Any]) -> None:
    broken = {phase for phase, *_ in BROKEN.values()}
    phases = {one["phase"] for one in report["differences"]}
    assert broken <= phases
    assert not phases & UNTOUCHED
    assert report["in_sync"] is False
    assert report["unreadable"] == []
    assert "Y2FuYXJ5" not in json.dumps(report)
    assert all(one["remedy"] for one in report["differences"])


def test_a_change_says_what_was_applied_and_what_is_there(report: dict[str, Any]) -> None:
    by_field = {one["field"]: (one["expected"], one["found"]) for one in report["differences"]}
    assert by_field["spec.maxReplicaCount"] == (10, 77)
    assert by_field["spec.template.spec.containers[console].image"][1] == "example.com/other:1"
    assert by_field["configuration"] == ({"enableNetworkPolicy": "true"}, {"enableNetworkPolicy": "false"})
    assert by_field["enableDnsHostnames"] == (True, False)
    assert by_field["settings"] == ({"BackupRetentionPeriod": 1}, {"BackupRetentionPeriod": 3})
    assert by_field["assumeRolePolicyDocument"] == (["eks.amazonaws.com"], [])


def test_the_command_line_tells_by_its_exit_code(place: Place, report: dict[str, Any]) -> None:
    done = place.podium("drift", "dbos-conductor", "--json")
    assert (done.returncode, json.loads(done.stdout)["in_sync"]) == (3, report["in_sync"]), done.stderr
    told = place.podium("drift", "dbos-conductor")
    assert told.returncode == 3
    assert "differs from what was applied" in told.stdout


@pytest.fixture(scope="module")
def repaired(place: Place, report: dict[str, Any]) -> dict[str, Any]:
    answer = place.service.http.post(f"{NAME}:repair", timeout=90)
    assert (answer.status_code, answer.json()["kind"]) == (202, "repair")
    assert {one["phase"] for one in report["differences"]} <= set(answer.json()["options"]["drifted"])
    refused = place.service.http.get(f"{NAME}/drift", timeout=90)
    assert (refused.status_code, refused.json()["code"]) == (409, "OPERATION_IN_PROGRESS")
    place.service.reach("READY", seconds=120)
    return place.settled()


def test_one_repair_mends_all_of_it(place: Place, repaired: dict[str, Any]) -> None:
    assert (repaired["differences"], repaired["unreadable"]) == ([], []), json.dumps(repaired, indent=1)
    told = place.podium("drift", "dbos-conductor")
    assert (told.returncode, "is as it was applied" in told.stdout) == (0, True), told.stdout


def test_what_a_repair_made_is_there_once(place: Place, repaired: dict[str, Any]) -> None:
    assert repaired["in_sync"]
    for operation, key, count in (
        ("describe_vpcs", "Vpcs", 1),
        ("describe_internet_gateways", "InternetGateways", 1),
        ("describe_route_tables", "RouteTables", 2),
        ("describe_addresses", "Addresses", 1),
        ("describe_nat_gateways", "NatGateways", 1),
    ):
        assert len(place.cloud.tagged(operation, key)) == count, operation
    assert place.cluster.secret("dbos-app-db")["database-url"].startswith("postgresql")


def test_a_thing_of_our_name_without_our_tag_is_said_to_be_taken(place: Place, repaired: dict[str, Any]) -> None:
    assert repaired["in_sync"]
    iam = place.cloud.client("iam")
    iam.untag_role(RoleName="dbos-conductor-node", TagKeys=["podium:installation"])
    found = place.drift()
    assert [(one["phase"], one["kind"]) for one in found["differences"]] == [("identity", "taken")]
    iam.tag_role(RoleName="dbos-conductor-node", Tags=[{"Key": "podium:installation", "Value": "dbos-conductor"}])


def test_an_aws_that_does_not_answer_is_unreadable_and_not_an_error(place: Place, repaired: dict[str, Any]) -> None:
    assert repaired["in_sync"]
    place.sandbox.fault(match="iam:GetRole", kind="error", code="AccessDenied", status=403)
    found = place.drift()
    place.sandbox.clear_faults()
    assert {one["phase"]: one["code"] for one in found["unreadable"]}["identity"] == "AWS_ACCESS_DENIED"
    assert found["in_sync"] is False


def test_a_half_made_installation_is_looked_at_without_being_changed_and_is_not_in_sync(place: Place) -> None:
    place.sandbox.fault(match="iam:CreateRole", kind="error", code="AccessDenied", status=403)
    half = guide(name="half-conductor", registry={}, app={"image": "example/app:1", "migrate_image": "example/app:1"})
    place.service.create(half).raise_for_status()
    place.service.reach("FAILED", name="half-conductor", seconds=120)
    place.sandbox.clear_faults()
    ec2 = place.cloud.client("ec2")
    (vpc,) = place.cloud.tagged("describe_vpcs", "Vpcs", name="half-conductor")
    ec2.modify_vpc_attribute(VpcId=vpc["VpcId"], EnableDnsHostnames={"Value": False})
    before = place.written()
    answer = place.service.http.get("/v1/installations/half-conductor/drift", timeout=90)
    assert place.written() == before
    found = answer.raise_for_status().json()
    told = [(one["phase"], one["kind"], one["field"]) for one in found["differences"]]
    assert told == [("network", "changed", "enableDnsHostnames")]
    assert {"identity", "cluster", "app"} <= {one["phase"] for one in found["not_compared"]}
    assert (found["in_sync"], found["unreadable"]) == (False, [])
