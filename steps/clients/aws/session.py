"""One botocore session per target account and region: its credentials and its clients, made when first needed.

Clients are safe to share between threads, sessions are not: a lock guards everything that touches the session.
boto3's session is made on one of botocore's, which is where credentials of an assumed role can be put.
The service models (tens of megabytes as Python objects) are read through one loader shared by all targets.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, CredentialResolver, DeferredRefreshableCredentials
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader

from steps.clients.aws.answers import check_answer
from steps.gate import pass_gate

SESSION_NAME = "podium"
USER_AGENT = "podium/0.1.0"
ATTEMPTS = 6
"""Tries per call within botocore (its `standard` mode: throttling, 5xx and broken connections, with back-off)."""
CONNECT_SECONDS = 10
READ_SECONDS = 60


Hook = Callable[..., Any]
"""Called with keywords at an event of botocore (botocore documentation, "Event system")."""


@dataclass(frozen=True)
class AwsTarget:
    """Where to install: a region, and the role to assume there (None: the environment's own credentials)."""

    region: str
    role_arn: str | None = None
    external_id: str | None = None


@dataclass(frozen=True)
class Patience:
    """`attempts`: tries per call within botocore; `read_seconds`: how long each may stay without an answer."""

    attempts: int = ATTEMPTS
    read_seconds: float = READ_SECONDS


@cache
def _shared_loader() -> Loader:
    """The reader, and cache, of botocore's service models."""
    loader: Loader = botocore.session.get_session().get_component("data_loader")
    return loader


class _RoleProvider:
    """Credentials of an assumed role, renewed by botocore before they expire."""

    METHOD = "podium-assume-role"

    def __init__(self, target: AwsTarget, role_arn: str, patience: Patience) -> None:
        self._target = target
        self._role_arn = role_arn
        self._patience = patience

    def load(self) -> DeferredRefreshableCredentials:
        """Assume the role with the environment's credentials; asks AWS only when the credentials are first used."""
        source = _plain_session()
        credentials = source.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        region = self._target.region

        def client(service: str, **options: Any) -> Any:
            return source.create_client(
                service, **(options | {"region_name": region, "config": _config(self._patience)})
            )

        arguments = {"RoleSessionName": SESSION_NAME}
        if self._target.external_id:
            arguments["ExternalId"] = self._target.external_id
        fetcher = AssumeRoleCredentialFetcher(client, credentials, self._role_arn, extra_args=arguments, cache={})
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)


def _plain_session() -> botocore.session.Session:
    session = botocore.session.get_session()
    session.register_component("data_loader", _shared_loader())
    session.register("after-call", check_answer)
    return session


def _pass_gate(**_request: Any) -> None:
    """Before each request, also each repetition and each page: see steps/gate.py."""
    pass_gate()


def _config(patience: Patience) -> Config:
    return Config(
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=patience.read_seconds,
        user_agent_extra=USER_AGENT,
    )


class Connection:
    """The clients of one target by service name. Thread-safe."""

    def __init__(self, target: AwsTarget, patience: Patience, hooks: Mapping[str, Hook] | None = None) -> None:
        """`hooks`: by botocore's event, e.g. `before-call`; what a client of this connection has to pass."""
        self.target = target
        self._patience = patience
        self._hooks = dict(hooks or {})
        self._lock = threading.RLock()
        self._session: boto3.Session | None = None
        self._clients: dict[str, Any] = {}
        self.principal: str | None = None
        """ARN of the identity in use, once known: named in the remedy when access is denied."""

    def client(self, service: str) -> Any:
        """The boto3 client of `service` (boto3's name), made at the first call."""
        with self._lock:
            if service not in self._clients:
                create: Any = self._opened().client  # boto3's stubs overload it for each literal name
                self._clients[service] = create(service, region_name=self.target.region, config=_config(self._patience))
            return self._clients[service]

    def forget(self) -> None:
        """Drop clients and credentials, so that the next call reads the environment's credentials anew."""
        with self._lock:
            clients, self._clients, self._session, self.principal = list(self._clients.values()), {}, None, None
        for client in clients:
            client.close()

    def _opened(self) -> boto3.Session:
        if self._session is None:
            plain = _plain_session()
            if self.target.role_arn:
                provider: Any = _RoleProvider(self.target, self.target.role_arn, self._patience)
                plain.register_component("credential_provider", CredentialResolver([provider]))
            plain.register("before-send", _pass_gate)
            for event, hook in self._hooks.items():
                plain.register(event, hook)
            self._session = boto3.Session(botocore_session=plain)
        return self._session
