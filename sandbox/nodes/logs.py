"""Container logs as the kubelet gives them: cut, dated and followed.

Source: k8s.io/kubernetes pkg/kubelet/kuberuntime/logs (tail first, then since, then the limit in bytes, which counts
the timestamps too).
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sandbox.nodes.log_times import Times


@dataclass(frozen=True)
class LogOptions:
    """What is asked of a log. `since`: nanoseconds since 1970; `tail`: lines; `limit`: bytes."""

    tail: int | None = None
    since: int = 0
    limit: int | None = None
    timestamps: bool = False
    follow: bool = False
    previous: bool = False

    @classmethod
    def parse(cls, query: dict[str, str], now: int) -> Self:
        """From a URL's query; ValueError for what is no number, no time, or negative."""
        numbers = {name: int(query[name]) for name in ("tailLines", "limitBytes", "sinceSeconds") if query.get(name)}
        if any(number < 0 for number in numbers.values()):
            raise ValueError("must not be negative")
        since = now - numbers["sinceSeconds"] * 10**9 if "sinceSeconds" in numbers else 0
        if query.get("sinceTime"):
            since = _nanoseconds(datetime.datetime.fromisoformat(query["sinceTime"]))
        flags = {name: query.get(name) == "true" for name in ("timestamps", "follow", "previous")}
        return cls(numbers.get("tailLines"), since, numbers.get("limitBytes"), **flags)


def _nanoseconds(moment: datetime.datetime) -> int:
    """Since 1970, exactly: a float would be off by some hundred, and a line's own time would not include it."""
    since = moment.astimezone(datetime.UTC) - datetime.datetime.fromtimestamp(0, datetime.UTC)
    return since // datetime.timedelta(microseconds=1) * 1000


class LogReader:
    """One reading of one log file, from its beginning as `options` cut it."""

    def __init__(self, log: Path, options: LogOptions) -> None:
        self._log, self._options = log, options
        self._offset = 0  # bytes of the file that were looked at
        self._left = options.limit

    def read(self, *, whole_lines: bool) -> bytes:
        """What has come since the last call; with `whole_lines` an unfinished last line waits for its end.

        Except in the first one without times, since `tail` counts an unfinished line too.
        """
        with self._log.open("rb") as file:
            file.seek(self._offset)
            content = file.read()
        if whole_lines and (self._offset or self._options.timestamps):
            content = content[: content.rfind(b"\n") + 1]
        first = self._offset == 0
        lines = list(_lines(content, self._offset))
        self._offset += len(content)
        if first and self._options.tail is not None:
            lines = lines[-self._options.tail :] if self._options.tail else []
        return self._limited(b"".join(self._dated(lines)))

    @property
    def exhausted(self) -> bool:
        """Whether the limit in bytes is reached."""
        return self._left == 0

    def _dated(self, lines: list[tuple[int, bytes]]) -> Iterator[bytes]:
        times = Times(self._log) if self._options.timestamps or self._options.since else None
        for offset, line in lines:
            if times is None:
                yield line
            elif (moment := times.at(offset)) >= self._options.since:
                yield _stamp(moment) + line if self._options.timestamps else line

    def _limited(self, content: bytes) -> bytes:
        if self._left is None:
            return content
        content = content[: self._left]
        self._left -= len(content)
        return content


def _lines(content: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    """(offset in the file, line with its line feed) of each line; the last one may have none."""
    start = 0
    while start < len(content):
        end = content.find(b"\n", start) + 1 or len(content)
        yield offset + start, content[start:end]
        start = end


def _stamp(nanoseconds: int) -> bytes:
    """RFC 3339 with nine digits, as container runtimes write it, and a blank."""
    seconds, fraction = divmod(nanoseconds, 10**9)
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z ".encode()
