"""Watching one install from the terminal: a live display where there is a terminal, lines where there is none."""

import time
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner

from service.cli import display
from service.cli.children import Child
from service.cli.client import Api, Unreachable
from service.cli.errors import CliError

_ENDED = ("READY", "FAILED", "CANCELLED")
_INTERVAL = 0.25
_UNREACHABLE_SECONDS = 60.0


class Watch:
    """Looks again and again, and brings the service back when it was killed (`service` is None when it is not ours)."""

    def __init__(self, api: Api, name: str, service: Child | None, console: Console) -> None:
        self._api = api
        self._name = name
        self._service = service
        self._console = console
        self._silent_since: float | None = None
        self._seen: dict[str, tuple[str, int]] = {}

    def until_ended(self) -> str:
        """Shows the progress until the install ended; returns the state in which it did."""
        return self._live() if self._console.is_terminal else self._lines()

    def until_changed(self, state: str) -> None:
        """Until the install leaves `state`, because somebody retried it."""
        while (shown := self._look()) is None or shown["state"] == state:
            time.sleep(_INTERVAL)

    def stay(self) -> None:
        """Keeps the service up, until a signal ends the demo."""
        while True:
            self._keep_up()
            time.sleep(_INTERVAL)

    def _live(self) -> str:
        spinner = Spinner("dots", style="cyan")
        with Live(console=self._console, refresh_per_second=8, transient=True) as live:
            while (shown := self._look()) is None or shown["state"] not in _ENDED:
                if shown is not None:
                    live.update(display.installation(shown, spinner, self._console.height))
                time.sleep(_INTERVAL)
        self._console.print(display.installation(shown))
        return str(shown["state"])

    def _lines(self) -> str:
        while True:
            shown = self._look()
            if shown is not None:
                self._print_changes(shown)
                if shown["state"] in _ENDED:
                    return str(shown["state"])
            time.sleep(_INTERVAL)

    def _look(self) -> dict[str, Any] | None:
        """The installation, or None while the service does not answer; raises CliError when it stays away."""
        self._keep_up()
        try:
            shown = self._api.installation(self._name)
        except Unreachable:
            self._silent_since = self._silent_since or time.monotonic()
            if time.monotonic() - self._silent_since > _UNREACHABLE_SECONDS:
                raise
            return None
        self._silent_since = None
        return shown

    def _keep_up(self) -> None:
        """Starts a killed service again; raises CliError when it ended by itself."""
        service = self._service
        if service is None or service.code is None:
            return
        if service.code >= 0:
            raise CliError(f"{service.what} ended with code {service.code}.\n{service.tail()}")
        service.restart()
        text = f"{service.what} was killed; started it again (process {service.pid}). It goes on where it was."
        self._console.print(text, soft_wrap=True)

    def _print_changes(self, shown: dict[str, Any]) -> None:
        """Each phase when its state changes, each trouble once."""
        operation = shown["operation"]
        for phase in operation["phases"]:
            now = (phase["state"], phase["attempt"])
            if self._seen.get(phase["name"]) == now or phase["state"] in ("pending", "skipped"):
                continue
            self._seen[phase["name"]] = now
            took = display.elapsed(phase) if phase["finished_at"] else ""
            self._say(f"{operation['progress']:>3} %  {phase['state']:<9}  {phase['title']}  {took}")
            if phase["state"] in ("failed", "waiting"):
                self._console.print(*display.troubles_of(phase), sep="\n")
        if self._seen.get("") != (shown["state"], 0):
            self._seen[""] = (shown["state"], 0)
            self._say(f"{operation['progress']:>3} %  {shown['name']} is {shown['state']}")

    def _say(self, line: str) -> None:
        self._console.print(line.rstrip(), markup=False)
