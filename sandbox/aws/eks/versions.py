"""Kubernetes versions on EKS as of November 2026, and what DescribeClusterVersions says about them.

Dates up to 1.35 are from the EKS User Guide, "Understand the Kubernetes version lifecycle on EKS" (standard support 14
months, extended support 12 more). 1.31 is in extended support, so that its warning can be seen. With real Kubernetes
behind EKS only the version of its programs is offered.
"""

import datetime
from dataclasses import dataclass
from typing import Any

from sandbox.aws.eks import control_planes
from sandbox.aws.eks.store import invalid

DEFAULT = "1.34"


@dataclass(frozen=True)
class Version:
    minor: str
    patch: str
    released: datetime.date
    standard_until: datetime.date
    extended_until: datetime.date
    status: str

    def wire(self) -> dict[str, Any]:
        return {
            "clusterVersion": self.minor,
            "clusterType": "eks",
            "defaultPlatformVersion": "eks.9",
            "defaultVersion": self.minor == DEFAULT,
            "kubernetesPatchVersion": self.patch,
            "releaseDate": _epoch(self.released),
            "endOfStandardSupportDate": _epoch(self.standard_until),
            "endOfExtendedSupportDate": _epoch(self.extended_until),
            "status": self.status,
            "versionStatus": self.status.upper().replace("-", "_"),
        }


def _version(minor: str, patch: str, dates: tuple[str, str, str], status: str) -> Version:
    released, standard, extended = (datetime.date.fromisoformat(date) for date in dates)
    return Version(minor, patch, released, standard, extended, status)


STANDARD, EXTENDED = "standard-support", "extended-support"
_ALL = [
    _version("1.35", "1.35.3", ("2026-01-27", "2027-03-27", "2028-03-27"), STANDARD),
    _version("1.34", "1.34.6", ("2025-10-02", "2026-12-02", "2027-12-02"), STANDARD),
    _version("1.33", "1.33.9", ("2025-05-29", "2026-07-29", "2027-07-29"), EXTENDED),
    _version("1.32", "1.32.13", ("2025-01-23", "2026-03-23", "2027-03-23"), EXTENDED),
    _version("1.31", "1.31.14", ("2024-09-26", "2025-11-26", "2026-11-26"), EXTENDED),
]
_ONLY = control_planes.chosen().version
VERSIONS = [version for version in _ALL if _ONLY in ("", version.minor)]
OFFERED = [version.minor for version in VERSIONS]


def check(version: str) -> str:
    """`version` itself; raises AwsError when EKS does not offer it."""
    if version not in OFFERED:
        raise invalid(f"unsupported Kubernetes version {version}")
    return version


def patch_of(minor: str) -> str:
    return next(version.patch for version in VERSIONS if version.minor == minor)


def git_version(minor: str) -> str:
    """What the API server and kubelets of a cluster of that version say."""
    return f"v{patch_of(minor)}-eks-5a1f3c2"


def _epoch(date: datetime.date) -> float:
    return datetime.datetime(date.year, date.month, date.day, tzinfo=datetime.UTC).timestamp()
