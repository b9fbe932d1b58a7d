"""`make bench`: an install at full speed and one at speed 60, with what the service itself costs, as a table."""

import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from tests.e2e.harness import Sandbox, Service, guide

SPEED = 60
CRITICAL_PATH_SECONDS = (540 + 126) / SPEED
"""Control plane, then nodes: the longest chain of simulated durations (database, NAT, load balancer run beside it)."""
GETS_PER_SECOND = 20


@dataclass
class Measured:
    """One install. Latencies in seconds, memory in MiB."""

    start_up: float = 0
    idle_memory: float = 0
    install: float = 0
    checkpoints: int = 0
    memory: float = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.latencies, n=100)[98]


def measure(speed: str) -> Measured:
    found = Measured()
    with tempfile.TemporaryDirectory(prefix="podium-bench-") as home:
        sandbox = Sandbox(Path(home), speed)
        try:
            began = time.monotonic()
            service = Service(sandbox)
            found.start_up = time.monotonic() - began
            try:
                install(service, found)
                found.checkpoints = checkpoints(sandbox)
            finally:
                service.stop()
        finally:
            sandbox.stop()
    return found


def install(service: Service, found: Measured) -> None:
    found.idle_memory = resident(service.pid)
    over = threading.Event()
    reader = threading.Thread(target=read_all_the_time, args=(service, over, found.latencies))
    reader.start()
    began = time.monotonic()
    try:
        service.create(guide()).raise_for_status()
        service.reach("READY", seconds=300)
        found.install = time.monotonic() - began
    finally:
        over.set()
        reader.join()
    found.memory = resident(service.pid)


def read_all_the_time(service: Service, over: threading.Event, latencies: list[float]) -> None:
    headers = dict(service.http.headers)
    with httpx2.Client(base_url=service.url, headers=headers, timeout=30) as http:
        while not over.wait(1 / GETS_PER_SECOND):
            began = time.perf_counter()
            http.get("/v1/installations/dbos-conductor")
            latencies.append(time.perf_counter() - began)


def checkpoints(sandbox: Sandbox) -> int:
    """Rows that DBOS wrote for steps."""
    engine = sa.create_engine(sandbox.env["PODIUM_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        count = connection.execute(sa.text("SELECT count(*) FROM dbos.operation_outputs")).scalar_one()
    engine.dispose()
    return int(count)


def resident(pid: int) -> float:
    done = subprocess.run(["/bin/ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def main() -> None:
    fast, slow = measure("max"), measure(str(SPEED))
    table = Table("figure", "measured", "aim", title="Podium in the sandbox")
    table.add_row("install at --speed max", f"{fast.install:.1f} s", "at most 25 s on 2 cores")
    table.add_row(f"install at --speed {SPEED}", f"{slow.install:.1f} s", "")
    table.add_row("  of which AWS's critical path", f"{CRITICAL_PATH_SECONDS:.1f} s", "")
    table.add_row("  of which Podium and the sandbox", f"{slow.install - CRITICAL_PATH_SECONDS:.1f} s", "")
    table.add_row("DBOS checkpoints per install", f"{fast.checkpoints} / {slow.checkpoints}", "")
    table.add_row("service start-up until /readyz", f"{fast.start_up:.1f} s / {slow.start_up:.1f} s", "")
    table.add_row("service memory, idle", f"{fast.idle_memory:.0f} MiB", "at most 150 MB")
    table.add_row("service memory, after an install", f"{fast.memory:.0f} MiB", "")
    for name, found in (("max", fast), (str(SPEED), slow)):
        median = statistics.median(found.latencies) * 1000
        table.add_row(
            f"GET installation at --speed {name}, median / p99", f"{median:.0f} / {found.p99 * 1000:.0f} ms", ""
        )
    Console().print(table)


if __name__ == "__main__":
    main()
