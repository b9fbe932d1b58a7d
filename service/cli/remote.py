"""`podium status`, `retry`, `cancel`, `uninstall` and `events`: thin clients of a running service."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from service.cli import display
from service.cli.client import connect


def status(home: Path, name: str | None, *, as_json: bool) -> None:
    with connect(home) as api:
        found: Any = api.installation(name) if name else api.installations()
    if as_json:
        print(json.dumps(found, indent=2))
        return
    console = Console(highlight=False)
    if name:
        console.print(display.installation(found))
    elif found:
        console.print(_table(found))
    else:
        console.print("Nothing is installed.")


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("Name", "State", "Progress", "Region", box=None, header_style="bold", pad_edge=False)
    for one in found:
        table.add_row(one["name"], one["state"], f"{one['operation']['progress']} %", one["spec"]["aws"]["region"])
    return table


def retry(home: Path, name: str, from_phase: str | None) -> None:
    with connect(home) as api:
        operation = api.retry(name, from_phase)
    print(f"{name}: retrying (operation {operation['id']})")


def cancel(home: Path, name: str) -> None:
    with connect(home) as api:
        operation = api.cancel(name)
    print(f"{name}: {operation['state'].lower()}")


def uninstall(home: Path, name: str, *, delete_data: bool, force: bool) -> None:
    with connect(home) as api:
        operation = api.uninstall(name, data="delete" if delete_data else "retain", force=force)
    kept = "without a snapshot" if delete_data else "a last snapshot of the database is kept"
    print(f"{name}: uninstalling, {kept} (operation {operation['id']}); podium status {name} shows how it goes")


def events(home: Path, name: str, *, follow: bool, as_json: bool) -> None:
    with connect(home) as api:
        if follow:
            for data in api.follow(name):
                print(data if as_json else _line(json.loads(data)), flush=True)
            return
        for event in api.events(name):
            print(json.dumps(event) if as_json else _line(event))


def _line(event: dict[str, Any]) -> str:
    attempt = f" (attempt {event['attempt']})" if event["attempt"] > 1 else ""
    return f"{event['at'][11:19]}  {event['phase'] or '':<16} {event['kind']:<20} {event['message']}{attempt}"
