"""Templates and the headers every page carries: no script or style but our own files, nothing cached, no framing."""

import hashlib
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from web import times

STATIC = Path(__file__).parent / "static"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": times.duration,
        "clock": times.clock,
        "date": times.date,
        "iso": times.iso,
        "json": json.dumps,
        "yaml": _yaml,
    }
    environment.globals["asset"] = asset
    return environment


@cache
def asset(name: str) -> str:
    """URL of a static file, with a part that changes with its content, so that browsers may keep it."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={digest}"


def text(template: str, **context: Any) -> str:
    """The rendered template; `now` is in every context."""
    return _environment().get_template(template).render({"now": datetime.now(UTC), **context})


def render(template: str, status: int = 200, **context: Any) -> HTMLResponse:
    return HTMLResponse(text(template, **context), status, headers=HEADERS)


def _yaml(document: Any) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
