"""The objects on disk: one SQLite file per cluster, written through on every change.

WAL with synchronous=NORMAL survives `kill -9` without losing a committed change (only a power cut could).
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (kind, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revision (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL);
INSERT OR IGNORE INTO revision VALUES (1, 1);
"""


class Database:
    """Rows (kind, namespace, name) -> JSON bytes, and the last resourceVersion given out."""

    def __init__(self, path: Path | None) -> None:
        """Opens `path`, or a private database in memory."""
        self._connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    def revision(self) -> int:
        """The last resourceVersion given out."""
        row = self._connection.execute("SELECT value FROM revision").fetchone()
        return int(row[0])

    def rows(self) -> Iterator[tuple[str, str, str, bytes]]:
        """All objects: kind, namespace (empty when cluster-scoped), name, JSON."""
        yield from self._connection.execute("SELECT kind, namespace, name, body FROM objects")

    def write(self, kind: str, namespace: str, name: str, body: bytes | None, revision: int) -> None:
        """Stores `body`, or removes the row when it is None, together with the revision."""
        run = self._connection.execute
        run("BEGIN")
        if body is None:
            run("DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?", (kind, namespace, name))
        else:
            run("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", (kind, namespace, name, body))
        run("UPDATE revision SET value = ?", (revision,))
        run("COMMIT")

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()
