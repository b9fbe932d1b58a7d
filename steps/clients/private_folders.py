"""Folders for what only a child process of ours may read, such as a kubeconfig: gone with the block.

A process that is killed leaves its folders; the next one that starts removes them. Whose a folder is, is told by the
lock on a file in it, which the kernel frees when its holder ends; child processes do not inherit it.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "podium-private-"
LOCK = ".lock"
YOUNG_SECONDS = 60
"""A folder without a lock is either being made just now, or was when its maker was killed."""


@contextmanager
def private_folder() -> Iterator[Path]:
    """An empty folder that only this user can read."""
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name, (Path(name) / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(name)


def remove_left_behind() -> int:
    """Removes this user's folders whose processes are gone; how many there were."""
    found = [one for one in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if _is_left(one)]
    for folder in found:
        shutil.rmtree(folder, ignore_errors=True)
    return len(found)


def _is_left(folder: Path) -> bool:
    try:
        about = folder.stat()
    except FileNotFoundError:
        return False
    if about.st_uid != os.getuid():
        return False
    try:
        with (folder / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return time.time() - about.st_mtime > YOUNG_SECONDS
    return True
