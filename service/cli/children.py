"""The demo's processes: started with a pipe on stdin that closes when the demo ends, however it ends."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from service.cli.errors import CliError

_LINES = 15


class Child:
    """One process; what it prints is appended to `log`."""

    def __init__(self, what: str, command: Sequence[str], log: Path, env: Mapping[str, str]) -> None:
        self.what = what
        self.log = log
        self._command = list(command)
        self._env = dict(env)
        self._process = self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def restart(self) -> None:
        """Starts it again after it ended."""
        self.stop()
        self._process = self._start()

    def stop(self, timeout: float = 20.0) -> None:
        """Closes its stdin, which asks it to stop; after `timeout` seconds SIGKILL."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait_until(self, ready: Callable[[], bool], timeout: float) -> None:
        """Raises CliError with the end of its log when it ends first or is not ready after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not ready():
            if self.code is not None:
                raise CliError(f"{self.what} ended with code {self.code}.\n{self.tail()}")
            if time.monotonic() > deadline:
                raise CliError(f"{self.what} is not ready after {timeout:.0f} s.\n{self.tail()}")
            time.sleep(0.05)

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines()[-_LINES:] if self.log.exists() else []
        return "\n".join([f"The last lines of {self.log}:", *(f"  {line}" for line in lines)])

    def _start(self) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,  # a terminal's Ctrl-C is ours to pass on
            )
