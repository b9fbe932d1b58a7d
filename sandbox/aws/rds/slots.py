"""Where the PostgreSQL servers behind RDS instances live: HOME/aws/rds/<number>, and their ports.

Slot 0 is started with the sandbox and waits for the first instance; its superuser URL is SANDBOX_POSTGRES_URL. This
module imports little, as the supervisor needs that URL before the AWS process has loaded. A home stays with the kind of
server it began with: others cannot read its data, and say so when they are started.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.files import read_json, write_json
from sandbox.postgres import PostgresServer, Template, stop_stale_postmaster, tls_programs
from sandbox.processes import free_port


@dataclass
class Slot:
    """`port`: of the server itself; `front`: the instance's endpoint; `owner`: the instance's ARN.

    A server with TLS of its own is its own front.
    """

    number: int
    port: int
    front: int
    owner: str | None = None


class Slots:
    """The slots of one sandbox, kept in HOME/aws/rds/slots.json (mode 0600)."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "aws" / "rds"
        folder = tls_programs()
        self.native = folder is not None
        self._template = Template(home, folder)
        self._path = self._folder / "slots.json"
        self.all = [Slot(**stored) for stored in read_json(self._path, [])]
        if not self.all:
            self.add()

    def add(self) -> Slot:
        """A new slot with ports that are free now."""
        front = free_port()
        slot = Slot(len(self.all), front if self.native else free_port(), front)
        self.all.append(slot)
        self.save()
        return slot

    def save(self) -> None:
        write_json(self._path, [asdict(slot) for slot in self.all])

    def server(self, slot: Slot) -> PostgresServer:
        tls = None
        if self.native:
            from sandbox.postgres_native import NativeTls  # noqa: PLC0415 - see above

            tls = NativeTls(self._folder / "tls")
        return PostgresServer(self._folder / str(slot.number), slot.port, self._template, tls)

    def keep_ports(self) -> None:
        """Give slots whose ports have been taken by others meanwhile new ones. Call while none of them runs."""
        for slot in self.all:
            stop_stale_postmaster(self.server(slot).data)
            slot.front = free_port(slot.front)
            slot.port = slot.front if self.native else free_port(slot.port)
        self.save()


def first_server_url(home: Path) -> str:
    """The superuser URL of the server behind the first RDS instance, whether it runs already or not."""
    slots = Slots(home)
    return slots.server(slots.all[0]).url()
