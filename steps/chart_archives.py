"""The CustomResourceDefinitions in a chart's crds/, read from its archive.

Not by `helm show crds`, which joins files without a separator (helm 3.19 `pkg/action/show.go`): of two definitions in
two files only one would be left.
"""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import yaml

from steps.clients.kubernetes import Object
from steps.errors import Code, PodiumError

KIND = "CustomResourceDefinition"
LARGEST = 5 * 1024 * 1024
"""Bytes of one file in a chart, as helm bounds it (helm `pkg/chart/loader/archive.go`)."""
MOST_FILES = 10_000
SUFFIXES = (".yaml", ".yml", ".json")


def definitions(archive: Path) -> list[Object]:
    """Those of the chart and of the charts inside it. HELM_FAILED when the archive cannot be read."""
    try:
        texts = list(_texts(archive.read_bytes()))
        found = [each for text in texts for each in yaml.load_all(text, Loader=yaml.CSafeLoader)]
    except (tarfile.TarError, OSError, EOFError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _unreadable(archive) from error
    return [each for each in found if isinstance(each, dict) and each.get("kind") == KIND]


def _texts(data: bytes) -> Iterator[str]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as chart:
        for count, member in enumerate(chart):
            path = PurePosixPath(member.name)
            if not member.isfile() or member.size > LARGEST or count > MOST_FILES:
                continue
            if path.suffix == ".tgz" and path.parent.name == "charts":
                yield from _texts(_content(chart, member))
            elif path.suffix in SUFFIXES and _is_in_crds(path.parts):
                yield _content(chart, member).decode()


def _is_in_crds(parts: tuple[str, ...]) -> bool:
    """`<chart>/crds/…`, or the same of a chart in `<chart>/charts/`."""
    inside = parts[1:]
    while len(inside) > 2 and inside[0] == "charts":
        inside = inside[2:]
    return len(inside) > 1 and inside[0] == "crds"


def _content(chart: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = chart.extractfile(member)
    return content.read() if content else b""


def _unreadable(archive: Path) -> PodiumError:
    return PodiumError.by_user(
        Code.HELM_FAILED,
        f"The chart {archive.name} cannot be read: it is not a gzipped archive with proper YAML in its crds/.",
        "Check what the repository serves under this name and version, then retry.",
    )
