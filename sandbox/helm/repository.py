"""A chart repository: a folder of archives and its index, over HTTP.

    python -m sandbox.helm.repository --dir D --port P [--build]

Source of the form: helm.sh/docs/topics/chart_repository.
"""

import argparse
import contextlib
import hashlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from sandbox.helm import packages
from sandbox.helm.archives import metadata_of, unpack
from sandbox.helm.serving import Answer, Site, make_server

INDEX = "index.yaml"
CREATED = "2026-01-01T00:00:00Z"


def write_index(folder: Path) -> None:
    """Write index.yaml for the archives in the folder, with URLs relative to it."""
    entries: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for archive in sorted(folder.glob("*.tgz")):
        data = archive.read_bytes()
        metadata = metadata_of(unpack(data))
        digest = hashlib.sha256(data).hexdigest()
        entries[str(metadata["name"])].append(
            {**metadata, "urls": [archive.name], "digest": digest, "created": CREATED}
        )
    index = {"apiVersion": "v1", "entries": dict(entries), "generated": CREATED}
    (folder / INDEX).write_text(yaml.safe_dump(index, sort_keys=False), encoding="utf-8")


class Repository(Site):
    """Serves index.yaml and the archives of a folder; nothing else."""

    def __init__(self, folder: Path, login: tuple[str, str] | None = None) -> None:
        super().__init__(login)
        self._folder = folder

    def answer(self, path: str) -> Answer:
        """A file of the folder by its name."""
        name = path.removeprefix("/")
        file = self._folder / name
        known = name == INDEX or name.endswith(".tgz")
        if "/" in name or not known or not file.is_file():
            return Answer(404, b"404 page not found\n")
        media = "application/yaml" if name == INDEX else "application/gzip"
        return Answer(200, file.read_bytes(), media)


def main() -> None:
    """Serve until interrupted; `--build` makes the three charts in the folder first."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.helm.repository", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--build", action="store_true", help="make the three charts there first")
    options = parser.parse_args()
    if options.build:
        packages.build(options.dir)
    write_index(options.dir)
    with contextlib.suppress(KeyboardInterrupt), make_server(Repository(options.dir), options.port) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
