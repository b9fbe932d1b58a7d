"""The two ways in which a container runs: as a process group of its own, or as a task inside the agent.

Each process group is announced to the reaper (`sandbox/nodes/reaper.py`), a process that only waits for the agent's
end and then kills every group still announced: no container outlives an agent, not even one ended by SIGKILL.
"""

import asyncio
import contextlib
import os
import signal
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sandbox.nodes.reaper import Reaper

if TYPE_CHECKING:
    from sandbox.nodes.images.registry import ContainerSpec

CANNOT_RUN = 127  # a shell's exit code for a command that is not there
KILLED = 128 + signal.SIGKILL


class StartError(Exception):
    """The container could not be created at all (no such command, no such port); the message is for the user."""


class Subprocess:
    """A container that is a process group."""

    def __init__(self, process: asyncio.subprocess.Process, env: dict[str, str], cwd: Path) -> None:
        self._process, self.env, self.cwd = process, env, cwd
        self._ended = False  # its number may belong to another process by now
        self._reaper = Reaper.get()
        self._reaper.watch(process.pid)

    @classmethod
    async def start(cls, argv: list[str], env: dict[str, str], spec: "ContainerSpec", cwd: Path | None = None) -> Self:
        """Starts `argv` with exactly `env` (PATH is looked up there) in `cwd`, by default `spec.directory`.

        Output is appended to `spec.log`. Raises `StartError` when there is no such program.
        """
        program = _find_program(argv[0], env)
        with spec.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                program,
                *argv[1:],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                cwd=cwd or spec.directory,
                start_new_session=True,
            )
        return cls(process, env, cwd or spec.directory)

    @property
    def pid(self) -> int:
        """The process id, which is also that of its group."""
        return self._process.pid

    async def wait(self) -> int:
        """The exit code of the first process; the rest of its group is killed, as a container's is."""
        code = await self._process.wait()
        if not self._ended:
            self._ended = True
            self._signal(signal.SIGKILL)
            self._reaper.forget(self._process.pid)
        return code if code >= 0 else 128 - code

    async def stop(self, grace_seconds: float) -> None:
        """SIGTERM to the first process, SIGKILL to the group after `grace_seconds`."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
        try:
            await asyncio.wait_for(self.wait(), grace_seconds)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # PermissionError: macOS, a group of zombies
            os.killpg(self._process.pid, number)


class Task:
    """A container that is a coroutine of the agent."""

    def __init__(self, task: "asyncio.Task[Any]", log: Path) -> None:
        self._task, self._log = task, log

    @classmethod
    def start(cls, main: Callable[[], Coroutine[Any, Any, Any]], spec: "ContainerSpec") -> Self:
        """Runs `main()`; its cancellation is the container's SIGTERM."""
        return cls(
            asyncio.get_running_loop().create_task(main(), name=f"container {spec.pod_name}/{spec.name}"), spec.log
        )

    async def wait(self) -> int:
        """0 when the coroutine returned, 1 when it raised (the traceback is in the log), 143 when it was stopped."""
        await asyncio.wait([self._task])
        if self._task.cancelled():
            return 128 + signal.SIGTERM
        if (error := self._task.exception()) is None:
            return 0
        with self._log.open("a") as log:
            traceback.print_exception(error, file=log)
        return 1

    async def stop(self, grace_seconds: float) -> None:
        """Cancels the coroutine and waits at most `grace_seconds` for its clean-up."""
        self._task.cancel()
        await asyncio.wait([self._task], timeout=grace_seconds)


async def execute(running: object, command: list[str], spec: "ContainerSpec") -> tuple[int, str]:
    """Runs a command beside a container, in its environment: (exit code, what it wrote). StartError: no such program.

    The command is killed when this is cancelled, as a probe's is when it takes too long.
    """
    env, cwd = {"PATH": os.defpath} | spec.env, spec.directory
    if isinstance(running, Subprocess):
        env, cwd = running.env, running.cwd
    process = await asyncio.create_subprocess_exec(
        *command,
        executable=_find_program(command[0], env),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=env,
        cwd=cwd,
        start_new_session=True,
    )
    Reaper.get().watch(process.pid)
    try:
        output, _ = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        code = await process.wait()
        Reaper.get().forget(process.pid)
    return code, output.decode(errors="replace")


def _find_program(program: str, env: dict[str, str]) -> str:
    folders = env.get("PATH", os.defpath).split(os.pathsep)
    candidates = [Path(program)] if "/" in program else [Path(folder) / program for folder in folders]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return str(candidate)
    raise StartError(f'exec: "{program}": executable file not found in $PATH')
