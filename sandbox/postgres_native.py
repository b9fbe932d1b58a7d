"""TLS by PostgreSQL itself, for servers whose programs were built with OpenSSL, as RDS has it.

PostgreSQL documentation, "Secure TCP/IP Connections with SSL" and "The pg_hba.conf File". The superuser of the sandbox
may always come in the clear: whoever looks in with the wheel's psql has no TLS.
"""

import shutil
from pathlib import Path

import psycopg

from sandbox.certificates import self_signed
from sandbox.postgres import SUPERUSER, PostgresServer

RULES = """# TYPE DATABASE USER ADDRESS METHOD
host all {superuser} 127.0.0.1/32 scram-sha-256
{kind} all all 127.0.0.1/32 scram-sha-256
"""


class NativeTls:
    """What servers need for TLS: a self-signed certificate and its key, made in `folder` on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def install(self, directory: Path, user: str | None) -> dict[str, str]:
        """Put certificate, key and rules for a server in `directory`, readable by `user`; returns its settings."""
        target = directory / "tls"
        target.mkdir(mode=0o700, exist_ok=True)
        for source in self_signed(self._folder, "sandbox-rds"):
            shutil.copyfile(source, target / source.name)
            (target / source.name).chmod(0o600)
        if not (target / "pg_hba.conf").exists():
            _write_rules(target, forced=False)
        if user is not None:
            for path in (target, *target.iterdir()):
                shutil.chown(path, user)
        files = {"ssl_cert_file": "server.crt", "ssl_key_file": "server.key", "hba_file": "pg_hba.conf"}
        return {"ssl": "on"} | {name: str(target / file) for name, file in files.items()}


def force_tls(server: PostgresServer, *, forced: bool) -> None:
    """Whether others than the sandbox itself must speak TLS with a running server: RDS's parameter rds.force_ssl."""
    _write_rules(server.directory / "tls", forced=forced)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")


def _write_rules(target: Path, *, forced: bool) -> None:
    """Written in place, so that the file stays the server's user's."""
    rules = RULES.format(superuser=SUPERUSER, kind="hostssl" if forced else "host")
    (target / "pg_hba.conf").write_text(rules)
