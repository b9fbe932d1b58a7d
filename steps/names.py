"""Names of everything an installation owns: pure functions of the installation's name, never of time or chance.

An installation called `dbos-conductor` gets exactly the guide's names. A crash between a call and its checkpoint
repeats the call, and only a derived name finds what the first one made.
"""

import hashlib
from dataclasses import dataclass

TAG_INSTALLATION = "podium:installation"
TAG_RESOURCE = "podium:resource"


@dataclass(frozen=True)
class Names:
    """AWS names of one installation. `installation` is its name: 3 to 40 characters of a-z, 0-9 and -."""

    installation: str

    @property
    def stem(self) -> str:
        """The name without a trailing `-conductor`: what the guide's image repositories start with."""
        return self.installation.removesuffix("-conductor") or self.installation

    @property
    def cluster(self) -> str:
        return self.installation

    @property
    def cluster_role(self) -> str:
        return f"{self.installation}-cluster"

    @property
    def node_role(self) -> str:
        return f"{self.installation}-node"

    @property
    def db_subnet_group(self) -> str:
        return f"{self.installation}-db"

    @property
    def db_security_group(self) -> str:
        return f"{self.installation}-rds"

    @property
    def db_instance(self) -> str:
        return f"{self.installation}-pg"

    @property
    def app_repository(self) -> str:
        return f"{self.stem}-app"

    @property
    def migrate_repository(self) -> str:
        return f"{self.stem}-migrate"

    def secret(self, purpose: str) -> str:
        """Name in AWS Secrets Manager of a secret that Podium keeps, e.g. `podium/dbos-conductor/license-key`."""
        return f"podium/{self.installation}/{purpose}"


@dataclass(frozen=True)
class Owner:
    """Whose a resource is. `generation` is the operation id: a client token must differ when a resource of the same
    name is made anew after a delete, or AWS answers IdempotentParameterMismatch."""

    installation: str
    generation: str

    @property
    def names(self) -> Names:
        return Names(self.installation)

    def tags(self, resource: str, **extra: str) -> dict[str, str]:
        """Tags for the create call itself; `resource` is the part's stable name, e.g. `vpc` or `subnet-public-a`."""
        return {TAG_INSTALLATION: self.installation, TAG_RESOURCE: resource, **extra}

    def client_token(self, resource: str) -> str:
        """An idempotency token for AWS calls that take one (32 hexadecimal characters, within every API's limit)."""
        text = f"{self.installation}/{self.generation}/{resource}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]
