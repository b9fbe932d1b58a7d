"""What preflight has to know of a spec, as plain values (steps know nothing of the spec itself)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SecretWanted:
    """A reference in the spec: the field it stands in, and {secret, version_id, json_key}."""

    field: str
    reference: Mapping[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What an installation is going to use. `existing_*` are None for what Podium makes itself.

    `zones`: how many; `kubernetes_version`: None for the default; `repositories`: names of those to be made;
    `charts`: names of those to be installed.
    """

    zones: int = 2
    existing_vpc_id: str | None = None
    existing_public_subnet_ids: tuple[str, ...] = ()
    existing_private_subnet_ids: tuple[str, ...] = ()
    existing_cluster: str | None = None
    kubernetes_version: str | None = None
    node_group: str = "default"
    instance_type: str = "t3.medium"
    node_count: int = 2
    disk_gib: int = 20
    make_database: bool = True
    engine_version: str = "16"
    instance_class: str = "db.t4g.micro"
    storage_gib: int = 20
    repositories: tuple[str, ...] = ()
    charts: tuple[str, ...] = ()
    secrets: tuple[SecretWanted, ...] = ()
