"""Preflight of names and references: what the installation will make is free, what the spec refers to is there."""

from collections.abc import Mapping

from steps import existing
from steps.clients.aws import Aws
from steps.errors import Code, PodiumError
from steps.findings import Findings
from steps.names import Owner
from steps.ownership import is_ours, taken
from steps.secret_store import SecretStore
from steps.wanted import Wanted


def check_cluster_names(aws: Aws, owner: Owner, wanted: Wanted, findings: Findings) -> None:
    """Cluster and roles are free, or ours."""
    if wanted.existing_cluster:
        return
    cluster = aws.eks.cluster(owner.names.cluster)
    if cluster is not None:
        _check(owner, cluster.tags, f"the EKS cluster {cluster.name}", "name", findings)
    for name in (owner.names.cluster_role, owner.names.node_role):
        role = aws.iam.role(name)
        if role is not None:
            _check(owner, role.tags, f"the IAM role {name}", "name", findings)


def check_database_names(aws: Aws, owner: Owner, wanted: Wanted, findings: Findings) -> None:
    """Instance, subnet group and (in an existing VPC) security group are free, or ours."""
    if not wanted.make_database:
        return
    names = owner.names
    instance = aws.rds.instance(names.db_instance)
    if instance is not None:
        _check(owner, instance.tags, f"the DB instance {names.db_instance}", "name", findings)
    group = aws.rds.subnet_group(names.db_subnet_group)
    if group is not None:
        _check(owner, aws.rds.tags(group.arn), f"the DB subnet group {names.db_subnet_group}", "name", findings)
    if wanted.existing_vpc_id:
        for one in aws.groups.named(names.db_security_group, wanted.existing_vpc_id):
            _check(owner, one.tags, f"the security group {one.name} ({one.id})", "name", findings)


def check_repositories(aws: Aws, owner: Owner, wanted: Wanted, findings: Findings) -> None:
    """The image repositories are free, or ours."""
    for name in wanted.repositories:
        found = aws.ecr.repository(name)
        if found is not None:
            where = "registry.migrate_repository" if name.endswith("migrate") else "registry.app_repository"
            _check(owner, aws.ecr.tags(found.arn), f"the ECR repository {name}", where, findings)


def check_secrets(aws: Aws, _owner: Owner, wanted: Wanted, findings: Findings) -> None:
    """Every secret that the spec refers to can be read."""
    store = SecretStore(aws)
    for one in wanted.secrets:
        try:
            store.get(one.reference)
        except PodiumError as error:
            if error.code not in (Code.SECRET_NOT_FOUND, Code.AWS_ACCESS_DENIED):
                raise
            findings.problem(error.code, one.field, error.message, error.remedy)


def check_existing(aws: Aws, _owner: Owner, wanted: Wanted, findings: Findings) -> None:
    """VPC and cluster that the spec names are there, usable, and belong together. Fact `zones` of the VPC."""
    cluster_vpc = None
    if wanted.existing_cluster:
        cluster_vpc = _existing_cluster_vpc(aws, wanted.existing_cluster, findings)
    if wanted.existing_vpc_id:
        public, private = list(wanted.existing_public_subnet_ids), list(wanted.existing_private_subnet_ids)
        try:
            network = existing.check_network(aws, wanted.existing_vpc_id, public, private)
            findings.facts["zones"] = network["zones"]
        except PodiumError as error:
            if error.code is not Code.INVALID_SPEC:
                raise
            findings.add_error(error, "network.existing")
    if cluster_vpc and wanted.make_database and wanted.existing_vpc_id != cluster_vpc:
        findings.problem(
            Code.INVALID_SPEC,
            "network.existing",
            f"the cluster {wanted.existing_cluster} is in {cluster_vpc}; a database elsewhere could not be reached",
            f"Give {cluster_vpc} and its subnets as network.existing, or use an existing database.",
        )


def _existing_cluster_vpc(aws: Aws, name: str, findings: Findings) -> str | None:
    try:
        return existing.look_up_cluster(aws, name)["vpc_id"]
    except PodiumError as error:
        if error.code is not Code.INVALID_SPEC:
            raise
        findings.add_error(error, "cluster.existing_name")
        return None


def _check(owner: Owner, tags: Mapping[str, str], what: str, where: str, findings: Findings) -> None:
    if not is_ours(owner, tags):
        message, remedy = taken(owner, tags, what)
        findings.problem(Code.NAME_TAKEN, where, message, remedy)
