"""`python -m tests.cluster [pytest arguments]`: the suites that need real Kubernetes, in a private network.

Without paths among the arguments: tests/contract (on the stand-in and on the real API server) and tests/cluster. Each
has a control plane, whose kubeconfig PODIUM_CONTRACT_KUBECONFIG names. Whatever was started is stopped; a process
that outlives the tests is killed, named, and makes the run fail.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.control_plane import network
from sandbox.control_plane.binaries import postgres
from sandbox.control_plane.binaries.build import cache_directory, programs
from sandbox.control_plane.binaries.found import version_of
from sandbox.control_plane.child import dying_with_us
from sandbox.control_plane.requirements import UnavailableError, require
from tests.cluster.planes import ROOT, Plane, in_this_network

PARTS = ("tests/contract", "tests/cluster")
ALLOWED = ("127.0.0.1", "::1", "localhost", network.PODS, network.SERVICES, network.SERVERS)
GOODBYE = 10.0  # seconds that processes get to end after the one that started them


def main() -> int:
    """The worst of the parts' exit codes; 1 when something outlived them."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = sys.argv[1:]
    try:
        os.environ["SANDBOX_POSTGRES_BIN"] = str(postgres.find(cache_directory(), _say))
        network.enter()
        require()
    except (postgres.PostgresError, network.NetworkError, UnavailableError) as problem:
        sys.exit(f"tests.cluster: {problem}")
    for name, path in programs().items():
        _say(f"{name}: {path} ({version_of(path).partition(os.linesep)[0]})")
    chosen = [argument for argument in arguments if (ROOT / argument.partition("::")[0]).exists()]
    parts = [chosen] if chosen else [[part] for part in PARTS]
    options = [argument for argument in arguments if argument not in chosen]
    times: dict[str, float] = {}
    codes = _run(parts, options, times)
    with _timed("stopping", times):
        leftovers = _end_leftovers()
    _say("; ".join(f"{name} {seconds:.0f} s" for name, seconds in times.items()))
    return max([*codes, int(leftovers)])


def _run(parts: list[list[str]], options: list[str], times: dict[str, float]) -> list[int]:
    """pytest's exit codes, one a part."""
    return [_part(part, options, times) for part in parts]


def _part(part: list[str], options: list[str], times: dict[str, float]) -> int:
    """pytest's exit code, on a control plane of its own: what one part leaves there is in nobody's way."""
    with tempfile.TemporaryDirectory(prefix="podium-cluster-") as folder:
        plane, name = Plane(Path(folder)), " ".join(part)
        try:
            with _timed(f"control plane for {name}", times):
                plane.start()
            with _timed(name, times):
                return _pytest(part, options, plane)
        finally:
            if plane.process is not None:
                plane.stop()


def _pytest(part: list[str], options: list[str], plane: Plane) -> int:
    command = [sys.executable, "-m", "pytest", f"--allow-hosts={','.join(ALLOWED)}", *options, *part]
    environment = os.environ | {"PODIUM_CONTRACT_KUBECONFIG": str(plane.kubeconfig)}
    with subprocess.Popen(dying_with_us(command), cwd=ROOT, env=environment) as process:
        try:
            return process.wait()
        finally:
            process.terminate()


def _end_leftovers() -> bool:
    """Whether there were any."""
    deadline = time.monotonic() + GOODBYE
    while (found := in_this_network()) and time.monotonic() < deadline:
        time.sleep(0.1)
    for process, command in found:
        _say(f"still running after the tests, killed: {process} {command}")
        os.kill(process, signal.SIGKILL)
    return bool(found)


@contextmanager
def _timed(name: str, times: dict[str, float]) -> Iterator[None]:
    started = time.monotonic()
    yield
    times[name] = time.monotonic() - started
    _say(f"{name}: {times[name]:.0f} s")


def _say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, flush=True)  # noqa: T201


if __name__ == "__main__":
    raise SystemExit(main())
