"""EKS's updates: of clusters, node groups and add-ons that are there, and what became of them.

`change_x` returns the update's id; None when EKS refuses because another update of the same thing is under way: it
takes one at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steps.clients.aws.base import ServiceClient, Tolerate, translated
from steps.clients.aws.eks import ABSENT, IN_USE

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient


@dataclass(frozen=True)
class Place:
    """What is updated: the cluster itself, one of its node groups, or one of its add-ons."""

    cluster: str
    group: str | None = None
    addon: str | None = None


@dataclass(frozen=True)
class Update:
    """One update. `kind`: VersionUpdate, EndpointAccessUpdate, ConfigUpdate, AddonUpdate, …; `status`: InProgress,
    Failed, Cancelled, Successful; `created`: epoch seconds; `errors`: EKS's own, as "CODE: message" lines."""

    id: str
    kind: str
    status: str
    created: float
    params: dict[str, str]
    errors: tuple[str, ...]


class EksUpdates(ServiceClient):
    """Elastic Kubernetes Service: what changes a thing that is there."""

    service = "eks"

    @property
    def _api(self) -> "EKSClient":
        api: EKSClient = self.connection.client("eks")
        return api

    @translated
    def updates(self, place: Place) -> list[Update]:
        """All that EKS remembers, newest first; none of a thing that is not there."""
        of: dict[str, Any] = {"nodegroupName": place.group} if place.group else {}
        of |= {"addonName": place.addon} if place.addon else {}
        found = []
        with Tolerate(ABSENT):
            pages = self._api.get_paginator("list_updates").paginate(name=place.cluster, **of)
            for update_id in [one for page in pages for one in page["updateIds"]]:
                answer = self._api.describe_update(name=place.cluster, updateId=update_id, **of)
                found.append(_update(dict(answer["update"])))
        return sorted(found, key=lambda one: (one.created, one.id), reverse=True)

    @translated
    def change_access(self, cluster: str, public_access_cidrs: list[str], token: str) -> str | None:
        """Who may reach the Kubernetes API from the internet."""
        with Tolerate(IN_USE):
            answer = self._api.update_cluster_config(
                name=cluster,
                resourcesVpcConfig={"publicAccessCidrs": public_access_cidrs},
                clientRequestToken=token,
            )
            return answer["update"].get("id")
        return None

    @translated
    def change_version(self, cluster: str, version: str, token: str) -> str | None:
        """The control plane's Kubernetes version, one minor up."""
        with Tolerate(IN_USE):
            answer = self._api.update_cluster_version(name=cluster, version=version, clientRequestToken=token)
            return answer["update"].get("id")
        return None

    @translated
    def change_size(self, cluster: str, group: str, count: int, token: str) -> str | None:
        """How many nodes a group has, neither fewer nor more."""
        with Tolerate(IN_USE):
            answer = self._api.update_nodegroup_config(
                clusterName=cluster,
                nodegroupName=group,
                scalingConfig={"minSize": count, "maxSize": count, "desiredSize": count},
                clientRequestToken=token,
            )
            return answer["update"].get("id")
        return None

    @translated
    def change_node_version(self, cluster: str, group: str, version: str, token: str) -> str | None:
        """The nodes' Kubernetes version: they are exchanged one after the other."""
        with Tolerate(IN_USE):
            answer = self._api.update_nodegroup_version(
                clusterName=cluster, nodegroupName=group, version=version, clientRequestToken=token
            )
            return answer["update"].get("id")
        return None

    @translated
    def change_addon_version(
        self, cluster: str, name: str, version: str, configuration_text: str, token: str
    ) -> str | None:
        """Another version of an add-on, with this configuration; what people changed in the cluster stays."""
        kept: dict[str, Any] = {"configurationValues": configuration_text} if configuration_text else {}
        with Tolerate(IN_USE):
            answer = self._api.update_addon(
                clusterName=cluster,
                addonName=name,
                addonVersion=version,
                resolveConflicts="PRESERVE",
                clientRequestToken=token,
                **kept,
            )
            return answer["update"].get("id")
        return None

    @translated
    def default_addon_version(self, name: str, kubernetes_version: str) -> str | None:
        """EKS's default version of an add-on for a Kubernetes version; None when it names none."""
        pages = self._api.get_paginator("describe_addon_versions").paginate(
            addonName=name, kubernetesVersion=kubernetes_version
        )
        for page in pages:
            for addon in page["addons"]:
                for one in addon.get("addonVersions", []):
                    if any(_is_default(dict(fit), kubernetes_version) for fit in one.get("compatibilities", [])):
                        return one.get("addonVersion")
        return None


def _is_default(compatibility: Mapping[str, Any], kubernetes_version: str) -> bool:
    return compatibility.get("clusterVersion") == kubernetes_version and bool(compatibility.get("defaultVersion"))


def _update(one: dict[str, Any]) -> Update:
    return Update(
        one["id"],
        one.get("type", ""),
        one.get("status", ""),
        one["createdAt"].timestamp() if one.get("createdAt") else 0.0,
        {str(param.get("type", "")): str(param.get("value", "")) for param in one.get("params") or []},
        tuple(
            f"{error.get('errorCode', '')}: {error.get('errorMessage', '')}"[:300] for error in one.get("errors") or []
        ),
    )
