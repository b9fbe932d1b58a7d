"""`podium demo`: a sandbox and the service as processes of their own, one install, and its progress in the terminal.

Everything is kept in HOME, so a demo that was interrupted (also by kill -9) goes on where it was when started again.
"""

import hashlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
from rich.console import Console

from service.cli.children import Child
from service.cli.client import Api, Refused, read_env
from service.cli.documents import GUIDE, read
from service.cli.errors import CliError
from service.cli.sandboxes import arguments
from service.cli.watching import Watch
from web.session import login_token

SANDBOX_SECONDS = 90.0
SERVICE_SECONDS = 60.0
_RETRYABLE = ("FAILED", "CANCELLED")


@dataclass(frozen=True)
class Wanted:
    """What was asked for; `speed` is a number or `max`, `leave` says not to stay when the install ended."""

    home: Path
    speed: str
    spec: Path | None
    leave: bool
    retry: bool


def run(wanted: Wanted) -> int:
    """Returns the exit code: 0 when READY (or stopped by the user afterwards), 1 when it failed, 130 for Ctrl-C."""
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    spec = read(wanted.spec or _guide())
    with ExitStack() as stack, _signals():
        try:
            return _demonstrate(wanted, spec, console, stack)
        except KeyboardInterrupt:
            console.print("Stopping. Start the demo again and it goes on from here.")
            return 130 if wanted.leave else 0


def _guide() -> Path:
    if not GUIDE.exists():
        raise CliError("there is no examples/guide.yaml here; name a spec with --spec FILE")
    return GUIDE


def _demonstrate(wanted: Wanted, spec: dict[str, Any], console: Console, stack: ExitStack) -> int:
    env = _sandbox(wanted, console, stack)
    service = _service(wanted, env, console, stack)
    api = stack.enter_context(Api(env["PODIUM_URL"], env["PODIUM_API_KEY"]))
    name = _start(api, spec, wanted, console)
    console.print(f"Status page: {_page_url(env, name)}\n", soft_wrap=True)
    watch = Watch(api, name, service, console)
    while (state := watch.until_ended()) != "READY":
        hint = f"podium retry {name} --home {wanted.home} (or start the demo again with --retry)"
        console.print(f"\nThe install is {state}. To go on: {hint}", soft_wrap=True)
        if wanted.leave:
            return 1
        watch.until_changed(state)
    _say_where(console, api.installation(name), _page_url(env, name))
    if not wanted.leave:
        console.print("\nEverything stays up until Ctrl-C.")
        watch.stay()
    return 0


def _sandbox(wanted: Wanted, console: Console, stack: ExitStack) -> dict[str, str]:
    """The environment of the sandbox in HOME: the one that runs there already, or a new one."""
    file = wanted.home / "sandbox.env"
    if _answers(read_env(file)):
        console.print(f"Using the sandbox that runs in {wanted.home} already.")
        return read_env(file)
    console.print(f"Starting the sandbox in {wanted.home} (speed {wanted.speed}) …")
    command = [*arguments(wanted.home, wanted.speed), "--parent-pipe"]
    child = Child("The sandbox", command, wanted.home / "logs" / "sandbox.log", os.environ)
    stack.callback(child.stop)
    child.wait_until(lambda: _answers(read_env(file)), SANDBOX_SECONDS)
    return read_env(file)


def _answers(env: dict[str, str]) -> bool:
    control = env.get("SANDBOX_CONTROL_URL")
    if control is None:
        return False
    try:
        return httpx2.get(f"{control}/healthz", timeout=2.0, trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


def _service(wanted: Wanted, env: dict[str, str], console: Console, stack: ExitStack) -> Child | None:
    """The service's process; None when one answers already, which is then used as it is."""
    with Api(env["PODIUM_URL"], env["PODIUM_API_KEY"]) as api:
        if api.ready():
            console.print(f"Using the service that runs at {env['PODIUM_URL']} already.")
            return None
        command = [sys.executable, "-m", "service.cli.main", "serve", "--parent-pipe"]
        log = wanted.home / "logs" / "service.log"
        child = Child("The service", command, log, {**os.environ, **env, "PODIUM_HOME": str(wanted.home)})
        stack.callback(child.stop)
        child.wait_until(api.ready, SERVICE_SECONDS)
    console.print(f"The service listens at {env['PODIUM_URL']} (process {child.pid}, log {log}).")
    return child


def _start(api: Api, spec: dict[str, Any], wanted: Wanted, console: Console) -> str:
    """Asks for the install; the same spec again means the same install."""
    text = json.dumps(spec, sort_keys=True)
    key = f"demo-{hashlib.sha256(text.encode()).hexdigest()[:40]}"
    try:
        shown = api.create(spec, key)
    except Refused as error:
        if error.problem["code"] != "ALREADY_EXISTS":
            raise
        remedy = "Use that spec, another name in this one, or another --home."
        raise CliError(f"{wanted.home} holds an installation of this name made from another spec. {remedy}") from error
    name = str(shown["name"])
    if shown["state"] in _RETRYABLE and wanted.retry:
        api.retry(name)
        console.print(f"Retrying {name}.")
    return name


def _page_url(env: dict[str, str], name: str) -> str:
    """A link that signs in once: the key itself stays out of browser history and terminal."""
    query = urlencode({"token": login_token(env["PODIUM_API_KEY"]), "next": f"/installations/{quote(name)}"})
    return f"{env['PODIUM_URL']}/login?{query}"


def _say_where(console: Console, shown: dict[str, Any], page: str) -> None:
    lines = [f"\n{shown['name']} is ready.", f"Status page:  {page}"]
    outputs = shown["outputs"]
    if "console_url" in outputs:
        lines.append(f"DBOS Console: {outputs['console_url']}")
    if "app_url" in outputs:
        app = str(outputs["app_url"]).rstrip("/")
        lines += [f"Application:  {app}", "Try it:", f"  curl {app}/workflow/hello", f"  curl {app}/last_step/hello"]
    console.print("\n".join(lines), soft_wrap=True)


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the demo as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
