"""IAM: the roles of control plane and nodes, and the cluster's OpenID Connect provider."""

from steps.clients.aws import Aws
from steps.names import TAG_INSTALLATION, Owner
from steps.ownership import check_ours, is_ours
from steps.second_look import until_seen

CLUSTER_POLICIES = ("AmazonEKSClusterPolicy",)
NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly")
"""https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html"""


def ensure_cluster_role(aws: Aws, owner: Owner) -> str:
    """ARN of the role that the control plane assumes."""
    name = owner.names.cluster_role
    return _ensure_role(aws, owner, "cluster-role", name, "eks.amazonaws.com", CLUSTER_POLICIES)


def ensure_node_role(aws: Aws, owner: Owner) -> str:
    """ARN of the role that the nodes assume."""
    service = "ec2.amazonaws.com.cn" if aws.partition == "aws-cn" else "ec2.amazonaws.com"
    return _ensure_role(aws, owner, "node-role", owner.names.node_role, service, NODE_POLICIES)


def ensure_oidc_provider(aws: Aws, owner: Owner, issuer: str) -> str:
    """ARN of IAM's provider for the cluster's issuer.

    An issuer belongs to one cluster, so a provider that somebody else made for it serves as well: it is used, and left
    in place by `delete_identity`.
    """
    arn = f"arn:{aws.partition}:iam::{aws.account_id()}:oidc-provider/{issuer.removeprefix('https://')}"
    if aws.iam.provider(arn) is None:
        aws.iam.make_provider(issuer, owner.tags("oidc-provider"))
        until_seen(lambda: aws.iam.provider(arn), f"the OIDC provider {arn}")
    return arn


def delete_identity(aws: Aws, owner: Owner) -> None:
    """Delete roles and provider, if they carry the installation's tag."""
    for name in (owner.names.cluster_role, owner.names.node_role):
        role = aws.iam.role(name)
        if role is not None and is_ours(owner, role.tags):
            aws.iam.delete_role(name)
    for arn in aws.iam.providers():
        if "oidc.eks" not in arn:
            continue
        provider = aws.iam.provider(arn)
        if provider is not None and is_ours(owner, provider.tags):
            aws.iam.delete_provider(arn)


def _ensure_role(aws: Aws, owner: Owner, resource: str, name: str, service: str, policies: tuple[str, ...]) -> str:
    role = aws.iam.role(name)
    if role is None:
        description = f"Made by Podium for {TAG_INSTALLATION}={owner.installation}"
        aws.iam.make_role(name, service, description, owner.tags(resource))
        role = until_seen(lambda: aws.iam.role(name), f"the IAM role {name}")
    check_ours(owner, role.tags, f"the IAM role {name}")
    attached = aws.iam.policies(name)
    for policy in policies:
        arn = f"arn:{aws.partition}:iam::aws:policy/{policy}"
        if arn not in attached:
            aws.iam.attach(name, arn)
    return role.arn
