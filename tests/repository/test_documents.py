"""Documents that list what the code has."""

from pathlib import Path

from steps.errors import Code

DOCS = Path(__file__).parents[2] / "docs"


def test_every_error_code_is_documented() -> None:
    text = (DOCS / "errors.md").read_text()
    assert [code for code in Code if f"| `{code}` |" not in text] == []
