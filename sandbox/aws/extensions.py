"""Makes moto use our subclasses, and puts EKS and the database servers beside it.

Imports moto, so it is imported only when moto's settings are in place.
"""

import re
from typing import Any

import moto.iam.models

from sandbox.aws import ecr, elb, elbv2, kms, pricing, tagging
from sandbox.aws.cloud import Cloud
from sandbox.aws.control import Control, Query
from sandbox.aws.credentials import ACCOUNT
from sandbox.aws.ec2 import backend as ec2
from sandbox.aws.eks import access, instances, operations
from sandbox.aws.eks.machines import NoMachines
from sandbox.aws.eks.processes import Processes
from sandbox.aws.eks.service import Eks
from sandbox.aws.moto_base import SandboxBackend
from sandbox.aws.rds import backend as rds
from sandbox.aws.rds.servers import DatabaseServers


class Extensions:
    """Call once per process, before moto's first backend is made."""

    def __init__(
        self, cloud: Cloud, control: Control, databases: DatabaseServers, *, region: str, with_clusters: bool
    ) -> None:
        self._cloud = cloud
        self._region = region
        self.eks = Eks(cloud, Processes(cloud) if with_clusters else NoMachines(cloud.home))
        self._databases = databases
        SandboxBackend.cloud = cloud
        # moto looks for an access key in every partition, and makes an IAM of 4 MB of managed policies in each.
        moto.iam.models.PARTITION_NAMES = ["aws"]
        ec2.install(cloud.lifecycle)
        elb.install(cloud.lifecycle)
        elbv2.install(cloud.lifecycle)
        ecr.install()
        kms.install()
        rds.install(cloud.lifecycle, databases)
        operations.install(self.eks)
        tagging.install(self.eks.store)
        control.add("GET", "/clusters/([^/]+)/access", self._cluster_access)
        control.add("POST", "/images", self._push_image)

    def handlers(self) -> dict[str, Any]:
        """Operations that are ours, by "service:Operation" or "service:*"."""
        return {"eks:*": self.eks.answer, "pricing:*": pricing.answer}

    def resume(self) -> None:
        """Start what runs behind the state, saved or new."""
        rds.resume(self._databases)
        for cluster in self.eks.store.clusters.values():
            self.eks.machines.start_api(cluster)
            if "endpoint" in cluster.wire:
                cluster.wire["endpoint"] = f"https://127.0.0.1:{cluster.port}"
            for group in cluster.nodegroups.values():
                instances.resume(self.eks, cluster, group)

    def tick(self) -> None:
        """What is done every moment, with the lock held."""
        instances.tick(self.eks)
        self.eks.machines.watch()
        self._databases.watch()

    def close(self) -> None:
        """Stop every process behind EKS; their state stays."""
        self.eks.machines.close()

    def _cluster_access(self, query: Query, body: Any, path: re.Match[str]) -> Any:
        account, region = query.get("account", ACCOUNT), query.get("region", self._region)
        with self._cloud.lock:
            return access.principals(self.eks.store.cluster(account, region, path[1]))

    def _push_image(self, query: Query, body: Any, path: re.Match[str]) -> Any:
        """{"repository": ..., "tag": "latest", "region"?, "account"?}."""
        account, region = body.get("account", ACCOUNT), body.get("region", self._region)
        with self._cloud.lock:
            ecr.push(ecr.backend_of(account, region), body["repository"], body.get("tag", "latest"))
            self._cloud.lifecycle.on_change()
        return {"pushed": f"{body['repository']}:{body.get('tag', 'latest')}"}
