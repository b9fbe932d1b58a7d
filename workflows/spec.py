"""The installation spec: everything the guide lets a person choose, with the guide's values as defaults.

One departure is deliberate: nothing is reachable from outside unless the spec says so (`exposure`), because Conductor
without OAuth authenticates nobody. The JSON Schema that `podium schema` prints is generated from here.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from steps.regions import closest_regions, is_region
from workflows.ranges import check_subnets, network_of
from workflows.spec_base import SecretInput, SecretReference, SpecModel
from workflows.spec_charts import Charts

__all__ = [
    "App",
    "Autoscaling",
    "Aws",
    "Charts",
    "Cluster",
    "Conductor",
    "Console",
    "Database",
    "ExistingDatabase",
    "ExistingNetwork",
    "Exposure",
    "ExposureMode",
    "InstallationSpec",
    "Network",
    "Nodes",
    "Registry",
    "SecretInput",
    "SecretReference",
    "SpecModel",
]

Cidr = Annotated[str, StringConstraints(max_length=18)]
KubernetesName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
ImageReference = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._/:@-]*$", max_length=400)]
ConductorAppName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{3,30}$")]


class Aws(SpecModel):
    """The AWS account and region to install into."""

    region: Annotated[str, StringConstraints(max_length=32)] = Field(examples=["us-west-2"])
    """AWS region code."""
    role_arn: (
        Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$", max_length=2048)] | None
    ) = Field(default=None, examples=["arn:aws:iam::123456789012:role/podium-installer"])
    """Role that Podium assumes for this installation; without one it uses its own credentials."""
    external_id: Annotated[str, StringConstraints(min_length=2, max_length=1224)] | None = Field(
        default=None, examples=["portal-4711"]
    )
    """External id that the role's trust policy asks for."""

    @field_validator("region")
    @classmethod
    def _region_exists(cls, region: str) -> str:
        if not is_region(region):
            raise ValueError(f"there is no AWS region of this name; did you mean {closest_regions(region)}?")
        return region

    @model_validator(mode="after")
    def _external_id_needs_role(self) -> Self:
        if self.external_id and not self.role_arn:
            raise ValueError("external_id is only used with role_arn; set role_arn or remove external_id")
        return self


class ExistingNetwork(SpecModel):
    """A VPC that is there already; Podium checks it and leaves it in place on uninstall."""

    vpc_id: Annotated[str, StringConstraints(pattern=r"^vpc-[0-9a-f]{8,17}$")] = Field(
        examples=["vpc-0a1b2c3d4e5f60718"]
    )
    """Id of the VPC."""
    public_subnet_ids: tuple[Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]{8,17}$")], ...] = ()
    """Subnets for public load balancers, in two or more zones; may be empty with exposure `internal`."""
    private_subnet_ids: tuple[Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]{8,17}$")], ...] = Field(
        min_length=2
    )
    """Subnets for nodes and database, in two or more zones, with a route to the internet."""


class Network(SpecModel):
    """The VPC: public and private subnets, one of each per zone."""

    cidr: Cidr = Field(default="192.168.0.0/16", examples=["192.168.0.0/16"])
    """Address range of the VPC, /16 to /24."""
    zones: int = Field(default=2, ge=2, le=3)
    """Number of availability zones to spread over."""
    public_subnet_cidrs: tuple[Cidr, ...] | None = Field(
        default=None, max_length=3, examples=[["192.168.0.0/19", "192.168.32.0/19"]]
    )
    """Address ranges of the public subnets, one per zone; derived from `cidr` when absent."""
    private_subnet_cidrs: tuple[Cidr, ...] | None = Field(
        default=None, max_length=3, examples=[["192.168.96.0/19", "192.168.128.0/19"]]
    )
    """Address ranges of the private subnets, one per zone; derived from `cidr` when absent."""
    existing: ExistingNetwork | None = None
    """Use this VPC instead of making one; the other fields are then ignored."""

    @model_validator(mode="after")
    def _ranges_fit(self) -> Self:
        vpc = network_of("cidr", self.cidr)
        if not 16 <= vpc.prefixlen <= 24:
            raise ValueError(f"cidr: {self.cidr} must be between /16 and /24 (AWS allows VPCs from /16)")
        public, private = self.subnets("public"), self.subnets("private")
        for field, cidrs in (("public_subnet_cidrs", public), ("private_subnet_cidrs", private)):
            if len(cidrs) != self.zones:
                raise ValueError(f"{field}: {len(cidrs)} given for {self.zones} zones; give one per zone")
        check_subnets(vpc, [*public, *private])
        return self

    def subnets(self, kind: str) -> tuple[str, ...]:
        """CIDRs of the `public` or `private` subnets, one per zone.

        Derived as eksctl does it: the VPC in eight equal parts, public ones from the first, private from the fourth.
        """
        given = self.public_subnet_cidrs if kind == "public" else self.private_subnet_cidrs
        if given is not None:
            return given
        parts = list(network_of("cidr", self.cidr).subnets(prefixlen_diff=3))
        first = 0 if kind == "public" else 3
        return tuple(str(part) for part in parts[first : first + self.zones])


class Cluster(SpecModel):
    """The EKS control plane."""

    version: Annotated[str, StringConstraints(pattern=r"^1\.\d{2}$")] | None = Field(default=None, examples=["1.34"])
    """Kubernetes version; without one the guide's 1.31 while EKS offers it, else EKS's own default."""
    public_access_cidrs: tuple[Cidr, ...] = Field(default=("0.0.0.0/0",), max_length=40)
    """Address ranges that may reach the Kubernetes API from the internet."""
    existing_name: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$")] | None = None
    """Use this EKS cluster, with its nodes and add-ons, instead of making one."""

    @field_validator("public_access_cidrs")
    @classmethod
    def _cidrs(cls, cidrs: tuple[str, ...]) -> tuple[str, ...]:
        for cidr in cidrs:
            network_of("public_access_cidrs", cidr)
        return cidrs


class Nodes(SpecModel):
    """The managed node group."""

    group: KubernetesName = "default"
    """Name of the node group."""
    instance_type: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+\.[a-z0-9-]+$")] = Field(
        default="t3.medium", examples=["t3.medium"]
    )
    """EC2 instance type."""
    count: int = Field(default=2, ge=1, le=100)
    """Number of nodes."""
    disk_gib: int = Field(default=20, ge=20, le=16384)
    """Size of each node's root volume, GiB."""


class ExistingDatabase(SpecModel):
    """A PostgreSQL server that is there already, reachable from the cluster."""

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]+$", max_length=253)] = Field(
        examples=["db.example.internal"]
    )
    """Host name."""
    port: int = Field(default=5432, ge=1, le=65535)
    """TCP port."""
    username: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_$-]*$", max_length=63)] = "postgres"
    """A role that may create databases and roles."""
    password: SecretInput
    """Its password."""


class Database(SpecModel):
    """The RDS PostgreSQL instance."""

    engine_version: Annotated[str, StringConstraints(pattern=r"^\d{2}(\.\d{1,2})?$")] = Field(
        default="16", examples=["16"]
    )
    """PostgreSQL version; a major version means its newest minor one."""
    instance_class: Annotated[str, StringConstraints(pattern=r"^db\.[a-z0-9]+\.[a-z0-9]+$")] = Field(
        default="db.t4g.micro", examples=["db.t4g.micro"]
    )
    """RDS instance class."""
    storage_gib: int = Field(default=20, ge=20, le=65536)
    """Allocated storage, GiB."""
    backup_retention_days: int = Field(default=1, ge=0, le=35)
    """Days that automated backups are kept; 0 switches them off. RDS's own default is 1."""
    sslmode: Annotated[str, StringConstraints(pattern="^(disable|prefer|require|verify-ca|verify-full)$")] = "require"
    """libpq's sslmode in the connection URLs."""
    existing: ExistingDatabase | None = None
    """Use this server instead of making an RDS instance."""


class Conductor(SpecModel):
    """DBOS Conductor."""

    image: ImageReference = "dbosdev/conductor"
    """Container image."""
    replicas: int = Field(default=1, ge=1, le=10)
    """Number of pods."""
    license_key: SecretInput | None = Field(default=None, examples=[{"secret": "prod/dbos/license"}])
    """Licence key, as a value (write-only) or a reference; without one: evaluation, one executor per app."""


class Console(SpecModel):
    """The DBOS Console."""

    image: ImageReference = "dbosdev/console"
    """Container image."""
    replicas: int = Field(default=1, ge=1, le=10)
    """Number of pods."""
    port: int = Field(default=8080, ge=1, le=65535)
    """Port the image listens on: 8080 in today's image, 80 in older ones. The Service's port is 80 either way."""


class App(SpecModel):
    """The DBOS application."""

    name: ConductorAppName = "dbos-app"
    """Name under which it is registered in Conductor: 3 to 30 of a-z, 0-9, - and _."""
    image: ImageReference | None = None
    """Container image; without one, `<registry.app_repository>:<registry.tag>` of the account's ECR."""
    migrate_image: ImageReference | None = None
    """Image that runs `dbos migrate`; without one, `<registry.migrate_repository>:<registry.tag>` of that ECR."""
    replicas: int = Field(default=1, ge=1, le=100)
    """Number of pods (autoscaling takes over from there)."""
    conductor_url: Annotated[str, StringConstraints(pattern=r"^wss?://", max_length=2048)] | None = Field(
        default=None, examples=["ws://conductor.dbos.svc.cluster.local:8090/"]
    )
    """Where the application reaches Conductor; without one, the in-cluster Service."""


class Registry(SpecModel):
    """ECR repositories for the two images."""

    app_repository: (
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([._/-][a-z0-9]+)*$", max_length=256)] | None
    ) = Field(default=None, examples=["dbos-app"])
    """Repository of the application's image; derived from the installation's name when absent (`dbos-app`)."""
    migrate_repository: (
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([._/-][a-z0-9]+)*$", max_length=256)] | None
    ) = Field(default=None, examples=["dbos-migrate"])
    """Repository of the migration image; derived from the installation's name when absent (`dbos-migrate`)."""
    tag: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")] = "latest"
    """Tag of both images."""


class ExposureMode(StrEnum):
    """What can be reached from outside the cluster."""

    INTERNAL = "internal"
    PATH = "path"


class Exposure(SpecModel):
    """How the installation is reached from outside."""

    mode: ExposureMode = ExposureMode.INTERNAL
    """`internal`: nothing is; `path`: Console, Conductor and app by path on the load balancer's name, over HTTP."""
    allow_unauthenticated: bool = False
    """Must be true to expose a Conductor without OAuth: it authenticates nobody."""
    conductor_path: Annotated[str, StringConstraints(pattern=r"^/[a-z0-9-]{1,40}$")] = "/conductor"
    """Path prefix of Conductor's API; newer Consoles serve pages under /conductor and want /conductor-api here."""
    app_path: Annotated[str, StringConstraints(pattern=r"^/[a-z0-9-]{1,40}$")] = "/app"
    """Path prefix of the application."""

    @model_validator(mode="after")
    def _exposed_on_purpose(self) -> Self:
        if self.mode is not ExposureMode.INTERNAL and not self.allow_unauthenticated:
            raise ValueError(
                "allow_unauthenticated: exposing Conductor without OAuth lets anyone use it; "
                "set exposure.allow_unauthenticated to true if you mean it, or exposure.mode to internal"
            )
        if self.conductor_path == self.app_path:
            raise ValueError("conductor_path: must differ from app_path")
        return self


class Autoscaling(SpecModel):
    """KEDA scales the application by the length of a DBOS queue."""

    enabled: bool = True
    """Whether to install KEDA and scale the application."""
    queue: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = "taskQueue"
    """Name of the DBOS queue whose length is the metric."""
    target: int = Field(default=2, ge=1, le=10000)
    """Workflows per pod to aim for."""
    min_replicas: int = Field(default=1, ge=1, le=100)
    """Fewest pods."""
    max_replicas: int = Field(default=10, ge=1, le=1000)
    """Most pods."""
    polling_seconds: int = Field(default=15, ge=1, le=3600)
    """Seconds between two looks at the queue."""
    cooldown_seconds: int = Field(default=60, ge=0, le=86400)
    """Seconds after the last activity before scaling down."""

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise ValueError(f"min_replicas: {self.min_replicas} is more than max_replicas, {self.max_replicas}")
        return self


class InstallationSpec(SpecModel):
    """One Conductor on one EKS cluster. A name and a region are enough; the rest has the guide's values."""

    name: Annotated[str, StringConstraints(min_length=3, max_length=40)] = Field(
        examples=["dbos-conductor"], json_schema_extra={"pattern": r"^[a-z]([a-z0-9]|-(?!-))*[a-z0-9]$"}
    )
    """Name of the installation, from which every AWS name derives: a-z, 0-9, single hyphens; a letter first."""
    aws: Aws
    network: Network = Network()
    cluster: Cluster = Cluster()
    nodes: Nodes = Nodes()
    database: Database = Database()
    namespace: KubernetesName = "dbos"
    """Kubernetes namespace of Conductor, Console and app."""
    conductor: Conductor = Conductor()
    console: Console = Console()
    app: App = App()
    registry: Registry = Registry()
    exposure: Exposure = Exposure()
    autoscaling: Autoscaling = Autoscaling()
    charts: Charts = Charts()

    @field_validator("name")
    @classmethod
    def _aws_accepts_name(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z](-?[a-z0-9])*", name):
            raise ValueError(
                "must start with a letter, hold a-z, 0-9 and single hyphens, and not end in one (RDS refuses others)"
            )
        return name

    @field_validator("namespace")
    @classmethod
    def _namespace_is_own(cls, namespace: str) -> str:
        if namespace == "default" or namespace.startswith("kube-") or namespace in ("ingress-nginx", "keda"):
            raise ValueError(f"{namespace} belongs to Kubernetes or an add-on; choose another, e.g. dbos")
        return namespace

    def public(self) -> dict[str, Any]:
        """The spec as JSON without secret values: what the API shows and the database keeps."""
        return self.model_dump(mode="json")
