"""Preflight of what AWS offers in the region: Kubernetes version, zones, instance types, PostgreSQL versions."""

from steps.clients.aws import Aws
from steps.clients.aws.eks import Version
from steps.errors import Code
from steps.findings import Findings
from steps.names import Owner
from steps.wanted import Wanted

GUIDE_VERSION = "1.31"
ZONES_WITHOUT_EKS = frozenset({"use1-az3", "usw1-az2", "cac1-az3"})
"""https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html#network-requirements-subnets"""


def check_kubernetes_version(aws: Aws, _owner: Owner, wanted: Wanted, findings: Findings) -> None:
    """Fact `kubernetes_version`: the one asked for, else the guide's while EKS offers it, else EKS's default."""
    if wanted.existing_cluster:
        found = aws.eks.cluster(wanted.existing_cluster)
        findings.facts["kubernetes_version"] = found.version if found else ""
        return
    offered = {one.version: one for one in aws.eks.versions() if one.support != "unsupported"}
    version = _choose(wanted.kubernetes_version, offered)
    if version is None:
        findings.problem(
            Code.INVALID_SPEC,
            "cluster.version",
            f"EKS does not offer Kubernetes {wanted.kubernetes_version or GUIDE_VERSION} in {aws.region}",
            f"Choose one of {', '.join(sorted(offered, key=_order))}.",
        )
        return
    findings.facts["kubernetes_version"] = version
    if offered[version].support == "extended":
        findings.warn(
            "EXTENDED_SUPPORT",
            "cluster.version",
            f"Kubernetes {version} is in EKS's extended support, which costs more; "
            f"in standard support: {', '.join(_in_standard_support(offered))}",
        )


def check_zones(aws: Aws, _owner: Owner, wanted: Wanted, findings: Findings) -> None:
    """Fact `zones`: as many as wanted, of those where EKS runs and the instance type is offered."""
    if wanted.existing_vpc_id:
        return
    zones = [zone.name for zone in aws.catalog.zones() if zone.id not in ZONES_WITHOUT_EKS]
    if wanted.existing_cluster is None:
        offering = aws.catalog.zones_offering(wanted.instance_type)
        zones = [zone for zone in zones if zone in offering]
    if len(zones) >= wanted.zones:
        findings.facts["zones"] = zones[: wanted.zones]
        return
    where = f"only in {', '.join(zones)}" if zones else "nowhere"
    findings.problem(
        Code.INVALID_SPEC,
        "nodes.instance_type",
        f"instance type {wanted.instance_type} is offered {where} in {aws.region}; {wanted.zones} zones are needed",
        "Choose another instance type (t3.medium is offered almost everywhere), fewer zones, or another region.",
    )


def check_database(aws: Aws, _owner: Owner, wanted: Wanted, findings: Findings) -> None:
    """RDS offers the PostgreSQL version, and the instance class for it."""
    if not wanted.make_database:
        return
    offered = aws.rds.engine_versions()
    matching = [one for one in offered if one == wanted.engine_version or one.startswith(wanted.engine_version + ".")]
    if not matching:
        majors = sorted({one.split(".")[0] for one in offered}, key=int)
        findings.problem(
            Code.INVALID_SPEC,
            "database.engine_version",
            f"RDS does not offer PostgreSQL {wanted.engine_version} in {aws.region}",
            f"Choose a version of {', '.join(majors)}.",
        )
        return
    newest = max(matching, key=_order)
    if not aws.rds.offers(newest, wanted.instance_class):
        findings.problem(
            Code.INVALID_SPEC,
            "database.instance_class",
            f"RDS does not offer {wanted.instance_class} for PostgreSQL {newest} in {aws.region}",
            "Choose another class, e.g. db.t4g.micro or db.t3.micro.",
        )


def _choose(wanted: str | None, offered: dict[str, Version]) -> str | None:
    if wanted is not None:
        return wanted if wanted in offered else None
    if GUIDE_VERSION in offered:
        return GUIDE_VERSION
    defaults = [one.version for one in offered.values() if one.default]
    return next(iter(defaults), None) or max(offered, key=_order, default=None)


def _in_standard_support(offered: dict[str, Version]) -> list[str]:
    return sorted((one.version for one in offered.values() if one.support == "standard"), key=_order)


def _order(version: str) -> list[int]:
    """1.9 before 1.10."""
    return [int(part) for part in version.split(".") if part.isdigit()]
