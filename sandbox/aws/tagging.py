"""Resource Groups Tagging API: what moto forgets.

Gap: moto's GetResources misses EKS, ECR, elastic IPs, launch templates, VPC endpoints and DB subnet groups (Resource
Groups Tagging API Reference, "Services that support the API"). IAM roles stay left out: we believe AWS omits them too.
"""

from collections.abc import Iterator
from typing import Any

import moto.resourcegroupstaggingapi.models as moto_tagging
from moto.core.resource_tagging import TaggedResource
from moto.ecr.models import ecr_backends
from moto.rds.models import rds_backends

from sandbox.aws.ec2.backend import ec2_of
from sandbox.aws.eks.store import Store


class _Missing:
    """Looks to moto like one more backend."""

    def __init__(self, store: Store, account: str, region: str) -> None:
        self._store = store
        self._account = account
        self._region = region

    def owns_arn(self, arn: str) -> bool:
        return False

    def iter_tagged_resources(self) -> Iterator[TaggedResource]:
        yield from self._eks()
        yield from self._ec2()
        yield from self._ecr()
        for group in rds_backends[self._account][self._region].subnet_groups.values():
            tags = {tag["Key"]: tag["Value"] for tag in group.get_tags()}
            yield TaggedResource(group.arn, tags, "rds:subgrp")

    def _eks(self) -> Iterator[TaggedResource]:
        for cluster in self._store.within(self._account, self._region):
            for arn, wire in cluster.taggable().items():
                yield TaggedResource(arn, dict(wire["tags"]), "eks:" + arn.split(":")[5].split("/")[0])

    def _ec2(self) -> Iterator[TaggedResource]:
        ec2 = ec2_of(self._account, self._region)
        kinds: dict[str, list[Any]] = {
            "elastic-ip": list(ec2.addresses),
            "launch-template": list(ec2.launch_templates.values()),
            "vpc-endpoint": [point for point in ec2.vpc_end_points.values() if point.state != "deleted"],
        }
        for kind, found in kinds.items():
            for item in found:
                tags = {tag["key"]: tag["value"] for tag in item.get_tags()}
                yield TaggedResource(
                    f"arn:aws:ec2:{self._region}:{self._account}:{kind}/{item.id}", tags, f"ec2:{kind}"
                )

    def _ecr(self) -> Iterator[TaggedResource]:
        backend = ecr_backends[self._account][self._region]
        for repository in backend.repositories.values():
            tags = backend.tagger.get_tag_dict_for_resource(repository.arn)
            yield TaggedResource(repository.arn, tags, "ecr:repository")


def install(store: Store) -> None:
    """Add what is missing to what moto walks through."""
    of_moto = moto_tagging.iter_taggable_backends

    def with_missing(account: str, region: str) -> Iterator[Any]:
        yield from of_moto(account, region)
        yield _Missing(store, account, region)

    moto_tagging.iter_taggable_backends = with_missing
