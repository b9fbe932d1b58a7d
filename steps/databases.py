"""The guide's databases, roles and grants, made by a Job in the cluster: only there the server can be reached.

The SQL may run any number of times. Passwords reach the Job through a Secret that is deleted after it, those of the
two roles as SCRAM verifiers: PostgreSQL stores them as they are, and no server log ever shows a password.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Any

from steps import jobs, manifests, objects
from steps.clients.aws import Aws
from steps.clients.kubernetes import Kube, Object
from steps.database_target import DatabaseTarget
from steps.names import Owner
from steps.secret_store import SecretStore
from steps.waiting import Pending

__all__ = ["DatabaseTarget", "await_job", "clean_up", "delete_databases_job", "ensure_job", "ensure_separation_job"]

COMPONENT = "databases"
SETUP = "podium-db-setup"
SEPARATION = "podium-db-separation"
SCRAM_ITERATIONS = 4096
"""PostgreSQL's own default (`scram_iterations`)."""


def ensure_job(
    kube: Kube,
    aws: Aws,
    owner: Owner,
    namespace: str,
    target: DatabaseTarget,
    passwords: Mapping[str, Mapping[str, Any]],
    generation: str,
) -> str:
    """Start the Job that makes databases, roles and grants; its name. `passwords` has references `conductor`, `app`."""
    store = SecretStore(aws)
    values = {
        "PGPASSWORD": store.get(target.master_secret),
        "CONDUCTOR_VERIFIER": scram_verifier(store.get(passwords["conductor"])),
        "APP_VERIFIER": scram_verifier(store.get(passwords["app"])),
    }
    return _ensure(kube, owner, namespace, SETUP, "databases.sql", target, values, generation)


def ensure_separation_job(
    kube: Kube,
    aws: Aws,
    owner: Owner,
    namespace: str,
    target: DatabaseTarget,
    app_password: Mapping[str, Any],
    generation: str,
) -> str:
    """Start the Job that tries, as the application's role, to change the schema; it fails if that works. Its name."""
    values = {"PGPASSWORD": SecretStore(aws).get(app_password)}
    return _ensure(kube, owner, namespace, SEPARATION, "separation.sql", target, values, generation)


def await_job(kube: Kube, namespace: str, job: str) -> dict[str, Any] | Pending:
    """`{"succeeded": 1, "tries": n}` when complete. See `jobs.await_job` for the errors."""
    return jobs.await_job(kube, namespace, job)


def clean_up(kube: Kube, owner: Owner, namespace: str) -> None:
    """Delete the Jobs with their pods, the Secrets they read and the SQL."""
    jobs.delete_jobs(kube, owner, namespace, COMPONENT)
    for name in (SETUP, SEPARATION):
        objects.delete(kube, owner, "Secret", name, namespace)
        objects.delete(kube, owner, "ConfigMap", name, namespace)


def delete_databases_job(kube: Kube, owner: Owner, namespace: str) -> None:
    """For the uninstall: as `clean_up`. The databases themselves go with the server, or stay on an existing one."""
    clean_up(kube, owner, namespace)


def scram_verifier(password: str) -> str:
    """What PostgreSQL stores of a password (RFC 5803; PostgreSQL documentation, "pg_authid")."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    first, second, third = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{first}${second}:{third}"


def _ensure(
    kube: Kube,
    owner: Owner,
    namespace: str,
    purpose: str,
    sql: str,
    target: DatabaseTarget,
    values: Mapping[str, str],
    generation: str,
) -> str:
    parts = objects.load(COMPONENT, owner, namespace)
    sql_map, job = parts["ConfigMap"], parts["Job"]
    sql_map["metadata"]["name"] = purpose
    sql_map["data"] = {"run.sql": manifests.text(sql)}
    job["metadata"]["name"] = jobs.job_name(purpose, generation)
    job["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"] = purpose
    _set_connection(job, purpose, target, secret_keys=list(values))
    objects.apply(kube, owner, _secret(owner, namespace, purpose, values))
    objects.apply(kube, owner, sql_map)
    return jobs.ensure_job(kube, owner, job)


def _set_connection(job: Object, purpose: str, target: DatabaseTarget, *, secret_keys: list[str]) -> None:
    """Server, user and database as plain variables; of the secret ones those that this Job reads, from its Secret."""
    as_app = purpose == SEPARATION
    objects.set_env(job, "PGHOST", target.host)
    objects.set_env(job, "PGPORT", str(target.port))
    objects.set_env(job, "PGUSER", "dbos_app_role" if as_app else target.master_username)
    objects.set_env(job, "PGDATABASE", "dbos_app" if as_app else "postgres")
    objects.set_env(job, "PGSSLMODE", target.sslmode)
    container = objects.container(job)
    container["env"] = [each for each in container["env"] if "value" in each or each["name"] in secret_keys]
    for variable in container["env"]:
        if "valueFrom" in variable:
            variable["valueFrom"]["secretKeyRef"]["name"] = purpose


def _secret(owner: Owner, namespace: str, name: str, values: Mapping[str, str]) -> Object:
    secret: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }
    return objects.label(secret, owner, COMPONENT)
