"""`podium drift` and `podium repair`."""

import json
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.cli.client import connect

IN_SYNC, DRIFTED = 0, 3
"""Exit codes."""
_STYLES = {"missing": "red", "failed": "red", "taken": "red", "changed": "yellow", "unready": "yellow", "extra": ""}


def drift(home: Path, name: str, *, as_json: bool) -> int:
    """The exit code."""
    with connect(home) as api:
        found = api.drift(name)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        show(Console(highlight=False), found)
    return IN_SYNC if found["in_sync"] else DRIFTED


def repair(home: Path, name: str, *, ask: bool) -> int:
    """The exit code: 0 when a repair was begun or nothing has drifted, 3 when something could not be looked at."""
    with connect(home) as api:
        if ask:
            show(Console(highlight=False), api.drift(name))
            typer.confirm(f"Repair {name}?", abort=True)
        begun = api.repair(name)
    if "id" in begun:
        phases = ", ".join(begun["options"]["drifted"]) or "what had not ended well"
        print(f"{name}: repairing {phases} (operation {begun['id']}); podium status {name} shows how it goes")
        return IN_SYNC
    show(Console(highlight=False), begun)
    return IN_SYNC if begun["in_sync"] else DRIFTED


def show(console: Console, found: dict[str, Any]) -> None:
    """The differences, and what could not be looked at."""
    if found["in_sync"]:
        console.print(f"{found['name']} is as it was applied.")
    elif found["differences"]:
        more = " (and more)" if found["truncated"] else ""
        console.print(Text.assemble((found["name"], "bold"), f" differs from what was applied{more}:"))
        console.print(_table(found["differences"]))
        for remedy in dict.fromkeys(one["remedy"] for one in found["differences"]):
            console.print(Text(f"  {remedy}"))
    for one in found["unreadable"]:
        console.print(Text.assemble(("Not looked at ", "yellow"), (one["phase"], "bold"), f": {one['message']}"))
        console.print(f"  {one['remedy']}")
    for one in found["not_compared"]:
        console.print(Text(f"Not compared: {one['phase']}. {one['why']}", "dim"))


def _table(differences: list[dict[str, Any]]) -> Table:
    table = Table("Phase", "How", "What", "Field", "Applied", "Found", box=None, header_style="bold", pad_edge=False)
    for one in differences:
        whole = one["field"] is None
        what = one["message"] if one["resource"]["type"] == "Phase" else " ".join(one["resource"].values())
        values = ["" if whole else json.dumps(one[key]) for key in ("expected", "found")]
        cells = [one["phase"], Text(one["kind"], _STYLES[one["kind"]]), what, one["field"] or "", *values]
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in cells))
    return table
