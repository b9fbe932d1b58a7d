"""EKS: clusters, managed node groups, add-ons, versions.

`make_x` returns False when a thing of this name is there already (ResourceInUseException); deletes of things that are
gone, or already being deleted, are success.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from steps.clients.aws.base import ServiceClient, Tolerate, translated

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient

ABSENT = "ResourceNotFoundException"
IN_USE = "ResourceInUseException"
REFUSED = (IN_USE, "InvalidRequestException")
"""Deletes that EKS takes later: https://docs.aws.amazon.com/eks/latest/APIReference/API_DeleteCluster.html."""


@dataclass(frozen=True)
class Cluster:
    """A control plane. `status`: CREATING, ACTIVE, DELETING, FAILED, UPDATING, PENDING; empty strings until known."""

    name: str
    arn: str
    status: str
    version: str
    endpoint: str
    certificate_authority: str
    security_group_id: str
    oidc_issuer: str
    vpc_id: str
    subnet_ids: tuple[str, ...]
    public_access_cidrs: tuple[str, ...]
    issues: tuple[str, ...]
    deletion_protection: bool
    tags: dict[str, str]


@dataclass(frozen=True)
class NodeGroup:
    """A managed node group. `status`: CREATING, ACTIVE, UPDATING, DELETING, CREATE_FAILED, DELETE_FAILED, DEGRADED.

    `sizes`: fewest, most and desired nodes; `disk_gib`: 0 where a launch template says it.
    """

    name: str
    arn: str
    status: str
    version: str
    instance_types: tuple[str, ...]
    disk_gib: int
    sizes: tuple[int, int, int]
    issues: tuple[str, ...]
    tags: dict[str, str]

    @property
    def desired(self) -> int:
        return self.sizes[2]


@dataclass(frozen=True)
class FargateProfile:
    """What makes pods run without nodes. Podium makes none."""

    name: str
    arn: str
    tags: dict[str, str]


@dataclass(frozen=True)
class Addon:
    """An add-on. `status`: CREATING, ACTIVE, UPDATING, DELETING, DEGRADED, or one of these with _FAILED.

    `configuration`: its configurationValues, JSON or YAML, as `configuration_text` has them.
    """

    name: str
    status: str
    version: str
    configuration: dict[str, Any]
    configuration_text: str
    issues: tuple[str, ...]
    tags: dict[str, str]


@dataclass(frozen=True)
class Version:
    """A Kubernetes version. `support`: standard or extended (costs more) or unsupported."""

    version: str
    default: bool
    support: str


class Eks(ServiceClient):
    """Elastic Kubernetes Service."""

    service = "eks"

    @property
    def _api(self) -> "EKSClient":
        api: EKSClient = self.connection.client("eks")
        return api

    @translated
    def versions(self) -> list[Version]:
        """The Kubernetes versions on offer."""
        pages = self._api.get_paginator("describe_cluster_versions").paginate()
        return [
            Version(one["clusterVersion"], one.get("defaultVersion", False), _support(dict(one)))
            for page in pages
            for one in page["clusterVersions"]
        ]

    @translated
    def cluster_count(self) -> int:
        return sum(len(page["clusters"]) for page in self._api.get_paginator("list_clusters").paginate())

    @translated
    def cluster(self, name: str) -> Cluster | None:
        with Tolerate(ABSENT):
            return _cluster(dict(self._api.describe_cluster(name=name)["cluster"]))
        return None

    @translated
    def make_cluster(
        self,
        name: str,
        *,
        version: str,
        role_arn: str,
        subnet_ids: list[str],
        public_access_cidrs: list[str],
        token: str,
        tags: Mapping[str, str],
    ) -> bool:
        """Whether this call began to make the cluster. Its creator becomes its administrator, by access entry."""
        with Tolerate(IN_USE):
            self._api.create_cluster(
                name=name,
                version=version,
                roleArn=role_arn,
                resourcesVpcConfig={
                    "subnetIds": subnet_ids,
                    "endpointPublicAccess": True,
                    "endpointPrivateAccess": True,
                    "publicAccessCidrs": public_access_cidrs,
                },
                accessConfig={
                    "authenticationMode": "API_AND_CONFIG_MAP",
                    "bootstrapClusterCreatorAdminPermissions": True,
                },
                bootstrapSelfManagedAddons=False,
                deletionProtection=False,
                clientRequestToken=token,
                tags=tags,
            )
            return True
        return False

    @translated
    def delete_cluster(self, name: str) -> bool:
        """Whether it is on its way out; False when EKS refuses: something is in it, or it is changing."""
        with Tolerate(ABSENT, *REFUSED) as refused:
            self._api.delete_cluster(name=name)
        return refused.code not in REFUSED

    @translated
    def node_group(self, cluster: str, group: str) -> NodeGroup | None:
        with Tolerate(ABSENT):
            return _node_group(
                dict(self._api.describe_nodegroup(clusterName=cluster, nodegroupName=group)["nodegroup"])
            )
        return None

    @translated
    def make_node_group(
        self,
        cluster: str,
        group: str,
        *,
        role_arn: str,
        subnet_ids: list[str],
        instance_type: str,
        count: int,
        disk_gib: int,
        token: str,
        tags: Mapping[str, str],
    ) -> bool:
        """Whether this call began to make the node group."""
        with Tolerate(IN_USE):
            self._api.create_nodegroup(
                clusterName=cluster,
                nodegroupName=group,
                nodeRole=role_arn,
                subnets=subnet_ids,
                instanceTypes=[instance_type],
                scalingConfig={"minSize": count, "maxSize": count, "desiredSize": count},
                diskSize=disk_gib,
                clientRequestToken=token,
                tags=tags,
            )
            return True
        return False

    @translated
    def delete_node_group(self, cluster: str, group: str) -> bool:
        """Whether it is on its way out; False when EKS refuses because it is changing."""
        with Tolerate(ABSENT, *REFUSED) as refused:
            self._api.delete_nodegroup(clusterName=cluster, nodegroupName=group)
        return refused.code not in REFUSED

    @translated
    def node_groups(self, cluster: str) -> list[str]:
        """Names of all its node groups; none when there is no such cluster."""
        with Tolerate(ABSENT):
            pages = self._api.get_paginator("list_nodegroups").paginate(clusterName=cluster)
            return [name for page in pages for name in page["nodegroups"]]
        return []

    @translated
    def fargate_profiles(self, cluster: str) -> list[FargateProfile]:
        """All its Fargate profiles; none when there is no such cluster."""
        found = []
        with Tolerate(ABSENT):
            pages = self._api.get_paginator("list_fargate_profiles").paginate(clusterName=cluster)
            for name in [name for page in pages for name in page["fargateProfileNames"]]:
                answer = self._api.describe_fargate_profile(clusterName=cluster, fargateProfileName=name)
                one = answer["fargateProfile"]
                found.append(FargateProfile(name, one.get("fargateProfileArn", ""), dict(one.get("tags") or {})))
        return found

    @translated
    def addon(self, cluster: str, name: str) -> Addon | None:
        with Tolerate(ABSENT):
            one = self._api.describe_addon(clusterName=cluster, addonName=name)["addon"]
            return Addon(
                name,
                one["status"],
                one.get("addonVersion", ""),
                _values(one.get("configurationValues", "")),
                one.get("configurationValues", ""),
                _issues(one.get("health")),
                dict(one.get("tags") or {}),
            )
        return None

    @translated
    def addons(self, cluster: str) -> list[str]:
        """Names of the cluster's add-ons; none when there is no such cluster."""
        with Tolerate(ABSENT):
            pages = self._api.get_paginator("list_addons").paginate(clusterName=cluster)
            return [name for page in pages for name in page["addons"]]
        return []

    @translated
    def make_addon(
        self, cluster: str, name: str, *, configuration: dict[str, Any], token: str, tags: Mapping[str, str]
    ) -> bool:
        """Whether this call began to make the add-on, in EKS's default version for the cluster's."""
        with Tolerate(IN_USE):
            self._api.create_addon(
                clusterName=cluster,
                addonName=name,
                resolveConflicts="OVERWRITE",
                configurationValues=json.dumps(configuration, sort_keys=True),
                clientRequestToken=token,
                tags=tags,
            )
            return True
        return False

    @translated
    def configure_addon(self, cluster: str, name: str, configuration: dict[str, Any], token: str) -> None:
        self._api.update_addon(
            clusterName=cluster,
            addonName=name,
            resolveConflicts="OVERWRITE",
            configurationValues=json.dumps(configuration, sort_keys=True),
            clientRequestToken=token,
        )

    @translated
    def delete_addon(self, cluster: str, name: str) -> bool:
        """Whether it is on its way out; False when EKS refuses because it or the cluster is changing."""
        with Tolerate(ABSENT, *REFUSED) as refused:
            self._api.delete_addon(clusterName=cluster, addonName=name)
        return refused.code not in REFUSED


def _support(one: dict[str, Any]) -> str:
    """standard, extended or unsupported, from `versionStatus` (or `status`, its older name)."""
    status = str(one.get("versionStatus") or one.get("status") or "")
    return status.lower().split("_")[0].split("-")[0] or "unsupported"


def _issues(health: object) -> tuple[str, ...]:
    """A health report's issues as "CODE: message" lines."""
    issues = health.get("issues", []) if isinstance(health, dict) else []
    return tuple(f"{issue.get('code', '')}: {issue.get('message', '')}"[:300] for issue in issues)


def _values(text: str) -> dict[str, Any]:
    """An add-on's configurationValues, which are JSON or YAML."""
    found = yaml.safe_load(text or "{}")
    return found if isinstance(found, dict) else {}


def _node_group(one: dict[str, Any]) -> NodeGroup:
    scaling = one.get("scalingConfig") or {}
    return NodeGroup(
        one["nodegroupName"],
        one["nodegroupArn"],
        one["status"],
        one.get("version", ""),
        tuple(one.get("instanceTypes") or ()),
        int(one.get("diskSize") or 0),
        (scaling.get("minSize", 0), scaling.get("maxSize", 0), scaling.get("desiredSize", 0)),
        _issues(one.get("health")),
        dict(one.get("tags") or {}),
    )


def _cluster(one: dict[str, Any]) -> Cluster:
    network = one.get("resourcesVpcConfig") or {}
    return Cluster(
        one["name"],
        one.get("arn", ""),
        one["status"],
        one.get("version", ""),
        one.get("endpoint") or "",
        (one.get("certificateAuthority") or {}).get("data", ""),
        network.get("clusterSecurityGroupId", ""),
        ((one.get("identity") or {}).get("oidc") or {}).get("issuer", ""),
        network.get("vpcId", ""),
        tuple(network.get("subnetIds") or ()),
        tuple(network.get("publicAccessCidrs") or ()),
        _issues(one.get("health")),
        bool(one.get("deletionProtection")),
        dict(one.get("tags") or {}),
    )
