"""At the end of a run: what was tried, as the tables of docs/reliability.md."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos_faults.trials import Tally

_TALLIES = pytest.StashKey[dict[str, Tally]]()


@pytest.fixture
def tallied(pytestconfig: pytest.Config) -> Callable[[str, Tally], None]:
    """Keeps a tally for the summary, under a title."""
    kept = pytestconfig.stash.setdefault(_TALLIES, {})
    return kept.__setitem__


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Only where somebody asked for the whole: the fast subset says nothing."""
    if "chaos" not in (config.option.markexpr or "") or config.option.markexpr.startswith("not"):
        return
    for title, tally in config.stash.get(_TALLIES, {}).items():
        terminalreporter.section(title)
        for line in table(tally):
            terminalreporter.write_line(line)


def table(tally: Tally) -> list[str]:
    """Markdown: a row for each step."""
    rows = [
        f"| `{name}` | {tally.requests[name]} | {tally.faults[name]} | {tally.seconds[name]:.0f} |"
        for name in sorted(tally.requests)
        if tally.requests[name]
    ]
    total = (tally.requests.total(), tally.faults.total(), sum(tally.seconds.values()))
    ends = ", ".join(f"{outcome} {count}" for outcome, count in tally.outcomes.most_common())
    return [
        "| step | requests | faults | seconds |",
        "|---|---|---|---|",
        *rows,
        f"| **{len(rows)} steps** | **{total[0]}** | **{total[1]}** | **{total[2]:.0f}** |",
        "",
        f"First tries ended with: {ends}.",
    ]
