"""Runs a program that finds files at fixed paths: `python -m sandbox.nodes.mounts --bind SRC:DST … -- PROGRAM ARGS`.

The program gets a mount namespace of its own in which each SRC is also at DST; nothing changes for others. All SRC
and the program are what they were before any of the mounts, even if one hides them. A DST that does not exist is
made there, and only there: the nearest folder above it that exists is replaced by a copy made of bind mounts. Linux
only; needs to be root, or a kernel that allows user namespaces (the program then is root in its own, without power
outside). The program replaces this process.
"""

import ctypes
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 0x1000, 0x2000, 0x4000, 0x40000
USAGE = 2  # exit code
_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> None:
    """Parses the command line, mounts, and becomes the program. SystemExit with the reason when it cannot."""
    binds: list[tuple[str, Path]] = []
    while arguments[:1] == ["--bind"] and len(arguments) > 1:
        origin, separator, place = arguments[1].rpartition(":")
        if not separator or not place.startswith("/"):
            sys.exit(f"--bind takes SRC:DST with an absolute DST, not {arguments[1]!r}")
        binds.append((origin, Path(place)))
        arguments = arguments[2:]
    if arguments[:1] != ["--"] or len(arguments) < 2:
        sys.stderr.write("usage: python -m sandbox.nodes.mounts [--bind SRC:DST]... -- PROGRAM [ARGS]...\n")
        sys.exit(USAGE)
    try:
        program = _open_program(arguments[1])
        enter()
        opened = [(os.open(source, os.O_PATH), target) for source, target in binds]
        for source, target in opened:
            bind(Path(f"/proc/self/fd/{source}"), target)
        os.execve(program, arguments[1:], os.environ)  # noqa: S606 - becoming the program is what this one is for
    except OSError as error:
        sys.exit(f"{arguments[1]}: {error}")


def _open_program(name: str) -> int:
    """A descriptor of the program, since its path may be hidden by a mount; inheritable, as scripts need it."""
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError("no such program")
    descriptor = os.open(path, os.O_PATH)
    os.set_inheritable(descriptor, True)
    return descriptor


def enter() -> None:
    """A mount namespace of our own, whose mounts reach nobody else; in a user namespace where we are not root."""
    uid, gid = os.getuid(), os.getgid()
    try:
        _call("unshare", CLONE_NEWNS)
    except PermissionError:
        _call("unshare", CLONE_NEWUSER | CLONE_NEWNS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    _mount(None, Path("/"), MS_REC | MS_PRIVATE)


def bind(source: Path, target: Path) -> None:
    """Has `source` at `target` too, in this mount namespace."""
    real = target.parent.resolve() / target.name
    if not real.exists():
        _make_room(real)
        if source.is_dir():
            real.mkdir(parents=True)
        else:
            real.parent.mkdir(parents=True, exist_ok=True)
            real.touch()
    _mount(source, real, MS_BIND | MS_REC)


def _make_room(path: Path) -> None:
    """Replaces the nearest existing folder above `path` by a copy in which something can be made."""
    ancestor = next(parent for parent in path.parents if parent.exists())
    if ancestor == Path("/"):
        raise OSError(f"{path} would be a new folder of the root directory, which this program does not make")
    staging = Path(tempfile.mkdtemp(prefix="mounts-"))
    _mount(None, staging, 0, "tmpfs")
    staging.chmod(stat.S_IMODE(ancestor.stat().st_mode))
    for entry in os.scandir(ancestor):
        if Path(entry.path) != staging:
            _copy(entry, staging / entry.name)
    folder = os.open(staging.parent, os.O_PATH)
    _mount(staging, ancestor, MS_MOVE)
    os.rmdir(staging.name, dir_fd=folder)
    os.close(folder)


def _copy(entry: "os.DirEntry[str]", target: Path) -> None:
    """A link as it is, anything else bound."""
    if entry.is_symlink():
        target.symlink_to(os.readlink(entry.path))
        return
    if entry.is_dir():
        target.mkdir()
    else:
        target.touch()
    _mount(Path(entry.path), target, MS_BIND | MS_REC)


def _mount(source: Path | None, target: Path, flags: int, kind: str | None = None) -> None:
    origin = kind or (str(source) if source else None)
    _call("mount", origin and origin.encode(), str(target).encode(), kind and kind.encode(), flags, None)


def _call(function: str, *arguments: object) -> None:
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1:])
