"""Start and stop the sandbox's processes so that none outlives the one that started it.

Every child holds the reading end of a pipe on its stdin. When the parent ends, by whatever means (also SIGKILL), the
kernel closes the other end, the child reads end-of-file and shuts itself down. Works on Linux and macOS alike.
"""

import os
import pwd
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

QUIET_PORTS = range(20000, 32768)
"""Below those that Linux and macOS give to outgoing connections, which could take a port between choice and use."""
LASTING_PORTS = range(14000, 20000)
"""For what may be away for a while and must get its port back, such as a service that is being restarted."""


def spawn(
    args: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start `args` with stdout and stderr appended to `log` and stdin a pipe held open by this process.

    `env` is the child's whole environment (default: ours); `user` a system user to run as (root only). Its own
    session keeps a terminal's Ctrl-C from reaching the child before its parent has said so.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            list(args),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            user=user,
            group=None if user is None else pwd.getpwnam(user).pw_gid,
            extra_groups=None if user is None else [],
        )


def exit_with_parent(callback: Callable[[], None]) -> threading.Thread:
    """Call `callback` once, from a daemon thread, when stdin reaches end-of-file (parent gone, or wants us gone)."""

    def wait_for_eof() -> None:
        descriptor = sys.stdin.fileno()
        while os.read(descriptor, 4096):
            continue
        callback()

    thread = threading.Thread(target=wait_for_eof, name="exit-with-parent", daemon=True)
    thread.start()
    return thread


def terminate_self() -> None:
    """Send SIGTERM to this process: the callback for programs that already shut down cleanly on SIGTERM."""
    os.kill(os.getpid(), signal.SIGTERM)


def stop(process: subprocess.Popen[bytes], timeout: float = 10.0) -> int:
    """Stop a process made by `spawn`: close its stdin, wait `timeout` seconds, then SIGKILL; returns its exit code."""
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def free_port(preferred: int | None = None, patience: float = 0.0, among: range = QUIET_PORTS) -> int:
    """`preferred` if nobody listens on 127.0.0.1 at that port, else one of `among`.

    `patience`: seconds to wait for `preferred`, whose last owner may be on its way out.
    SO_REUSEADDR lets a port whose last owner has just ended be taken again; a listening owner still makes bind fail.
    Raises OSError when no port is free.
    """
    deadline = time.monotonic() + patience
    while preferred is not None:
        if _bindable(preferred):
            return preferred
        if time.monotonic() >= deadline:
            break
        time.sleep(0.05)
    for port in random.sample(among, 100):
        if _bindable(port):
            return port
    raise OSError("no free port on 127.0.0.1")


def free_ports(count: int, besides: int) -> list[int]:
    """So many different ones, none of them `besides`, which nobody has taken yet either."""
    chosen = {besides}
    while len(chosen) <= count:
        chosen.add(free_port())
    return sorted(chosen - {besides})


def _bindable(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def wait_until_listening(port: int, process: subprocess.Popen[bytes] | None = None, timeout: float = 15.0) -> None:
    """Return when 127.0.0.1:`port` accepts connections.

    Raises RuntimeError when `process` ends first, TimeoutError after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"process {process.args!r} ended with code {process.returncode} before it listened")
        if _accepts(port):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing listens on 127.0.0.1:{port} after {timeout} s")
        time.sleep(0.02)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True
