"""Local ports for pods and Services, below the range from which the kernel takes ports for outgoing connections.

A port out of that range could be taken between choosing it and a child process's bind. Linux starts it at 32768,
macOS at 49152.
"""

import json
import random
import socket
from pathlib import Path

RANGE = range(20000, 32768)
HOST = "127.0.0.1"


class PortBook:
    """Ports handed out by this agent. Those of named listeners are remembered in `file` across restarts."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._taken: set[int] = set()
        self._remembered: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}

    def reserve(self, preferred: int | None = None) -> int:
        """A port for a child process to bind, `preferred` when that is free."""
        with self._bind(preferred) as probe:
            return int(probe.getsockname()[1])

    def release(self, port: int) -> None:
        """Whoever had that port has ended."""
        self._taken.discard(port)

    def listen(self, name: str, preferred: int | None = None) -> socket.socket:
        """A listening socket, on `preferred` or the port that the listener of that name had before if it is free."""
        return self._listening(name, self._bind(preferred or self._remembered.get(name)))

    def take(self, name: str, port: int) -> socket.socket | None:
        """A listening socket at that very port; None when somebody has it."""
        bound = _try_bind(port)
        if bound is None:
            return None
        self._taken.add(port)
        return self._listening(name, bound)

    def _listening(self, name: str, listener: socket.socket) -> socket.socket:
        listener.listen(128)
        listener.setblocking(False)
        port = listener.getsockname()[1]
        if self._remembered.get(name) != port:
            self._remembered[name] = port
            self._save()
        return listener

    def _bind(self, preferred: int | None) -> socket.socket:
        for port in [*([preferred] if preferred else []), *random.sample(RANGE, 200)]:
            if port in self._taken:
                continue
            if (bound := _try_bind(port)) is not None:
                self._taken.add(port)
                return bound
        raise OSError(f"no free port on {HOST} between {RANGE.start} and {RANGE.stop}")

    def _save(self) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(self._remembered))
        fresh.replace(self._file)


def _try_bind(port: int) -> socket.socket | None:
    candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        candidate.bind((HOST, port))
    except OSError:
        candidate.close()
        return None
    return candidate
