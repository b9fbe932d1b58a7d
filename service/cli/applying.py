"""`podium apply`: shows what a changed spec would do, asks, and has it done."""

import json
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.cli.client import connect
from service.cli.documents import read
from service.cli.errors import CliError
from web.times import duration

_STYLES = {"create": "green", "update": "", "replace": "yellow", "remove": "red", "impossible": "bold red"}


def apply(home: Path, file: Path, *, plan_only: bool, ask: bool, as_json: bool) -> None:
    """Raises CliError when the spec is refused, or asks for what is impossible."""
    spec = read(file)
    with connect(home) as api:
        plan = api.plan_change(spec)
        if as_json and plan_only:
            print(json.dumps(plan, indent=2))
        elif not as_json:
            show(Console(highlight=False), plan)
        refused = [one for one in plan["changes"] if one["action"] == "impossible"]
        if refused:
            lines = [f"  {one['field']}: {one['message']}. {one['remedy']}" for one in refused]
            raise CliError("\n".join(["this cannot be changed:", *lines]))
        if plan_only or (plan["unchanged"] and not as_json):
            return
        if ask:
            typer.confirm(f"Change {plan['name']}?", abort=True)
        begun = api.apply(spec)
    if as_json:
        print(json.dumps(begun, indent=2))
    elif "id" in begun:
        print(f"{plan['name']}: changing (operation {begun['id']}); podium status {plan['name']} shows how it goes")


def show(console: Console, plan: dict[str, Any]) -> None:
    """The fields that differ, and the phases that would run."""
    if plan["unchanged"]:
        console.print(f"{plan['name']} is as the spec says; there is nothing to do.")
        return
    console.print(Text.assemble("Plan for ", (plan["name"], "bold"), "; nothing is begun yet."))
    console.print(_fields(plan["changes"]))
    console.print(_phases(plan["phases"]))
    for warning in plan["warnings"]:
        console.print(Text.assemble(("Warning ", "yellow"), (warning["field"], "bold"), f": {warning['message']}"))


def _fields(changes: list[dict[str, Any]]) -> Table:
    table = Table("Field", "From", "To", "How", box=None, header_style="bold", pad_edge=False)
    table.add_column("", overflow="fold")
    for one in changes:
        values = [Text(json.dumps(one[key])) for key in ("before", "after")]
        how = Text(one["action"], style=_STYLES[one["action"]])
        table.add_row(Text(one["field"]), *values, how, Text(one["message"], style="dim"))
    return table


def _phases(phases: list[dict[str, Any]]) -> Table:
    table = Table("Phase", "What it does", "Why", "At AWS", box=None, header_style="bold", pad_edge=False)
    for one in phases:
        style = _STYLES[one["action"]]
        table.add_row(one["name"], one["title"], one["why"], f"about {duration(one['weight'])}", style=style)
    return table
