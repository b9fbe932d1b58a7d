"""What EKS knows. Things are kept as the API shows them (`wire`), with what the sandbox needs beside it."""

import datetime
import math
from dataclasses import dataclass, field
from typing import Any

from sandbox.aws.errors import AwsError

Wire = dict[str, Any]


@dataclass
class Nodegroup:
    """`nodes`: (node name, availability zone) of each instance; `launched`: whether its agents are to run.

    Instances that were launched together are a batch: they have one agent. `versions`: Kubernetes of each instance;
    `target`: what they are being rolled to; `leaving`: those that are being drained, until `leaving_until` (epoch).
    """

    wire: Wire
    nodes: list[tuple[str, str]] = field(default_factory=list)
    launched: bool = False
    directory: str = "nodes"
    batches: dict[str, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    target: str | None = None
    leaving: tuple[str, ...] = ()
    leaving_until: float = 0.0

    def __setstate__(self, state: dict[str, Any]) -> None:
        """State saved before nodes came and went one by one is one batch."""
        self.__dict__ |= {"batches": {}, "versions": {}, "target": None, "leaving": (), "leaving_until": 0.0} | state

    @property
    def name(self) -> str:
        return str(self.wire["nodegroupName"])

    @property
    def desired(self) -> int:
        return int(self.wire["scalingConfig"]["desiredSize"])

    @property
    def force_after(self) -> float:
        """When nodes go with the pods that are still on them: never while they are rolled."""
        return math.inf if self.target is not None else self.leaving_until

    @property
    def staying(self) -> list[str]:
        """Names of the nodes that are not being drained."""
        return [name for name, _ in self.nodes if name not in self.leaving]

    def batch_of(self, name: str) -> int:
        return self.batches.get(name, 0)

    def batch(self, number: int) -> list[tuple[str, str]]:
        """The nodes that one agent stands for."""
        return [node for node in self.nodes if self.batch_of(node[0]) == number]

    def version_of(self, name: str) -> str:
        return self.versions.get(name) or str(self.wire["version"])


@dataclass
class AccessEntry:
    """`policies`: associated access policies by ARN, as the API shows them."""

    wire: Wire
    policies: dict[str, Wire] = field(default_factory=dict)


@dataclass
class Cluster:
    """`port`: of its API server on 127.0.0.1; `later`: parts of the wire form shown once it is ACTIVE."""

    account: str
    region: str
    wire: Wire
    creator: str
    port: int
    later: Wire = field(default_factory=dict)
    nodegroups: dict[str, Nodegroup] = field(default_factory=dict)
    addons: dict[str, Wire] = field(default_factory=dict)
    access: dict[str, AccessEntry] = field(default_factory=dict)
    associations: dict[str, Wire] = field(default_factory=dict)
    fargate: dict[str, Wire] = field(default_factory=dict)
    updates: dict[str, Wire] = field(default_factory=dict)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """State saved before there were Fargate profiles has none; updates saved earlier had done what they do."""
        self.__dict__ |= {"fargate": {}} | state
        for update in self.updates.values():
            update.setdefault("changes", {})
            update.setdefault("fails", False)

    @property
    def name(self) -> str:
        return str(self.wire["name"])

    @property
    def key(self) -> tuple[str, str, str]:
        return self.account, self.region, self.name

    @property
    def vpc(self) -> Wire:
        vpc: Wire = self.wire["resourcesVpcConfig"]
        return vpc

    @property
    def security_group(self) -> str:
        """The cluster security group, which exists before the API shows it."""
        return str(self.later.get("clusterSecurityGroupId") or self.vpc.get("clusterSecurityGroupId"))

    def arn(self, kind: str, *parts: str) -> str:
        return f"arn:aws:eks:{self.region}:{self.account}:{kind}/{'/'.join([self.name, *parts])}"

    def active(self) -> "Cluster":
        """Itself; raises AwsError unless ACTIVE."""
        if self.wire["status"] != "ACTIVE":
            raise AwsError("InvalidRequestException", f"Cluster '{self.name}' is not in ACTIVE status")
        return self

    def taggable(self) -> dict[str, Wire]:
        """Everything of this cluster that bears tags, by ARN."""
        groups = {group.wire["nodegroupArn"]: group.wire for group in self.nodegroups.values()}
        addons = {addon["addonArn"]: addon for addon in self.addons.values()}
        entries = {entry.wire["accessEntryArn"]: entry.wire for entry in self.access.values()}
        associations = {found["associationArn"]: found for found in self.associations.values()}
        fargate = {found["fargateProfileArn"]: found for found in self.fargate.values()}
        return {self.wire["arn"]: self.wire} | groups | addons | entries | associations | fargate


@dataclass
class Store:
    """All clusters by (account, region, name)."""

    clusters: dict[tuple[str, str, str], Cluster] = field(default_factory=dict)

    def cluster(self, account: str, region: str, name: str) -> Cluster:
        """Raises AwsError when there is none."""
        found = self.clusters.get((account, region, name))
        if found is None:
            raise not_found(f"No cluster found for name: {name}.")
        return found

    def within(self, account: str, region: str) -> list[Cluster]:
        return [found for key, found in self.clusters.items() if key[:2] == (account, region)]


def not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, 404)


def in_use(message: str) -> AwsError:
    return AwsError("ResourceInUseException", message, 409)


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message, 400)


def now() -> float:
    """Epoch seconds, the form of timestamps in EKS's JSON."""
    return datetime.datetime.now(datetime.UTC).timestamp()
