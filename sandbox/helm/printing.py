"""What helm writes to stdout: releases as JSON, YAML or text."""

import json
from datetime import datetime
from typing import Any

import yaml

from sandbox.helm.releases import Release, status_of

ANSI_C = "%a %b %e %H:%M:%S %Y"


def render(document: Any, form: str) -> str:
    """A document as `json` or `yaml`, as Go's encoders end it."""
    if form == "yaml":
        return str(yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=True))
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n"


def release_document(release: Release, *, with_chart: bool = False) -> dict[str, Any]:
    """A release as `-o json` shows it: empty fields left out, the chart only after install and upgrade."""
    fields = {key: value for key, value in release.items() if value not in ({}, "", None)}
    if not with_chart:
        fields.pop("chart", None)
    return fields


def release_text(release: Release) -> str:
    """A release as a person reads it."""
    deployed = datetime.fromisoformat(release["info"]["last_deployed"])
    return (
        f"NAME: {release['name']}\n"
        f"LAST DEPLOYED: {deployed.strftime(ANSI_C)}\n"
        f"NAMESPACE: {release['namespace']}\n"
        f"STATUS: {status_of(release)}\n"
        f"REVISION: {release['version']}\n"
        "TEST SUITE: None\n"
    )


def history_document(history: list[Release]) -> list[dict[str, Any]]:
    """`helm history -o json`."""
    return [
        {
            "revision": release["version"],
            "updated": release["info"]["last_deployed"],
            "status": status_of(release),
            "chart": _chart_name(release),
            "app_version": str(release["chart"]["metadata"].get("appVersion", "")),
            "description": release["info"]["description"],
        }
        for release in history
    ]


def list_document(releases: list[Release]) -> list[dict[str, str]]:
    """`helm list -o json`."""
    return [
        {
            "name": release["name"],
            "namespace": release["namespace"],
            "revision": str(release["version"]),
            "updated": _go_time(release["info"]["last_deployed"]),
            "status": status_of(release),
            "chart": _chart_name(release),
            "app_version": str(release["chart"]["metadata"].get("appVersion", "")),
        }
        for release in releases
    ]


def table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    """Rows under capital headings, separated by tabs as helm does."""
    headings = "\t".join(column.upper().replace("_", " ") for column in columns)
    lines = ["\t".join(str(row[column]) for column in columns) for row in rows]
    return "\n".join([headings, *lines]) + "\n"


def _chart_name(release: Release) -> str:
    metadata = release["chart"]["metadata"]
    return f"{metadata['name']}-{metadata['version']}"


def _go_time(text: str) -> str:
    """A time as Go's Time.String() prints it: `2026-11-23 18:40:37.123456 +0000 UTC`."""
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S.%f +0000 UTC")
