"""Runs a PostgreSQL server for each RDS instance, with RDS's kind of master user.

A TLS front stands before a server that was built without OpenSSL; it takes connections in the clear too. With
SANDBOX_POSTGRES_BIN the server speaks TLS itself and knows the parameter rds.force_ssl.

On RDS the master user is no superuser: it may create databases and roles and is a member of rds_superuser (Amazon RDS
User Guide, "Master user account privileges"). Since PostgreSQL 16 such a user administers only the roles it made, and
needs SET on a role to make objects in its name: grants that fail on RDS for that reason fail here too.
"""

import logging
from typing import Any

import psycopg
from psycopg import sql

from sandbox.aws.background import Background
from sandbox.aws.cloud import Cloud
from sandbox.aws.rds.slots import Slot, Slots
from sandbox.certificates import self_signed
from sandbox.postgres import PostgresServer
from sandbox.postgres_native import force_tls
from sandbox.postgres_tls import TlsFront

log = logging.getLogger(__name__)
RDS_SUPERUSER_ROLES = ("pg_monitor", "pg_signal_backend", "pg_checkpoint", "pg_create_subscription")


class DatabaseServers:
    """`owner` is a DB instance's ARN. Nothing here waits but `close`; `ready` and `released` say how far things are."""

    def __init__(self, cloud: Cloud) -> None:
        self._slots = Slots(cloud.home)
        self._slots.keep_ports()
        self._background = Background(cloud.workers)
        self._servers: dict[int, PostgresServer] = {}
        self._front: TlsFront | None = None
        if not self._slots.native:
            self._front = TlsFront(*self_signed(cloud.home / "aws" / "rds" / "tls", "sandbox-rds"))

    def start(self) -> None:
        """Start the waiting server and those of instances."""
        for slot in self._slots.all:
            if slot.owner is not None or slot.number == 0:
                self._background.begin((slot.number,), lambda slot=slot: self._open(slot))  # type: ignore[misc]

    def provision(self, owner: str, master: str, password: str, database: str | None, *, force_ssl: bool) -> None:
        """Give `owner` a server with a master user and, if named, a first database; what is there already is kept."""
        owned = [slot for slot in self._slots.all if slot.owner == owner]
        free = [slot for slot in self._slots.all if slot.owner is None]
        slot = next(iter(owned + free), None) or self._slots.add()
        slot.owner = owner
        self._slots.save()

        def work() -> None:
            self._open(slot)
            _make_master(self._servers[slot.number], master, password, database)
            self._force(slot, force_ssl)

        self._background.begin((slot.number,), work)

    def ready(self, owner: str) -> bool:
        """Whether the last thing asked for is done."""
        return self._background.done((self._slot(owner).number,))

    def owned_by(self, owner: str) -> bool:
        """Whether the instance has a server."""
        return any(slot.owner == owner for slot in self._slots.all)

    def address(self, owner: str) -> tuple[str, int]:
        """Host and port of the instance's endpoint."""
        return "127.0.0.1", self._slot(owner).front

    def set_password(self, owner: str, master: str, password: str) -> None:
        """Change the master user's password, as RDS does when it rotates the secret."""
        slot = self._slot(owner)
        self._background.begin((slot.number,), lambda: _set_password(self._servers[slot.number], master, password))

    def restart(self, owner: str) -> None:
        """As for another class or version of the instance: connections break, the data stays."""
        slot = self._slot(owner)

        def work() -> None:
            self._servers[slot.number].stop()
            self._servers[slot.number].start()

        self._background.begin((slot.number,), work)

    def force_ssl(self, owner: str, *, forced: bool) -> None:
        """Apply the parameter rds.force_ssl; a TLS front does not know it."""
        if self._slots.native:
            slot = self._slot(owner)
            self._background.begin((slot.number,), lambda: self._force(slot, forced))

    def release(self, owner: str) -> None:
        """Delete the instance's databases and roles. The first server stays up and waits again, others end."""
        slot = self._slot(owner)
        slot.owner = None
        self._slots.save()
        waits = slot.number == 0
        self._background.begin((slot.number,), lambda: self._empty(slot) if waits else self._remove(slot))

    def watch(self) -> None:
        """Try again what failed and nobody else asks about, such as the server that waits."""
        for slot in self._slots.all:
            self._background.done((slot.number,))

    def keep_only(self, owners: set[str]) -> None:
        """Release the servers of instances that are no more."""
        for slot in self._slots.all:
            if slot.owner is not None and slot.owner not in owners:
                self.release(slot.owner)

    def close(self) -> None:
        """Stop all servers; their data stays."""
        self._background.join()
        for server in self._servers.values():
            server.stop()
        if self._front is not None:
            self._front.close()

    def _open(self, slot: Slot) -> None:
        if slot.number not in self._servers:
            server = self._slots.server(slot)
            server.start()
            if self._front is not None:
                self._front.listen(slot.front, slot.port)
            self._servers[slot.number] = server

    def _force(self, slot: Slot, forced: bool) -> None:
        if self._slots.native:
            force_tls(self._servers[slot.number], forced=forced)

    def _empty(self, slot: Slot) -> None:
        """Make the server as good as new, or new where that fails."""
        try:
            _drop_everything(self._servers[slot.number])
        except psycopg.Error:
            log.exception("the databases of slot %s cannot be dropped: making a new server", slot.number)
            self._remove(slot)
            self._open(slot)

    def _remove(self, slot: Slot) -> None:
        self._servers.pop(slot.number, self._slots.server(slot)).wipe()
        if self._front is not None:
            self._front.unlisten(slot.front)

    def _slot(self, owner: str) -> Slot:
        return next(slot for slot in self._slots.all if slot.owner == owner)


def _make_master(server: PostgresServer, master: str, password: str, database: str | None) -> None:
    """The master user and the first database, unless they are there (the process may have ended half-way)."""
    user = sql.Identifier(master)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        roles = _granted_roles(connection)
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (master,)).fetchone():
            statements: list[sql.SQL | sql.Composed] = [
                sql.SQL("BEGIN"),
                sql.SQL("CREATE ROLE rds_superuser NOLOGIN"),
                sql.SQL("GRANT {} TO rds_superuser WITH ADMIN OPTION").format(roles),
                sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}").format(user, sql.Literal(password)),
                sql.SQL("GRANT rds_superuser TO {}").format(user),
                sql.SQL("ALTER DATABASE postgres OWNER TO {}").format(user),
                sql.SQL("COMMIT"),
            ]
            for statement in statements:
                connection.execute(statement)
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
        if database and not known:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), user))


def _granted_roles(connection: psycopg.Connection[Any]) -> sql.Composed:
    """Those of RDS_SUPERUSER_ROLES that this version of PostgreSQL has."""
    found = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", ([*RDS_SUPERUSER_ROLES],))
    return sql.SQL(", ").join(sql.Identifier(name) for (name,) in found.fetchall())


def _set_password(server: PostgresServer, master: str, password: str) -> None:
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(master), sql.Literal(password))
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(statement)


def _drop_everything(server: PostgresServer) -> None:
    """Drop every database and role that is not PostgreSQL's or ours, and make `postgres` anew."""
    with psycopg.connect(server.url("template1"), autocommit=True) as connection:
        databases = connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate").fetchall()
        for (name,) in databases:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        roles = connection.execute("SELECT rolname FROM pg_roles WHERE oid >= 16384").fetchall()
        for statement in ("DROP OWNED BY {} CASCADE", "DROP ROLE {}"):
            for (name,) in roles:
                connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
        connection.execute("CREATE DATABASE postgres TEMPLATE template0 STRATEGY file_copy")
