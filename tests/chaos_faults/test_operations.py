"""Whole operations by the service itself, under faults: all that pass by themselves, and some of those that last.

Step by step, and in every way, it is proven in the two modules beside this; here that the parts fit together: back-off,
FAILED with its remedy, `:retry`, and the outside in the end.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.chaos_faults.aws_kinds import QUOTAS
from tests.chaos_faults.cloud import Cloud
from tests.chaos_faults.cluster import Cluster
from tests.chaos_faults.cluster_kinds import AGENT, RULES, SERVICE
from tests.chaos_faults.settling import reaches, settled
from tests.e2e.harness import Sandbox, Service, guide, until

pytestmark = pytest.mark.chaos

HOLD = {"match": "^iam:CreateOpenIDConnectProvider$", "kind": "delay", "seconds": 5}
"""Time to arm the faults of the cluster, which now answers, before anything is asked of it."""
PASSING = ("throttle", "5xx", "reset", "hang", "lost", "html", "throttle", "5xx", "reset", "lost", "truncated")
"""By turns. `hang` is here silence for a second, and then the connection is dropped."""
PASSING_IN_CLUSTER = ("throttle", "5xx", "reset", "lost", "html", "truncated", "broken")
SECONDS = 300
Distinct = dict[str, None]


class Site:
    """A sandbox and a service on it."""

    def __init__(self, folder: Path) -> None:
        self.sandbox = Sandbox(folder)
        env = self.sandbox.env
        self.cloud = Cloud(env["AWS_ENDPOINT_URL"], env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
        self.service = Service(self.sandbox)
        self.cluster: Cluster | None = None

    def install(self) -> None:
        self.service.create(guide()).raise_for_status()

    def enter(self) -> Cluster:
        """The cluster, once its API server answers."""

        def found() -> Cluster | None:
            kubeconfig = Path(self.sandbox.env["KUBECONFIG"])
            if not kubeconfig.read_text().strip():
                return None
            cluster = Cluster(self.sandbox.env)
            if cluster.answers():
                return cluster
            cluster.close()
            return None

        self.cluster = until(found, "the cluster answers", 60)
        return self.cluster

    def leave(self) -> None:
        if self.cluster is not None:
            self.cluster.close()
            self.cluster = None

    def uninstall(self) -> None:
        answer = self.service.http.delete("/v1/installations/dbos-conductor", params={"data": "delete"})
        assert answer.status_code == 202, answer.text

    def retry(self) -> None:
        answer = self.service.http.post("/v1/installations/dbos-conductor:retry", json={})
        assert answer.status_code == 202, answer.text

    def lines(self) -> list[str]:
        return [*self.cloud.everything(), *(self.cluster.titles() if self.cluster is not None else [])]

    def failures(self) -> list[dict[str, Any]]:
        return [event for event in self.service.events() if event["kind"].endswith(".failed")]

    def stop(self) -> None:
        self.service.stop()
        self.leave()
        self.cloud.close()
        self.sandbox.stop()


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    made = Site(folder)
    try:
        yield made
    finally:
        made.stop()


@dataclass(frozen=True)
class Plain:
    """Of an install and an uninstall without faults: the distinct requests, and what there was after each."""

    install: Distinct
    install_in_cluster: list[str]
    uninstall: Distinct
    uninstall_in_cluster: list[str]
    installed: list[str]
    removed: list[str]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Plain:
    with site(tmp_path_factory.mktemp("plain")) as here:
        with here.cloud.recorded() as made:
            here.install()
            cluster = here.enter()
            here.service.reach("READY", seconds=SECONDS)
        in_cluster = cluster.requests()
        installed = settled(here.lines)
        undone_in_cluster: list[str] = []
        cluster.forget()
        with here.cloud.recorded() as undone:
            here.uninstall()
            until(lambda: not cluster.watched(undone_in_cluster), "the cluster is gone", SECONDS)
            here.service.reach("DELETED", seconds=SECONDS)
        here.leave()
        first, second = dict.fromkeys(made), dict.fromkeys(undone)
        return Plain(first, in_cluster, second, undone_in_cluster, installed, settled(here.lines))


def at_aws(operations: Distinct) -> list[dict[str, Any]]:
    """Each operation fails once, each in another way."""
    return [
        {"match": f"^{name}$", "kind": PASSING[number % len(PASSING)], "seconds": 1.0}
        for number, name in enumerate(operations)
    ]


def in_cluster(requests: list[str], but: Distinct) -> list[dict[str, Any]]:
    """The same of the cluster's requests, by verb and kind of object, or Service; of lists only those not in `but`.

    One object of each kind, each time of another name: unlike AWS's, the client of a cluster repeats nothing by itself,
    and a step, which may make ten different requests, is tried six times.
    """
    names: dict[str, Distinct] = {}
    for request in requests:
        names.setdefault(_kind_of(request), {})[request] = None
    rules = []
    for number, (kind, found) in enumerate(names.items()):
        chosen = list(found)[number % len(found)]
        way = PASSING_IN_CLUSTER[number % len(PASSING_IN_CLUSTER)]
        if kind not in but:
            rules.append({"match": f"^{re.escape(chosen)}$", "agent": AGENT, "kind": way} | RULES.get(way, {}))
    return rules


def every_other_list(plain: Plain) -> tuple[Distinct, Distinct]:
    """Kinds whose lists fail in the uninstall only, and those whose do in the install only."""
    both = {_kind_of(one): None for one in plain.install_in_cluster if _kind_of(one).endswith(" list")}
    both = {kind: None for kind in both if kind in {_kind_of(one) for one in plain.uninstall_in_cluster}}
    kinds = list(both)
    return dict.fromkeys(kinds[::2]), dict.fromkeys(kinds[1::2])


def _kind_of(name: str) -> str:
    """`GET secrets` for one, `GET secrets list` for all in a namespace, `GET conductor` through its Service."""
    verb, _, path = name.partition(" ")
    service = SERVICE.search(path)
    if service:
        return f"{verb} {service[1]}"
    parts = re.sub(r"^/apis?/(?:[\w.]+/)?v\w+/(?:namespaces/[^/]+/(?=.))?", "", path).split("/")
    return f"{verb} {parts[0]}{' list' if len(parts) == 1 else ''}"


def test_every_request_fails_once_and_nobody_has_to_do_anything(plain: Plain, tmp_path: Path) -> None:
    with site(tmp_path) as here:
        later, now = every_other_list(plain)
        here.cloud.fault(HOLD, *at_aws(plain.install))
        here.install()
        here.enter().fault(*in_cluster(plain.install_in_cluster, but=later))
        here.service.reach("READY", seconds=SECONDS)
        assert here.cluster is not None
        missed = [*here.cloud.mend(), *here.cluster.mend()]
        assert reaches(here.lines, plain.installed) == ([], [])
        here.cloud.fault(*at_aws(plain.uninstall))
        here.cluster.fault(*in_cluster(plain.uninstall_in_cluster, but=now))
        here.uninstall()
        here.service.reach("DELETED", seconds=SECONDS)
        missed += here.cloud.mend()
        here.leave()
        assert reaches(here.lines, plain.removed) == ([], [])
        assert here.failures() == []
        assert len(missed) < len([*plain.install, *plain.uninstall]) / 10, missed


@dataclass(frozen=True)
class Lasting:
    """A fault of one phase that lasts until somebody mends it, and what its FAILED must say."""

    phase: str
    match: str
    code: str
    rule: dict[str, Any]
    told: str
    fault: str = "user"

    @property
    def in_cluster(self) -> bool:
        return "/" in self.match

    @property
    def armed(self) -> dict[str, Any]:
        agent = {"agent": AGENT} if self.in_cluster else {}
        return {"match": f"^{self.match}$", "times": 9999} | agent | self.rule


def denied(phase: str, operation: str, code: str = "AccessDenied") -> Lasting:
    rule = {"kind": "error", "code": code, "status": 403}
    return Lasting(phase, operation, "AWS_ACCESS_DENIED", rule, operation.partition(":")[2])


def quota(phase: str, operation: str) -> Lasting:
    rule = {"kind": "error", "code": QUOTAS[operation], "status": 400}
    return Lasting(phase, operation, "AWS_QUOTA_EXCEEDED", rule, "quota")


def page(phase: str, match: str, code: str, told: str, fault: str = "provider") -> Lasting:
    return Lasting(phase, match, code, {"kind": "html"}, told, fault)


def forbidden(phase: str, request: str, told: str, message: str = "it is forbidden") -> Lasting:
    rule = {"kind": "error", "status": 403, "message": message}
    return Lasting(phase, request, "KUBERNETES_ACCESS_DENIED", rule, told)


def unavailable(phase: str, request: str) -> Lasting:
    rule = {"kind": "error", "status": 500}
    return Lasting(phase, request, "KUBERNETES_UNAVAILABLE", rule, "endpoint", "provider")


DBOS = "/namespaces/dbos"
GONE = {"kind": "error", "plain": True, "status": 404}
PROXY = f"/api/v1{DBOS}/services"
V2 = f"{PROXY}/conductor:8090/proxy/v2/orgs/local"
REFUSAL = {"kind": "error", "code": "UnauthorizedOperation", "status": 403}
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ONE_ONLY = {"kind": "error", "plain": True, "status": 403, "message": "one application only"}
NO_JOBS = "exceeded quota: jobs"
INSTALLING = (
    Lasting("preflight", "ec2:DescribeAvailabilityZones", "PREFLIGHT_FAILED", REFUSAL, "DescribeAvailabilityZones"),
    quota("network", "ec2:CreateVpc"),
    quota("egress", "ec2:AllocateAddress"),
    denied("identity", "iam:CreateRole"),
    denied("cluster", "iam:CreateOpenIDConnectProvider"),
    denied("addons", "eks:CreateAddon", "AccessDeniedException"),
    quota("nodes", "eks:CreateNodegroup"),
    quota("database", "rds:CreateDBInstance"),
    denied("database-access", "ec2:AuthorizeSecurityGroupIngress", "UnauthorizedOperation"),
    page("registry", "ecr:CreateRepository", "AWS_UNAVAILABLE", "proxy"),
    forbidden("namespace", f"PATCH /api/v1{DBOS}", "rbac.yaml"),
    unavailable("ingress-nginx", "PATCH /api/v1/namespaces/ingress-nginx/configmaps/.*"),
    page("sealed-secrets", f"GET {DEFINITION}/sealed.*", "KUBERNETES_UNAVAILABLE", "endpoint"),
    forbidden("keda", "PATCH /api/v1/namespaces/keda", "rbac.yaml"),
    forbidden("databases", f"PATCH /apis/batch/v1{DBOS}/jobs/podium-db-setup.*", NO_JOBS, NO_JOBS),
    page("secrets", "GET .*/services/sealed-secrets:8080/proxy/.*", "SEALING_FAILED", "controller"),
    forbidden("conductor", f"PATCH /apis/apps/v1{DBOS}/deployments/conductor", "rbac.yaml"),
    forbidden("console", f"GET /apis/apps/v1{DBOS}/deployments/console", "rbac.yaml"),
    Lasting("api-key", f"PUT {V2}/apps/dbos-app", "CONDUCTOR_REJECTED", ONE_ONLY, "licence", "provider"),
    forbidden("migration", f"PATCH /apis/batch/v1{DBOS}/jobs/dbos-migrate.*", NO_JOBS, NO_JOBS),
    forbidden("privileges", f"PATCH /api/v1{DBOS}/secrets/podium-db-separation", "rbac.yaml"),
    page("app", f"PATCH /apis/apps/v1{DBOS}/deployments/dbos-app", "KUBERNETES_UNAVAILABLE", "endpoint"),
    forbidden("ingress", f"PATCH /apis/networking.k8s.io/v1{DBOS}/ingresses/.*", "rbac.yaml"),
    forbidden("autoscaling", "PATCH /apis/keda.sh/v1alpha1/.*", "rbac.yaml"),
    Lasting("smoke-test", f"GET {PROXY}/dbos-app:8080/proxy/enqueue/1", "SMOKE_TEST_FAILED", GONE, "log"),
)
UNINSTALLING = (
    denied("survey", "eks:DescribeCluster", "AccessDeniedException"),
    forbidden("ingress", f"DELETE /apis/networking.k8s.io/v1{DBOS}/ingresses/.*", "rbac.yaml"),
    forbidden("app", f"DELETE /apis/apps/v1{DBOS}/deployments/dbos-app", "rbac.yaml"),
    page("conductor", f"DELETE /apis/apps/v1{DBOS}/deployments/conductor", "KUBERNETES_UNAVAILABLE", "endpoint"),
    forbidden("secrets", "DELETE /apis/bitnami.com/v1alpha1/.*", "rbac.yaml"),
    forbidden("namespace", f"DELETE /api/v1{DBOS}", "rbac.yaml"),
    denied("database-access", "ec2:RevokeSecurityGroupIngress", "UnauthorizedOperation"),
    denied("database", "rds:DeleteDBInstance"),
    denied("nodes", "eks:DeleteNodegroup", "AccessDeniedException"),
    denied("addons", "eks:DeleteAddon", "AccessDeniedException"),
    denied("cluster", "eks:DeleteCluster", "AccessDeniedException"),
    denied("egress", "ec2:DeleteNatGateway", "UnauthorizedOperation"),
    denied("identity", "iam:DeleteRole"),
    denied("network", "ec2:DeleteVpc", "UnauthorizedOperation"),
    denied("registry", "ecr:DeleteRepository", "AccessDeniedException"),
    denied("preflight", "secretsmanager:DeleteSecret", "AccessDeniedException"),
    denied("proof", "tagging:GetResources", "AccessDeniedException"),
)


class Mending:
    """Lets an operation fail at each of the faults, looks at what it says, mends what it names, and retries."""

    def __init__(self, here: Site, faults: tuple[Lasting, ...]) -> None:
        self._site, self._left = here, {one.phase: one for one in faults}
        self.rounds = 0

    def arm(self) -> None:
        """All faults that are not mended yet; those in the cluster once there is one."""
        self._site.cloud.mend()
        self._site.cloud.fault(*(one.armed for one in self._left.values() if not one.in_cluster))
        if self._site.cluster is not None and not self._site.cluster.answers():
            self._site.leave()
        if self._site.cluster is not None:
            self._site.cluster.mend()
            self._site.cluster.fault(*(one.armed for one in self._left.values() if one.in_cluster))

    def go_on(self, end: str) -> None:
        while self._site.service.reach(end, "FAILED", seconds=SECONDS)["state"] != end:
            self.rounds += 1
            failed = {name: one for name, one in self._site.service.phases().items() if one["state"] == "failed"}
            assert failed, "nothing has failed, yet the operation has"
            for name, phase in failed.items():
                self._check(self._left.pop(name), phase["error"])
            if "cluster" in failed and self._site.cluster is None:
                self._site.enter()
            self.arm()
            self._site.retry()
        assert not self._left, f"these did not make their phase fail: {sorted(self._left)}"

    def _check(self, wanted: Lasting, error: dict[str, Any]) -> None:
        assert (error["code"], error["fault"], error["retryable"]) == (wanted.code, wanted.fault, True), error
        assert error["step"], error
        details = [one["message"] + one["remedy"] for one in error.get("details") or []]
        assert wanted.told in " ".join([error["message"], error["remedy"], *details]), error


def test_what_lasts_fails_says_what_to_do_and_is_retried(plain: Plain, tmp_path: Path) -> None:
    with site(tmp_path) as here:
        installing = Mending(here, INSTALLING)
        installing.arm()
        here.install()
        installing.go_on("READY")
        assert reaches(here.lines, plain.installed) == ([], [])
        uninstalling = Mending(here, UNINSTALLING)
        uninstalling.arm()
        here.uninstall()
        uninstalling.go_on("DELETED")
        here.leave()
        assert reaches(here.lines, plain.removed) == ([], [])
        assert installing.rounds + uninstalling.rounds > 10
