"""Writes the files of a volume so that a reader sees all old or all new ones, as the kubelet's AtomicWriter does.

`FOLDER/tls.crt -> ..data/tls.crt`, `FOLDER/..data -> ..1a2b`; a change makes a new folder and swaps `..data`.
Source: k8s.io/kubernetes pkg/volume/util/atomic_writer.go.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DATA = "..data"


@dataclass(frozen=True)
class File:
    """A file's content and permission bits."""

    content: bytes
    mode: int = 0o644


def write(folder: Path, files: Mapping[str, File]) -> bool:
    """Makes the files (relative paths) the content of `folder`; False when they were already."""
    folder.mkdir(parents=True, exist_ok=True)
    current = folder / DATA
    old = current.resolve() if current.is_symlink() else None
    if old is not None and _read(old) == files:
        return False
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    fresh.chmod(0o755)
    for path, file in files.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
        target.chmod(file.mode | 0o200)
        target.write_bytes(file.content)
        target.chmod(file.mode)
    _link(current, fresh.name)
    _show(folder, {Path(path).parts[0] for path in files})
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
    return True


def _read(folder: Path) -> dict[str, File]:
    found = (path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else iter(())
    return {str(path.relative_to(folder)): File(path.read_bytes(), path.stat().st_mode & 0o777) for path in found}


def _show(folder: Path, names: set[str]) -> None:
    """Has `folder` show exactly these top-level names, each a link into `..data`."""
    for path in folder.iterdir():
        if not path.name.startswith("..") and path.name not in names:
            path.unlink()
    for name in names:
        if not (folder / name).is_symlink():
            _link(folder / name, f"{DATA}/{name}")


def _link(path: Path, target: str) -> None:
    """Makes `path` a symbolic link to `target`, in one step."""
    fresh = path.with_name(f"..new-{path.name}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    os.replace(fresh, path)
