"""Chart archives: `<name>-<version>.tgz`, every file below a folder of the chart's name, as `helm package` makes it."""

import gzip
import io
import tarfile

import yaml

from sandbox.helm.errors import HelmError

Files = dict[str, str]
"""Text by path within the chart, e.g. `templates/service.yaml`."""


def pack(name: str, files: Files) -> bytes:
    """The archive; the same files give the same bytes."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(files):
            data = files[path].encode()
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)


def unpack(data: bytes) -> Files:
    """The text files of an archive; raises HelmError when it is none, or holds no Chart.yaml."""
    files: Files = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            for member in archive.getmembers():
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None:
                    files[member.name.partition("/")[2]] = content.read().decode(errors="replace")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise HelmError(f"file does not appear to be a gzipped archive: {error}") from error
    if "Chart.yaml" not in files:
        raise HelmError("Chart.yaml file is missing")
    return files


def metadata_of(files: Files) -> dict[str, object]:
    """The chart's Chart.yaml."""
    found = yaml.load(files["Chart.yaml"], Loader=yaml.CSafeLoader)
    return found if isinstance(found, dict) else {}


def archive_name(metadata: dict[str, object]) -> str:
    """`keda-2.21.1.tgz`."""
    return f"{metadata['name']}-{metadata['version']}.tgz"
