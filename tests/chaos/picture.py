"""What is there after an operation, seen from outside with nothing of Podium's, in the form for comparing runs."""

import difflib
from collections.abc import Mapping

import psycopg

from tests.chaos.aws_picture import aws_picture
from tests.chaos.cluster_picture import cluster_picture, conductor_picture
from tests.chaos.normal import lines
from tests.e2e.outside import Cloud, Cluster

DATABASES = "SELECT datname, pg_get_userbyid(datdba), datacl::text FROM pg_database WHERE datname NOT LIKE 'template%'"
ROLES = (
    "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolcanlogin FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'"
)
MEMBERS = "SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members"
TABLES = (
    "SELECT nspname, relname, relkind, pg_get_userbyid(relowner), relacl::text FROM pg_class"
    " JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
)


def installed_picture(env: Mapping[str, str]) -> list[str]:
    """Of an installation that is ready: AWS, Kubernetes, Conductor, the databases. One line per thing."""
    cluster = Cluster(dict(env))
    try:
        found = cluster_picture(cluster) | conductor_picture(cluster)
    finally:
        cluster.http.close()
    return lines(aws_picture(Cloud(dict(env))) | found | postgres_picture(env["SANDBOX_POSTGRES_URL"]))


def differences(alive: list[str], crashed: list[str]) -> list[str]:
    """Lines that only one of them has: `-` of the run without a crash, `+` of the other."""
    return [line for line in difflib.ndiff(alive, crashed) if line[0] in "-+"]


def account_picture(env: Mapping[str, str]) -> list[str]:
    """Of the account alone: after an uninstall there is nothing else."""
    return lines(aws_picture(Cloud(dict(env))))


def postgres_picture(url: str) -> dict[str, list[object]]:
    """Databases, roles, who is whose member, and every table with its owner and grants."""
    found: dict[str, list[object]] = {}
    with psycopg.connect(url, autocommit=True) as connection:
        found["pg databases"] = [list(row) for row in connection.execute(DATABASES)]
        found["pg roles"] = [list(row) for row in connection.execute(ROLES)]
        found["pg members"] = [list(row) for row in connection.execute(MEMBERS)]
        names = [str(row[0]) for row in connection.execute(DATABASES)]
    found["pg tables"] = []
    for name in names:
        with psycopg.connect(url, dbname=name, autocommit=True) as connection:
            found["pg tables"] += [[name, *row] for row in connection.execute(TABLES)]
    return found
