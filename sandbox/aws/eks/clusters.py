"""EKS clusters: CREATING, ACTIVE, UPDATING, DELETING by the clock.

Gaps: moto's clusters are ACTIVE at once, without VPC, cluster security group, interfaces, access configuration, a PEM
certificate authority or an OIDC issuer of their own, and nothing is checked (EKS API Reference, CreateCluster; EKS User
Guide, "Amazon EKS security group requirements", "Create an IAM OIDC provider for your cluster").
"""

import base64
import secrets
from typing import Any

from moto.ec2.exceptions import DependencyViolationError, InvalidSecurityGroupNotFoundError

from sandbox.aws.ec2 import interfaces
from sandbox.aws.ec2.backend import ec2_of
from sandbox.aws.eks import access, checks, versions
from sandbox.aws.eks.service import Eks, page, valid_name
from sandbox.aws.eks.store import Cluster, in_use, invalid, now
from sandbox.aws.errors import AwsError
from sandbox.aws.lifecycle import Change
from sandbox.aws.quotas import CLUSTERS
from sandbox.aws.requests import Call
from sandbox.aws.sts import principal_of
from sandbox.processes import free_port

KIND = "eks:cluster"


def create(eks: Eks, call: Call) -> dict[str, Any]:
    name, wanted = str(call.params["name"]), dict(call.params["resourcesVpcConfig"])
    if not valid_name(name):
        raise invalid(f"The cluster name '{name}' is not valid")
    if (call.account, call.region, name) in eks.store.clusters:
        raise in_use(f"Cluster already exists with name: {name}")
    if len(eks.store.within(call.account, call.region)) >= eks.cloud.quotas.limit(CLUSTERS):
        raise AwsError("ResourceLimitExceededException", "The maximum number of clusters has been reached.")
    version = versions.check(str(call.params.get("version") or versions.DEFAULT))
    checks.role(call.account, call.params["roleArn"], "eks.amazonaws.com")
    found = checks.subnets(call.account, call.region, wanted.get("subnetIds", []))
    checks.two_zones(found)
    vpc_id = found[0].vpc_id
    checks.security_groups(call.account, call.region, wanted.get("securityGroupIds", []), vpc_id)
    wire = _wire(call, version, vpc_id)
    cluster = Cluster(call.account, call.region, wire, principal_of(call.caller_arn), free_port())
    _make_network(cluster, [subnet.id for subnet in found])
    access.bootstrap(cluster, call.params.get("accessConfig") or {})
    eks.store.clusters[cluster.key] = cluster
    eks.machines.start_api(cluster)
    eks.begin(KIND, cluster.key, "create")
    return {"cluster": wire}


def describe(eks: Eks, call: Call) -> dict[str, Any]:
    cluster = eks.cluster(call)
    eks.seen(KIND, cluster.key)
    return {"cluster": cluster.wire}


def list_names(eks: Eks, call: Call) -> dict[str, Any]:
    return page(call, "clusters", sorted(cluster.name for cluster in eks.store.within(call.account, call.region)))


def delete(eks: Eks, call: Call) -> dict[str, Any]:
    cluster = eks.cluster(call)
    if cluster.nodegroups:
        raise in_use("Cluster has nodegroups attached")
    if cluster.fargate:
        raise in_use("Cluster has Fargate profiles attached")
    if cluster.wire["deletionProtection"]:
        raise AwsError("InvalidRequestException", "Cluster deletion protection is enabled")
    if cluster.wire["status"] in ("CREATING", "UPDATING"):
        raise in_use(f"Cluster is in {cluster.wire['status']} status")
    if cluster.wire["status"] != "DELETING":
        cluster.wire["status"] = "DELETING"
        eks.begin(KIND, cluster.key, "delete")
    return {"cluster": cluster.wire}


def describe_versions(eks: Eks, call: Call) -> dict[str, Any]:
    names = call.params.get("clusterVersions")
    wanted = [names] if isinstance(names, str) else names
    status = str(call.params.get("versionStatus") or call.params.get("status") or "")
    status = status.lower().replace("_", "-")
    default_only = str(call.params.get("defaultOnly", "false")).lower() == "true"
    return page(
        call,
        "clusterVersions",
        [
            version.wire()
            for version in versions.VERSIONS
            if (not wanted or version.minor in wanted)
            and (not status or version.status == status)
            and (not default_only or version.minor == versions.DEFAULT)
        ],
    )


def ended(eks: Eks, change: Change) -> bool:
    """The end of a creation, an update or a deletion."""
    cluster = eks.store.clusters[change.key[0], change.key[1], change.key[2]]
    if change.action == "delete":
        return _deleted(eks, cluster)
    if not eks.machines.api_ready(cluster):
        return False
    if change.action == "create":
        cluster.vpc["clusterSecurityGroupId"] = cluster.later.pop("clusterSecurityGroupId")
        cluster.wire["identity"] = cluster.later.pop("identity")
    show_endpoint(eks, cluster)
    cluster.wire["status"] = "ACTIVE"  # what an update changes is shown now (updates.ended)
    return True


def show_endpoint(eks: Eks, cluster: Cluster) -> None:
    """Where the API server answers, and the certificate authority it answers with."""
    cluster.wire["endpoint"] = f"https://127.0.0.1:{cluster.port}"
    cluster.wire["certificateAuthority"] = {"data": base64.b64encode(eks.machines.certificate(cluster)).decode()}


def _deleted(eks: Eks, cluster: Cluster) -> bool:
    if not eks.machines.api_gone(cluster):
        return False
    ec2 = ec2_of(cluster.account, cluster.region)
    interfaces.detach(ec2, cluster.wire["arn"])
    try:
        ec2.delete_security_group(group_id=cluster.security_group)
    except (DependencyViolationError, InvalidSecurityGroupNotFoundError):
        # Somebody's rule still refers to it, or somebody has deleted it: AWS leaves the group and goes on.
        eks.cloud.lifecycle.on_change()
    del eks.store.clusters[cluster.key]
    return True


def _make_network(cluster: Cluster, subnet_ids: list[str]) -> None:
    """The cluster security group, and the control plane's interfaces in two of the subnets."""
    ec2 = ec2_of(cluster.account, cluster.region)
    name = f"eks-cluster-sg-{cluster.name}-{secrets.randbelow(10**10)}"
    tags = {
        "Name": name,
        f"kubernetes.io/cluster/{cluster.name}": "owned",
        "aws:eks:cluster-name": cluster.name,
    }
    about = "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes"
    group = ec2.create_security_group(name, about, cluster.vpc["vpcId"], tags)
    cluster.later["clusterSecurityGroupId"] = group.id
    issuer = f"https://oidc.eks.{cluster.region}.amazonaws.com/id/{secrets.token_hex(16).upper()}"
    cluster.later["identity"] = {"oidc": {"issuer": issuer}}
    by_zone = {ec2.get_subnet(subnet_id).availability_zone: subnet_id for subnet_id in reversed(subnet_ids)}
    interfaces.attach(
        ec2,
        cluster.wire["arn"],
        subnet_ids=list(by_zone.values())[:2],
        group_ids=[group.id, *cluster.vpc["securityGroupIds"]],
        description=f"Amazon EKS {cluster.name}",
        service="amazon-eks",
    )


def _wire(call: Call, version: str, vpc_id: str) -> dict[str, Any]:
    params = call.params
    mode = (params.get("accessConfig") or {}).get("authenticationMode", "CONFIG_MAP")
    off = [{"types": ["api", "audit", "authenticator", "controllerManager", "scheduler"], "enabled": False}]
    vpc = {
        "securityGroupIds": [],
        "endpointPublicAccess": True,
        "endpointPrivateAccess": False,
        "publicAccessCidrs": ["0.0.0.0/0"],
    }
    return {
        "name": params["name"],
        "arn": f"arn:aws:eks:{call.region}:{call.account}:cluster/{params['name']}",
        "createdAt": now(),
        "version": version,
        "roleArn": params["roleArn"],
        "resourcesVpcConfig": vpc | params["resourcesVpcConfig"] | {"vpcId": vpc_id},
        "kubernetesNetworkConfig": {"serviceIpv4Cidr": "10.100.0.0/16", "ipFamily": "ipv4"}
        | (params.get("kubernetesNetworkConfig") or {}),
        "logging": params.get("logging") or {"clusterLogging": off},
        "status": "CREATING",
        "certificateAuthority": {},
        "platformVersion": "eks.9",
        "tags": dict(params.get("tags") or {}),
        "encryptionConfig": params.get("encryptionConfig") or [],
        "health": {"issues": []},
        "accessConfig": {"authenticationMode": mode},
        "upgradePolicy": params.get("upgradePolicy") or {"supportType": "EXTENDED"},
        "deletionProtection": bool(params.get("deletionProtection")),
    }
