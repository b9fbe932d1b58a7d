"""What the service takes from its environment, read once at start-up.

Everything has the prefix PODIUM_, so that `sandbox.env` (or a container's environment) is all a service needs.
AWS's own variables (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL and so on) are read by boto3 and not repeated here.
"""

import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_URL = "http://127.0.0.1:8400"


class SettingsError(Exception):
    """A setting is missing or wrong; the text names the variable and the remedy, never a value that may be secret."""


@dataclass(frozen=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class Settings(BaseSettings):
    """The service's settings; each variable is the field's name in capitals behind PODIUM_."""

    model_config = SettingsConfigDict(
        env_prefix="PODIUM_", frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True
    )

    home: Path = Path(".podium")
    """Folder for what Podium keeps on this machine: the default database, the sandbox."""
    database_url: SecretStr | None = None
    """SQLAlchemy URL of Podium's own database, e.g. postgresql://podium@db/podium; default: SQLite in `home`."""
    url: str = DEFAULT_URL
    """Public URL of the service; it listens on this host and port unless `bind` says otherwise."""
    bind: str | None = None
    """HOST:PORT to listen on when that differs from `url`, e.g. 0.0.0.0:8400 behind a load balancer."""
    api_key: SecretStr | None = None
    """Key that clients send as `Authorization: Bearer`; without one the service listens on 127.0.0.1 only."""
    helm: str = "helm"
    """The helm program: a name on PATH or a path."""
    executor_id: str | None = Field(default=None, max_length=200, pattern=r"^[A-Za-z0-9._-]+$")
    """Name of this worker among those of one database, the same after a restart: a successor takes up at once what its
    predecessor left. Default: this machine's name."""
    worker_bind: str = "127.0.0.1:8401"
    """HOST:PORT where `podium worker` answers /healthz, /readyz and /metrics."""
    heartbeat_seconds: float = Field(default=5.0, ge=0.5, le=60)
    """Seconds between two heartbeats of a worker."""
    dead_after_seconds: float = Field(default=20.0, ge=2, le=600)
    """Seconds without a heartbeat until another worker takes over; at least three heartbeats."""
    drain_seconds: float = Field(default=15.0, ge=0, le=600)
    """Seconds that running steps get to end when a worker is stopped; then their calls are abandoned."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least level that is logged."""

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, level: Any) -> Any:
        return level.upper() if isinstance(level, str) else level

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an http:// or https:// URL such as http://127.0.0.1:8400")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _patient(self) -> Self:
        if self.dead_after_seconds < 3 * self.heartbeat_seconds:
            raise ValueError("PODIUM_DEAD_AFTER_SECONDS must be at least three times PODIUM_HEARTBEAT_SECONDS")
        return self

    @property
    def executor(self) -> str:
        """The worker's name."""
        return self.executor_id or socket.gethostname()

    @property
    def worker_address(self) -> Address:
        """Raises SettingsError when PODIUM_WORKER_BIND is not HOST:PORT."""
        return _address("PODIUM_WORKER_BIND", self.worker_bind)

    @property
    def key(self) -> str | None:
        """The API key itself, or None."""
        return self.api_key.get_secret_value() if self.api_key else None

    @property
    def address(self) -> Address:
        """Raises SettingsError when PODIUM_BIND is not HOST:PORT."""
        if self.bind is None:
            parts = urlsplit(self.url)
            return Address(parts.hostname or "127.0.0.1", parts.port or (443 if parts.scheme == "https" else 80))
        return _address("PODIUM_BIND", self.bind)

    @property
    def database(self) -> str:
        """URL of Podium's own database, in the form SQLAlchemy takes."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home.resolve() / 'podium.sqlite'}"


def _address(variable: str, text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"{variable} must be HOST:PORT, e.g. 0.0.0.0:8400.")
    return Address(host.strip("[]"), int(port))


def load(*, public: bool = True) -> Settings:
    """Reads the environment; raises SettingsError with every problem at once. `public`: whether /v1 is served."""
    try:
        settings = Settings()
    except ValidationError as error:
        lines = [f"{_variable(one['loc'])}{one['msg']}" for one in error.errors()]
        raise SettingsError("\n".join(lines)) from error
    if public:
        check_exposure(settings)
    return settings


def _variable(where: tuple[int | str, ...]) -> str:
    return f"PODIUM_{'.'.join(map(str, where)).upper()}: " if where else ""


def check_exposure(settings: Settings) -> None:
    """Raises SettingsError when anybody on the network could use a service that asks for no key."""
    address = settings.address
    if settings.key is None and not address.is_loopback:
        raise SettingsError(
            f"Without an API key the service listens on 127.0.0.1 only, not on {address.host}. "
            "Set PODIUM_API_KEY to a long random value, or PODIUM_URL to http://127.0.0.1:8400."
        )
