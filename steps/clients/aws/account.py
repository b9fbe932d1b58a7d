"""`Aws`: the thin clients of one account and region, made when first needed and kept."""

from collections.abc import Mapping
from functools import cached_property

from steps.clients.aws.ec2_catalog import Catalog
from steps.clients.aws.ec2_contents import Contents
from steps.clients.aws.ec2_groups import SecurityGroups
from steps.clients.aws.ec2_interfaces import Interfaces
from steps.clients.aws.ec2_nat import Nat
from steps.clients.aws.ec2_network import Network
from steps.clients.aws.ecr import Ecr
from steps.clients.aws.eks import Eks
from steps.clients.aws.eks_updates import EksUpdates
from steps.clients.aws.elb import Balancer, ClassicBalancers
from steps.clients.aws.elbv2 import Balancers
from steps.clients.aws.iam import Iam
from steps.clients.aws.logs import Logs
from steps.clients.aws.rds import Rds
from steps.clients.aws.secretsmanager import SecretsManager
from steps.clients.aws.servicequotas import ServiceQuotas
from steps.clients.aws.session import ATTEMPTS, READ_SECONDS, AwsTarget, Connection, Hook, Patience
from steps.clients.aws.sts import Identity, Sts
from steps.clients.aws.tagging import Tagging


class Aws:
    """One AWS account and region. Thread-safe; `close` it when done.

    `attempts`: tries per call within botocore; `read_seconds`: how long each may stay without an answer; `hooks`: see
    `Connection`.
    """

    def __init__(
        self,
        target: AwsTarget,
        attempts: int = ATTEMPTS,
        read_seconds: float = READ_SECONDS,
        hooks: Mapping[str, Hook] | None = None,
    ) -> None:
        self.target = target
        self.connection = Connection(target, Patience(attempts, read_seconds), hooks)
        self._identity: Identity | None = None
        self.sts = Sts(self.connection)
        self.network = Network(self.connection)
        self.nat = Nat(self.connection)
        self.groups = SecurityGroups(self.connection)
        self.interfaces = Interfaces(self.connection)
        self.contents = Contents(self.connection)
        self.catalog = Catalog(self.connection)
        self.eks = Eks(self.connection)
        self.eks_updates = EksUpdates(self.connection)
        self.iam = Iam(self.connection)
        self.rds = Rds(self.connection)
        self.ecr = Ecr(self.connection)
        self.secrets = SecretsManager(self.connection)
        self.classic_balancers = ClassicBalancers(self.connection)
        self.balancers = Balancers(self.connection)
        self.tagging = Tagging(self.connection)
        self.logs = Logs(self.connection)
        self.service_quotas = ServiceQuotas(self.connection)

    @property
    def region(self) -> str:
        return self.target.region

    @cached_property
    def partition(self) -> str:
        """`aws`, `aws-cn` or `aws-us-gov`."""
        return self.identity().partition

    def identity(self) -> Identity:
        """The caller, asked of AWS once (again after credentials were renewed, in case they are another's)."""
        if self._identity is None or self.connection.principal is None:
            self._identity = self.sts.identity()
        return self._identity

    def account_id(self) -> str:
        """The twelve-digit account number."""
        return self.identity().account_id

    def arn(self, service: str, resource: str) -> str:
        """The ARN of something in this account and region, e.g. `arn("ec2", "vpc/vpc-1")`."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id()}:{resource}"

    def all_balancers(self) -> list[Balancer]:
        """The region's load balancers, classic ones first."""
        prefix = self.arn("elasticloadbalancing", "loadbalancer/")
        return [*self.classic_balancers.balancers(prefix), *self.balancers.balancers()]

    def cluster_token(self, cluster_name: str) -> str:
        """A bearer token for the EKS cluster's API; renew it before it is 14 minutes old."""
        return self.sts.cluster_token(cluster_name)

    def close(self) -> None:
        """Close all connections; a later call opens them again."""
        self.connection.forget()
