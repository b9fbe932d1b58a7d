"""What phases learn and later phases need: small JSON values, never a secret, merged into one dictionary."""

from typing import Any, TypedDict


class Facts(TypedDict, total=False):
    """Each phase returns some of these; a phase may read those of the phases it needs."""

    account_id: str
    kubernetes_version: str
    """Of the cluster, once there is one."""
    node_group: str
    """The node group's real name, where a change has made it another than the spec's."""
    zones: list[str]
    warnings: list[dict[str, Any]]

    vpc_id: str
    public_subnet_ids: list[str]
    private_subnet_ids: list[str]
    nat_public_ip: str

    cluster_role_arn: str
    node_role_arn: str

    cluster_name: str
    cluster_endpoint: str
    cluster_ca: str
    cluster_security_group_id: str
    oidc_issuer: str

    database_security_group_id: str | None
    db_host: str
    db_port: int
    db_master_username: str
    db_master_secret: dict[str, Any]
    conductor_role_password: dict[str, Any]
    app_role_password: dict[str, Any]

    app_image: str
    migrate_image: str

    load_balancer_host: str
    load_balancer_port: int

    smoke_test: dict[str, Any]

    final_snapshot: dict[str, Any] | None
    left: list[dict[str, Any]]
    proof: dict[str, Any]


_SHOWN = (
    "cluster_name",
    "cluster_endpoint",
    "vpc_id",
    "kubernetes_version",
    "nat_public_ip",
    "app_image",
    "smoke_test",
)


def outputs(facts: Facts, *, conductor_path: str | None, app_path: str | None) -> dict[str, Any]:
    """What the API shows of a finished installation. Paths are None when nothing is exposed."""
    shown: dict[str, Any] = {key: value for key, value in facts.items() if key in _SHOWN}
    shown["database_host"] = facts.get("db_host")
    shown["database_port"] = facts.get("db_port")
    if "load_balancer_host" in facts and conductor_path and app_path:
        base = base_url(facts["load_balancer_host"], facts["load_balancer_port"])
        shown |= {
            "console_url": f"{base}/",
            "conductor_url": f"{base}{conductor_path}/",
            "app_url": f"{base}{app_path}",
        }
    return shown


def base_url(host: str, port: int) -> str:
    return f"http://{host}" if port == 80 else f"http://{host}:{port}"
