"""`podium plan`: validates a spec and shows what it would make, without a service and without AWS."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.cli.documents import read
from service.cli.errors import CliError
from service.validation import field_errors
from web.times import duration
from workflows.phases import INSTALL
from workflows.plan import plan_of
from workflows.spec import InstallationSpec


def show(file: Path, *, as_json: bool) -> None:
    """Raises CliError, listing every field, when the spec is not valid."""
    try:
        plan = plan_of(INSTALL, InstallationSpec.model_validate(read(file)))
    except ValidationError as error:
        problems = field_errors(error.errors(), InstallationSpec)
        lines = [f"  {one['field'] or file}: {one['message']} {one['remedy']}" for one in problems]
        raise CliError("\n".join([f"{file} is not valid:", *lines])) from error
    if as_json:
        print(json.dumps(plan, indent=2))
        return
    _print(Console(highlight=False), plan)


def _print(console: Console, plan: dict[str, Any]) -> None:
    console.print(Text.assemble("Plan for ", (plan["name"], "bold"), "; nothing is created."))
    console.print(_phases(plan))
    console.print(_resources(plan))
    for warning in plan["warnings"]:
        console.print(Text.assemble(("Warning ", "yellow"), (warning["field"], "bold"), f": {warning['message']}"))


def _phases(plan: dict[str, Any]) -> Table:
    table = Table("Phase", "What it does", "After", "At AWS", box=None, header_style="bold", pad_edge=False)
    for phase in plan["graph"]:
        about = "not needed" if phase["skipped"] else f"about {duration(phase['weight'])}"
        style = "dim" if phase["skipped"] else ""
        table.add_row(phase["name"], phase["title"], ", ".join(phase["needs"]), about, style=style)
    return table


def _resources(plan: dict[str, Any]) -> Table:
    table = Table("Phase", "Resource", box=None, header_style="bold", pad_edge=False)
    table.add_column("Name", overflow="fold")
    for resource in plan["resources"]:
        table.add_row(resource["phase"], resource["type"], resource["name"])
    return table
