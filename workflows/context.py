"""What running workflows need besides their inputs: the journal, the ledger, and clients of the outside.

DBOS calls workflows by name after a restart, so they cannot be given objects; they find them here. `launch` in
`runtime.py` sets the context once per process, before DBOS recovers anything.
"""

import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa

from steps.clients.aws import Aws, AwsTarget
from steps.clients.helm import Helm
from steps.clients.kubernetes import Kube
from workflows.graph import Graph
from workflows.journal import Journal
from workflows.lease import Lease
from workflows.ledger import Ledger
from workflows.spec import InstallationSpec


class Clients:
    """Clients of the outside, made once per target and shared by the phases that run side by side."""

    def __init__(self, helm: str) -> None:
        self.helm = Helm(helm)
        self._aws: dict[AwsTarget, Aws] = {}
        self._kube: dict[tuple[AwsTarget, str, str, str], Kube] = {}
        self._lock = threading.Lock()

    def aws(self, spec: InstallationSpec) -> Aws:
        target = AwsTarget(region=spec.aws.region, role_arn=spec.aws.role_arn, external_id=spec.aws.external_id)
        with self._lock:
            if target not in self._aws:
                self._aws[target] = Aws(target)
            return self._aws[target]

    def kube(self, spec: InstallationSpec, cluster: str, endpoint: str, ca: str) -> Kube:
        """`ca` is base64 of the PEM certificate, as EKS gives it."""
        aws = self.aws(spec)
        key = (aws.target, cluster, endpoint, ca)
        with self._lock:
            if key not in self._kube:
                self._kube[key] = Kube(endpoint, ca, partial(_token, aws, cluster))
            return self._kube[key]


def _token(aws: Aws, cluster: str) -> str:
    """A token for the cluster. AWS is asked first who we are: one that was signed with expired credentials looks like
    any other and is only refused by the cluster, but so it raises CredentialsError here."""
    aws.sts.identity()
    return aws.cluster_token(cluster)


@dataclass
class Context:
    """One per process."""

    engine: sa.Engine
    journal: Journal
    ledger: Ledger
    clients: Clients
    graphs: Mapping[str, Graph]
    """By kind of operation: install, uninstall."""
    lease: Lease
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(16, thread_name_prefix="step"))
    calls: dict[tuple[str, str], Future[None]] = field(default_factory=dict)
    """The end of the latest call to the outside of each (installation, phase): an uninstall waits for what an install
    began. Not the call itself: its exception would keep the frames, and the secrets in them, in memory."""


_context: Context | None = None


def set_context(context: Context | None) -> None:
    global _context  # noqa: PLW0603 - see the module's docstring
    _context = context


def context() -> Context:
    if _context is None:
        raise RuntimeError("workflows.runtime.launch() has not been called")
    return _context
