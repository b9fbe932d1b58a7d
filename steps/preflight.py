"""Everything that can be known to go wrong, found before anything is created, and all of it at once.

The checks only read. They run side by side; each yields problems, warnings and facts (`findings.py`).
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from steps import preflight_account as account
from steps import preflight_cluster as cluster
from steps import preflight_names as names
from steps import preflight_offers as offers
from steps.clients.aws import Aws
from steps.errors import PodiumError, TransientError
from steps.findings import Findings, checked
from steps.names import Owner
from steps.wanted import SecretWanted, Wanted

__all__ = ["SecretWanted", "Wanted", "check"]

THREADS = 6

Check = Callable[[Aws, Owner, Wanted, Findings], None]

CHECKS: tuple[tuple[Check, str], ...] = (
    (account.check_region, "aws.region"),
    (account.check_permissions, "aws.role_arn"),
    (account.check_quotas, "aws"),
    (account.check_node_quota, "nodes.instance_type"),
    (offers.check_kubernetes_version, "cluster.version"),
    (offers.check_zones, "nodes.instance_type"),
    (offers.check_database, "database"),
    (names.check_cluster_names, "name"),
    (names.check_database_names, "name"),
    (names.check_repositories, "registry"),
    (names.check_secrets, "secrets"),
    (names.check_existing, "network.existing"),
    (cluster.check_access, cluster.FIELD),
)
"""Each check, and the field of the spec that an unexpected refusal by AWS within it is put down to."""


def check(aws: Aws, owner: Owner, wanted: Wanted) -> dict[str, Any]:
    """{account_id, principal, kubernetes_version, zones: names, warnings: [{code, field, message}]}.

    Raises PREFLIGHT_FAILED with every problem in `details`, TransientError when AWS does not answer.
    """
    return perform(CHECKS, aws, owner, wanted, identify(aws))


def identify(aws: Aws, done: str = "created") -> Findings:
    """Facts `account_id` and `principal`. Raises PREFLIGHT_FAILED when AWS does not say who we are."""
    found = Findings()
    try:
        identity = aws.identity()
    except TransientError:
        raise
    except PodiumError as error:
        found.add_error(error, "aws")
        found.raise_if_any(done)
        raise
    found.facts |= {"account_id": identity.account_id, "principal": identity.arn}
    return found


def perform(
    checks: Iterable[tuple[Check, str]],
    aws: Aws,
    owner: Owner,
    wanted: Wanted,
    found: Findings,
    done: str = "created",
) -> dict[str, Any]:
    """Facts and warnings of all these checks, with those already found. Raises as `check` does."""
    with ThreadPoolExecutor(THREADS, thread_name_prefix="preflight") as pool:
        runs = [pool.submit(checked, partial(one, aws, owner, wanted), where) for one, where in checks]
        for run in runs:
            found.add(run.result())
    found.raise_if_any(done)
    return {**found.facts, "warnings": found.warnings}
