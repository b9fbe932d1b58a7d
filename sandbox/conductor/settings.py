"""What the container reads from its environment, by the names that the real one uses."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict


class StartError(Exception):
    """The container cannot start; the message is the one line that goes to its log. Never holds a secret."""


@dataclass(frozen=True)
class Settings:
    """Settings of one Conductor process."""

    database_url: str
    """PostgreSQL URL of Conductor's own database (DBOS__CONDUCTOR_DB_URL)."""
    licensed: bool
    """Without a licence key one executor per application is let in."""
    host_id: str
    """What other instances would reach this one by (DBOS__ADVERTISE_ADDRESS); marks the executors connected here."""
    alone: bool
    """No address is advertised, so there is one instance only and every executor is ours."""
    api: bool
    """False: a Conductor from before the HTTP API, without /v2 (CONDUCTOR_API=none)."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Reads and checks the environment. Raises `StartError`."""
        if environ.get("DBOS_OAUTH_ENABLED", "").lower() == "true":
            raise StartError("OAuth is switched on, which this stand-in does not offer")
        advertised = environ.get("DBOS__ADVERTISE_ADDRESS", "")
        return cls(
            database_url=_database_url(environ),
            licensed=_licensed(environ.get("DBOS_CONDUCTOR_LICENSE_KEY", "")),
            host_id=advertised or socket.gethostname(),
            alone=not advertised,
            api=environ.get("CONDUCTOR_API", "") != "none",
        )


def _database_url(environ: Mapping[str, str]) -> str:
    url = environ.get("DBOS__CONDUCTOR_DB_URL", "")
    if not url:
        raise StartError("DBOS__CONDUCTOR_DB_URL is not set")
    try:
        conninfo_to_dict(url)
    except ProgrammingError:
        # libpq's message quotes the part it could not read, which may be the password.
        raise StartError("DBOS__CONDUCTOR_DB_URL is not a PostgreSQL connection string") from None
    return url


def _licensed(key: str) -> bool:
    """Stands for the question that the real one asks https://cloud.dbos.dev at start; it ends when it is told no."""
    if key.startswith("invalid"):
        raise StartError("license validation failed: the license key was refused by https://cloud.dbos.dev")
    return bool(key)
