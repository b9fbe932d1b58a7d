"""An installation in a terminal: one line per phase, what it does now, what went wrong and what to do."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from web.times import duration

_MARKS = {
    "pending": ("·", "dim"),
    "running": ("▸", "cyan"),
    "waiting": ("?", "yellow"),
    "succeeded": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("-", "dim"),
    "cancelled": ("■", "dim"),
}
_FRAME = 3
"""Lines around the phases: headline, cursor, and one to spare."""
_STATE_STYLES = {"READY": "green", "FAILED": "red", "WAITING": "yellow", "CANCELLED": "yellow", "DELETED": "dim"}


def installation(shown: dict[str, Any], spinner: Spinner | None = None, height: int | None = None) -> Group:
    """`shown` is the API's installation; `spinner` marks running phases on a live display.

    Where `height` lines are too few for all phases, those that are done or to come are only counted.
    """
    phases = [phase for phase in shown["operation"]["phases"] if phase["state"] != "skipped"]
    found = troubles(shown)
    if height is None or len(phases) + len(found) + _FRAME <= height:
        return Group(headline(shown), _phases(phases, spinner), *found)
    done = sum(phase["state"] == "succeeded" for phase in phases)
    to_come = sum(phase["state"] == "pending" for phase in phases)
    under_way = [phase for phase in phases if phase["state"] not in ("succeeded", "pending")]
    counted = Text(f"{done} phases done, {to_come} to come", "dim")
    return Group(headline(shown), counted, _phases(under_way, spinner), *found)


def headline(shown: dict[str, Any]) -> Table:
    operation, state = shown["operation"], shown["state"]
    style = _STATE_STYLES.get(state, "cyan")
    row = Table.grid(padding=(0, 2))
    row.add_row(
        Text(shown["name"], "bold"),
        Text(state, style),
        ProgressBar(total=100, completed=operation["progress"], width=30, complete_style=style, finished_style=style),
        Text(f"{operation['progress']} %"),
        Text(elapsed(operation), "dim"),
    )
    return row


def elapsed(part: dict[str, Any]) -> str:
    """How long an operation or phase took, or takes so far; "" before it began."""
    if not part["started_at"]:
        return ""
    start = datetime.fromisoformat(part["started_at"])
    end = datetime.fromisoformat(part["finished_at"]) if part["finished_at"] else datetime.now(UTC)
    return duration((end - start).total_seconds())


def _phases(phases: list[dict[str, Any]], spinner: Spinner | None) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    titles = [len(phase["title"]) for phase in phases]
    table.add_column(width=1)
    table.add_column(no_wrap=True, width=max(titles, default=0))
    table.add_column(justify="right", no_wrap=True, width=11)
    table.add_column(style="dim", no_wrap=True, overflow="ellipsis", ratio=1)
    for phase in phases:
        mark, style = _MARKS[phase["state"]]
        running = phase["state"] == "running"
        took = "" if phase["state"] == "pending" else elapsed(phase)
        table.add_row(
            spinner if running and spinner else Text(mark, style),
            Text(phase["title"], "dim" if phase["state"] == "pending" else ""),
            Text(took, style if running else "dim"),
            Text(note(phase)),
        )
    return table


def note(phase: dict[str, Any]) -> str:
    """What the phase does now, when that says more than its title."""
    again = f"attempt {phase['attempt']} " if phase["attempt"] > 1 else ""
    if phase["state"] not in ("running", "waiting"):
        return again.strip()
    action = phase["action"] or ""
    return f"{again}{'' if action == phase['title'] else action}".strip()


def troubles(shown: dict[str, Any]) -> list[Text]:
    """What failed and what to do, what waits for a person and how to help it."""
    found: list[Text] = []
    for phase in shown["operation"]["phases"]:
        found += troubles_of(phase)
    error = shown["operation"]["error"]
    if error and not any(phase["error"] for phase in shown["operation"]["phases"]):
        found += _failure("The operation", error)
    return found


def troubles_of(phase: dict[str, Any]) -> list[Text]:
    """The same of one phase."""
    found = _failure(phase["title"], phase["error"]) if phase["error"] else []
    return found + (_wait(phase["title"], phase["waiting"]) if phase["waiting"] else [])


def _failure(title: str, error: dict[str, Any]) -> list[Text]:
    lines = [Text.assemble(("✗ ", "red"), (title, "bold"), " failed: ", (error["code"], "red"), f" {error['message']}")]
    lines += [Text(f"    {one['field']}: {one['message']} {one['remedy']}") for one in error["details"]]
    if error["remedy"]:
        lines.append(Text(f"  What to do: {error['remedy']}"))
    return lines


def _wait(title: str, waiting: dict[str, Any]) -> list[Text]:
    lines = [Text.assemble(("? ", "yellow"), (title, "bold"), f" waits for you: {waiting['what']}")]
    lines.append(Text(f"  {waiting['how']}"))
    lines += [Text(f"    {one['arn']}: {one['why']} (of {one['owner']})") for one in waiting.get("resources", [])]
    return lines + [Text(f"    {command}", "cyan") for command in waiting["commands"]]
