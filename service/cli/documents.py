"""Reading an installation spec from a file: YAML, of which JSON is a part."""

import os
import sys
from pathlib import Path
from typing import Any

import yaml

from service.cli.errors import CliError

GUIDE = Path(__file__).parents[2] / "examples" / "guide.yaml"
"""The guide's values; there when Podium runs from its repository."""


def read(file: Path) -> dict[str, Any]:
    """Raises CliError when the file cannot be read or holds no mapping."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        document = yaml.safe_load(text)
    except OSError as error:
        raise CliError(f"cannot read {file}: {error.strerror}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise CliError(f"{file} is not YAML{f' (line {mark.line + 1})' if mark else ''}") from error
    if not isinstance(document, dict):
        raise CliError(f"{file} holds no mapping of fields such as name and aws")
    return document


def into_environment(file: Path) -> None:
    """Puts the KEY=value lines of a file into the environment, where a name is not set yet. Raises CliError."""
    from service.cli.client import read_env  # noqa: PLC0415 - loads an HTTP client, which only this needs

    if not file.exists():
        raise CliError(f"cannot read {file}: no such file")
    for name, value in read_env(file).items():
        os.environ.setdefault(name, value)
