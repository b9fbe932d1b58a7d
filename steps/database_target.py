"""Where the PostgreSQL server is, and the connection URLs made from that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class DatabaseTarget:
    """A server and its administrator. `master_secret` is a reference into the secret store, not the password."""

    host: str
    port: int
    sslmode: str
    master_secret: Mapping[str, Any]
    master_username: str = "postgres"

    def url(self, role: str, password: str, database: str) -> str:
        """A libpq URL; role and password are percent-encoded."""
        user = f"{quote(role, safe='')}:{quote(password, safe='')}"
        return f"postgresql://{user}@{self.host}:{self.port}/{database}?sslmode={self.sslmode}"
