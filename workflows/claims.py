"""What an installation has for itself and another of this Podium must not use: both would change it by turns.

A cluster, since the three charts and their definitions are there once per cluster; a database server that was there
before, since databases and roles have the guide's names; image repositories. What Podium names itself is distinct by
construction, but for repositories: those of `dbos` and `dbos-conductor` have the same names, the guide's.

Looked at when an operation begins, before anything is made. Two accounts are told apart by the role that is assumed;
the rest (another Podium, the same account without a role) is found by tags and labels in preflight and by each step.
"""

from typing import Any

import sqlalchemy as sa

from workflows.errors import AlreadyInUse
from workflows.install.account import image_repositories
from workflows.spec import InstallationSpec
from workflows.tables import installations

CLAIMS_LOCK = 0x636C61696D73
"""PostgreSQL's advisory lock (the word claims): two requests at once must not both find nobody else."""
Claim = tuple[str, ...]


def check_unclaimed(connection: sa.Connection, spec: InstallationSpec) -> None:
    """Raises AlreadyInUse when other installations of this database, deleted ones aside, claim the same.

    To be called within the transaction that has written the spec.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(CLAIMS_LOCK)))
    mine = claims(spec)
    others = sa.and_(installations.c.name != spec.name, installations.c.state != "DELETED")
    rows = connection.execute(sa.select(installations.c.name, installations.c.spec).where(others))
    found = [_conflict(mine[claim], claim, name) for name, other in rows for claim in _common(mine, other)]
    if found:
        raise AlreadyInUse(found)


def claims(spec: InstallationSpec) -> dict[Claim, str]:
    """Claim to the field of the spec that makes it."""
    account = spec.aws.role_arn.split(":")[4] if spec.aws.role_arn else ""
    given, database = spec.cluster.existing_name, spec.database.existing
    found: dict[Claim, str] = {
        ("cluster", account, spec.aws.region, given or spec.name): "cluster.existing_name" if given else "name"
    }
    if database is not None:
        found["database", database.host.lower().rstrip("."), str(database.port)] = "database.existing.host"
    for image, repository in image_repositories(spec).items():
        found["repository", account, spec.aws.region, repository] = f"registry.{image}_repository"
    return found


def _common(mine: dict[Claim, str], other: dict[str, Any]) -> list[Claim]:
    theirs = claims(InstallationSpec.model_validate(other))
    return [claim for claim in mine if claim in theirs]


def _conflict(field: str, claim: Claim, name: str) -> dict[str, str]:
    what, remedy = {
        "cluster": (
            f"The cluster {claim[-1]}",
            "Use another cluster: ingress-nginx, sealed-secrets and KEDA are one each.",
        ),
        "database": (f"The database server {claim[1]}", "Use another server: databases and roles have fixed names."),
        "repository": (f"The image repository {claim[-1]}", f"Set {field} to another name, or name the image itself."),
    }[claim[0]]
    return {"field": field, "message": f"{what} is used by the installation {name}.", "remedy": remedy}
