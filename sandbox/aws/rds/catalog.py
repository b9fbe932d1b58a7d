"""Engine versions and instance classes that RDS offers for PostgreSQL, and what may not be asked for.

Gap: moto takes any version and class (Amazon RDS for PostgreSQL Release Notes, "PostgreSQL releases"; Amazon RDS User
Guide, "Settings for DB instances"). Minor versions are plausible for November 2026.
"""

import re
from typing import Any

from moto.rds.exceptions import RDSClientError

VERSIONS = {
    "14": ["14.20", "14.22"],
    "15": ["15.15", "15.17"],
    "16": ["16.9", "16.10", "16.11", "16.13"],
    "17": ["17.5", "17.6", "17.7", "17.9"],
    "18": ["18.1", "18.3"],
}
DEFAULT_MAJOR = "17"
CLASSES = [
    f"db.{family}.{size}"
    for family, sizes in {
        "t3": ("micro", "small", "medium", "large", "xlarge", "2xlarge"),
        "t4g": ("micro", "small", "medium", "large", "xlarge", "2xlarge"),
        "m6g": ("large", "xlarge", "2xlarge", "4xlarge"),
        "m7g": ("large", "xlarge", "2xlarge", "4xlarge"),
        "r6g": ("large", "xlarge", "2xlarge", "4xlarge"),
        "r7g": ("large", "xlarge", "2xlarge", "4xlarge"),
    }.items()
    for size in sizes
]
RESERVED_USERS = {"admin", "rdsadmin", "rds_superuser", "rdsrepladmin", "rds_password", "user", "select", "table"}
SMALLEST_STORAGE = 20  # GiB


def version(wanted: str | None) -> str:
    """The full version for `16.11`, `16` or None. Raises RDSClientError when RDS does not offer it."""
    text = wanted or DEFAULT_MAJOR
    if text in VERSIONS:
        return VERSIONS[text][-1]
    if text in VERSIONS.get(text.split(".")[0], []):
        return text
    raise RDSClientError("InvalidParameterCombination", f"Cannot find version {text} for postgres")


def check(params: dict[str, Any]) -> None:
    """Check the parameters of CreateDBInstance that need nothing else; raises RDSClientError."""
    name, master = params.get("db_name"), str(params.get("master_username") or "")
    _require(params.get("db_instance_class") in CLASSES, f"Invalid DB Instance class: {params['db_instance_class']}")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", master):
        raise RDSClientError("InvalidParameterValue", "Invalid master user name")
    if master.lower() in RESERVED_USERS:
        message = f"MasterUsername {master} cannot be used as it is a reserved word used by the engine"
        raise RDSClientError("InvalidParameterValue", message)
    _require(not name or re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", name), "DBName must begin with a letter")
    _check_password(params)
    storage = int(params.get("allocated_storage") or 0)
    if storage < SMALLEST_STORAGE:
        message = f"Invalid storage size for engine name postgres and storage type gp2: {storage}"
        raise RDSClientError("InvalidParameterCombination", message)


def _check_password(params: dict[str, Any]) -> None:
    password = params.get("master_user_password")
    if params.get("manage_master_user_password"):
        if password:
            message = "You can't specify MasterUserPassword when you use ManageMasterUserPassword."
            raise RDSClientError("InvalidParameterCombination", message)
    else:
        _require(password and 8 <= len(password) <= 128, "The parameter MasterUserPassword is not a valid password.")


def _require(fine: Any, message: str) -> None:
    if not fine:
        raise RDSClientError("InvalidParameterValue", message)


def engine_versions(engine: str | None, wanted: str | None) -> list[dict[str, Any]]:
    """DescribeDBEngineVersions: newest last; `wanted` is a full version or a major one."""
    if engine not in (None, "postgres"):
        return []
    return [
        {
            "Engine": "postgres",
            "MajorEngineVersion": major,
            "EngineVersion": minor,
            "DBParameterGroupFamily": f"postgres{major}",
            "DBEngineDescription": "PostgreSQL",
            "DBEngineVersionDescription": f"PostgreSQL {minor}",
            "Status": "available",
            "SupportedCACertificateIdentifiers": ["rds-ca-rsa2048-g1", "rds-ca-ecc384-g1", "rds-ca-rsa4096-g1"],
        }
        for major, minors in VERSIONS.items()
        for minor in minors
        if wanted in (None, "", major, minor)
    ]


def orderable(engine: str, wanted: str | None, zones: list[str]) -> list[dict[str, Any]]:
    """DescribeOrderableDBInstanceOptions."""
    return [
        {
            "Engine": "postgres",
            "EngineVersion": found["EngineVersion"],
            "DBInstanceClass": name,
            "LicenseModel": "postgresql-license",
            "AvailabilityZones": [{"Name": zone} for zone in zones],
            "Vpc": True,
            "StorageType": "gp3",
            "MinStorageSize": SMALLEST_STORAGE,
            "MaxStorageSize": 65536,
            "SupportsStorageEncryption": True,
        }
        for found in engine_versions(engine, wanted)
        for name in CLASSES
    ]
