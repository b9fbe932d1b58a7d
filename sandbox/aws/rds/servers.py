"""Runs a PostgreSQL server and its TLS front for each RDS instance, with RDS's kind of master user.

On RDS the master user is no superuser: it may create databases and roles and is a member of rds_superuser (Amazon RDS
User Guide, "Master user account privileges"). Since PostgreSQL 16 such a user administers only the roles it made, and
needs SET on a role to make objects in its name: grants that fail on RDS for that reason fail here too.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future

import psycopg
from psycopg import sql

from sandbox.aws.cloud import Cloud
from sandbox.aws.rds.slots import Slot, Slots
from sandbox.certificates import self_signed
from sandbox.postgres import PostgresServer
from sandbox.postgres_tls import TlsFront

log = logging.getLogger(__name__)
RDS_SUPERUSER_ROLES = ("pg_monitor", "pg_signal_backend", "pg_checkpoint", "pg_create_subscription")


class DatabaseServers:
    """`owner` is a DB instance's ARN. Nothing here waits but `close`; `ready` and `released` say how far things are."""

    def __init__(self, cloud: Cloud) -> None:
        self._slots = Slots(cloud.home)
        self._workers = cloud.workers
        self._servers: dict[int, PostgresServer] = {}
        self._work: dict[int, Future[None]] = {}
        self._front = TlsFront(*self_signed(cloud.home / "aws" / "rds" / "tls", "sandbox-rds"))

    def start(self) -> None:
        """Start the waiting server and those of instances."""
        self._slots.keep_ports()
        for slot in self._slots.all:
            if slot.owner is not None or slot.number == 0:
                self._then(slot, lambda slot=slot: self._open(slot))  # type: ignore[misc]

    def provision(self, owner: str, master: str, password: str, database: str | None) -> None:
        """Give `owner` a server with a master user and, if named, a first database."""
        slot = next((slot for slot in self._slots.all if slot.owner is None), None) or self._slots.add()
        slot.owner = owner
        self._slots.save()

        def work() -> None:
            self._open(slot)
            _make_master(self._servers[slot.number], master, password, database)

        self._then(slot, work)

    def ready(self, owner: str) -> bool:
        """Whether the last thing asked for is done; raises what went wrong."""
        work = self._work.get(self._slot(owner).number)
        return work is None or (work.done() and work.result() is None)

    def address(self, owner: str) -> tuple[str, int]:
        """Host and port of the instance's endpoint."""
        return "127.0.0.1", self._slot(owner).front

    def set_password(self, owner: str, master: str, password: str) -> None:
        """Change the master user's password, as RDS does when it rotates the secret."""
        slot = self._slot(owner)
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(master), sql.Literal(password))
        self._then(slot, lambda: _execute(self._servers[slot.number], [statement]))

    def release(self, owner: str) -> None:
        """Delete the instance's databases; the first slot gets a fresh server that waits again."""
        slot = self._slot(owner)
        slot.owner = None
        self._slots.save()

        def work() -> None:
            self._servers.pop(slot.number, self._slots.server(slot)).wipe()
            self._front.unlisten(slot.front)
            if slot.number == 0:
                self._open(slot)

        self._then(slot, work)

    def close(self) -> None:
        """Stop all servers; their data stays."""
        for work in self._work.values():
            work.exception()
        for server in self._servers.values():
            server.stop()
        self._front.close()

    def _open(self, slot: Slot) -> None:
        if slot.number not in self._servers:
            server = self._slots.server(slot)
            server.start()
            self._front.listen(slot.front, slot.port)
            self._servers[slot.number] = server

    def _then(self, slot: Slot, work: Callable[[], None]) -> None:
        """Do `work` in the background, after what this slot is still busy with."""
        before = self._work.get(slot.number)

        def in_order() -> None:
            if before is not None:
                before.exception()
            try:
                work()
            except Exception:
                log.exception("the server of slot %s", slot.number)
                raise

        self._work[slot.number] = self._workers.submit(in_order)

    def _slot(self, owner: str) -> Slot:
        return next(slot for slot in self._slots.all if slot.owner == owner)


def _make_master(server: PostgresServer, master: str, password: str, database: str | None) -> None:
    user = sql.Identifier(master)
    roles = sql.SQL(", ").join(map(sql.Identifier, RDS_SUPERUSER_ROLES))
    statements: list[sql.Composable] = [
        sql.SQL("CREATE ROLE rds_superuser NOLOGIN"),
        sql.SQL("GRANT {} TO rds_superuser WITH ADMIN OPTION").format(roles),
        sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}").format(user, sql.Literal(password)),
        sql.SQL("GRANT rds_superuser TO {}").format(user),
        sql.SQL("ALTER DATABASE postgres OWNER TO {}").format(user),
    ]
    if database and database != "postgres":
        statements.append(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), user))
    _execute(server, statements)


def _execute(server: PostgresServer, statements: list[sql.Composed] | list[sql.Composable]) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
