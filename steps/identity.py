"""IAM: the roles of control plane and nodes, and the cluster's OpenID Connect provider."""

from typing import Literal

from steps.blockers import Blocker, verdict, whose
from steps.clients.aws import Aws
from steps.names import TAG_INSTALLATION, Owner
from steps.noticing import noticed
from steps.ownership import check_ours, is_ours
from steps.second_look import until_seen
from steps.waiting import Blocked, Pending

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
    """Delete roles and provider, if they carry the installation's tag.

    A role that somebody wrote a policy into, or put into an instance profile, stays: see `await_identity_deleted`.
    """
    for name in _own_roles(aws, owner):
        if not _held(aws, owner, name):
            aws.iam.delete_role(name)
    for arn in aws.iam.providers():
        if "oidc.eks" not in arn:
            continue
        provider = aws.iam.provider(arn)
        if provider is not None and is_ours(owner, provider.tags):
            aws.iam.delete_provider(arn)


def await_identity_deleted(aws: Aws, owner: Owner) -> Literal[True] | Pending | Blocked:
    """True once roles and provider are gone; tries again at each look."""
    delete_identity(aws, owner)
    left = _own_roles(aws, owner)
    if not left:
        return True
    found = [blocker for name in left for blocker in _held(aws, owner, name)]
    how = "Remove what is listed from the role (or keep a copy of it elsewhere); the uninstall then goes on by itself."
    return verdict(f"the IAM role {' and '.join(left)} cannot be deleted yet", found, how)


def _own_roles(aws: Aws, owner: Owner) -> list[str]:
    """Names of the installation's roles that are there."""
    found = {name: aws.iam.role(name) for name in (owner.names.cluster_role, owner.names.node_role)}
    return [name for name, role in found.items() if role is not None and is_ours(owner, role.tags)]


def _held(aws: Aws, owner: Owner, role: str) -> list[Blocker]:
    """What others put into the role or put the role into; managed policies are only detached and stay."""
    arn = f"arn:{aws.partition}:iam::{aws.account_id()}:role/{role}"
    policies = [
        Blocker(arn, f'the policy "{name}" was written into the role {role}', "somebody else")
        for name in aws.iam.inline_policies(role)
    ]
    profiles = [
        Blocker(profile.arn, f"the instance profile holds the role {role}", whose(owner, profile.tags))
        for profile in aws.iam.instance_profiles(role)
    ]
    return policies + profiles


def _ensure_role(aws: Aws, owner: Owner, resource: str, name: str, service: str, policies: tuple[str, ...]) -> str:
    role = aws.iam.role(name)
    if role is None:
        description = f"Made by Podium for {TAG_INSTALLATION}={owner.installation}"
        aws.iam.make_role(name, service, description, owner.tags(resource))
        role = until_seen(lambda: aws.iam.role(name), f"the IAM role {name}")
    check_ours(owner, role.tags, f"the IAM role {name}")
    if service not in role.trusted:
        noticed("assumeRolePolicyDocument", expected=[service], found=list(role.trusted))
        aws.iam.trust(name, service)
    attached = aws.iam.policies(name)
    for policy in policies:
        arn = f"arn:{aws.partition}:iam::aws:policy/{policy}"
        if arn not in attached:
            noticed(f"attachedPolicies[{policy}]", expected=arn, found=None)
            aws.iam.attach(name, arn)
    return role.arn
