"""A PostgreSQL that was built with OpenSSL: the machine's, else Debian's packages unpacked into the cache.

The wheel that the sandbox otherwise uses has no TLS, and RDS has. Debian's programs find their files relative to
themselves, so a package unpacked anywhere runs; shared libraries that the machine lacks are unpacked beside it. Nothing
is installed and nobody need be root; without apt-get, install PostgreSQL and name its programs in SANDBOX_POSTGRES_BIN.
"""

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

from sandbox.postgres import let_pass, tls_programs

Say = Callable[[str], None]
INSTALLED = Path("/usr/lib/postgresql")
PROGRAMS = ("postgres", "initdb", "psql", "pg_config")
SERVER = re.compile(r"postgresql-(\d+)")
NEEDED = re.compile(r"postgresql(-client)?-\d+|lib(?!c6$|c-bin$|llvm|perl)[a-z].*(?<!-dev)")
"""Packages worth unpacking: programs and libraries, but neither the C library nor what only the JIT compiler needs."""
WRAPPER = '#!/bin/sh\nLD_LIBRARY_PATH="{libraries}" exec "{program}" "$@"\n'


class PostgresError(Exception):
    """There is no PostgreSQL with OpenSSL, and none can be had; the message says what to do."""


def find(cache: Path, say: Say, installed: Path = INSTALLED) -> Path:
    """The folder of postgres, initdb and psql; unpacked below `cache` where the machine has none.

    `installed`: where Debian's packages put them. One caller at a time for one `cache`. Raises PostgresError.
    """
    try:
        named = tls_programs()
    except RuntimeError as error:
        raise PostgresError(str(error)) from error
    unpacked = cache / "postgresql" / "bin"
    known = [named] if named else [*_installed(installed), unpacked]
    found = next((folder for folder in known if _has_openssl(folder)), None)
    if found is None and named:
        raise PostgresError(f"SANDBOX_POSTGRES_BIN is {named}, whose PostgreSQL was built without OpenSSL")
    return found or _unpack(cache / "postgresql", say)


def _installed(root: Path) -> list[Path]:
    """Debian's folders of programs, the newest version first."""
    folders = [folder for folder in root.glob("*/bin") if folder.parent.name.isdigit()]
    return sorted(folders, key=lambda folder: int(folder.parent.name), reverse=True)


def _has_openssl(folder: Path) -> bool:
    """Whether the programs run at all, and say that they were built with it."""
    if not all((folder / name).exists() for name in PROGRAMS):
        return False
    try:
        configured = _run([folder / "pg_config", "--configure"], folder)
        _run([folder / "postgres", "--version"], folder)
    except (OSError, subprocess.CalledProcessError):
        return False
    return "openssl" in configured


def _unpack(target: Path, say: Say) -> Path:
    """Download the packages with apt-get and unpack them; what was left of an earlier attempt is made anew."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise PostgresError(
            "no PostgreSQL with OpenSSL here, and no apt-get: install one, name it SANDBOX_POSTGRES_BIN"
        )
    shutil.rmtree(target, ignore_errors=True)
    packages = target / "packages"
    (packages / "partial").mkdir(parents=True)
    try:
        names = _download(target, packages, say)
        for package in packages.glob("*.deb"):
            _run(["dpkg-deb", "--extract", package, target / "root"], target)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise PostgresError(f"PostgreSQL's packages cannot be had: {said[-2000:]}") from error
    folder = _wrap(target)
    if not _has_openssl(folder):
        raise PostgresError(f"PostgreSQL unpacked in {target} from {', '.join(names)} does not run")
    shutil.rmtree(packages)
    return folder


def _download(target: Path, packages: Path, say: Say) -> list[str]:
    """Names of the packages brought into `packages`: with the machine's package lists, else with our own."""
    options: list[str] = []
    server = _newest_server(options, target)
    if server is None:
        say("reading the lists of packages ...")
        options = _own_state(target / "apt")
        _run(["apt-get", *options, "update"], target)
        server = _newest_server(options, target)
    if server is None:
        raise PostgresError("apt-get knows no package postgresql-NN: install PostgreSQL, name it SANDBOX_POSTGRES_BIN")
    simulated = _run(["apt-get", *options, "install", "--simulate", "--no-install-recommends", server], target)
    wanted = re.findall(r"^Inst (\S+)", simulated, re.MULTILINE)
    names = [name for name in wanted if NEEDED.fullmatch(name)] or [server]
    say(f"downloading {', '.join(names)} ...")
    _run(["apt-get", *options, "download", *names], packages)
    return names


def _newest_server(options: list[str], folder: Path) -> str | None:
    found = _run(["apt-cache", *options, "search", "--names-only", r"^postgresql-[0-9]+$"], folder)
    versions = [int(match[1]) for line in found.splitlines() if (match := SERVER.fullmatch(line.split(" ")[0]))]
    return f"postgresql-{max(versions)}" if versions else None


def _own_state(folder: Path) -> list[str]:
    """Options with which apt-get keeps its lists in `folder`; which packages are installed it reads as always."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    places = {"Dir::State::Lists": folder / "lists", "Dir::Cache": folder / "cache"}
    return [part for name, place in places.items() for part in ("-o", f"{name}={place}")]


def _wrap(target: Path) -> Path:
    """A folder of scripts that start the unpacked programs with the unpacked libraries."""
    real = _installed(target / "root" / INSTALLED.relative_to("/"))
    if not real:
        raise PostgresError(f"the packages in {target} hold no programs of PostgreSQL")
    libraries = {str(path.parent) for path in (target / "root").rglob("lib*.so*")}
    folder = target / "bin"
    folder.mkdir(exist_ok=True)
    for program in real[0].iterdir():
        script = folder / program.name
        script.write_text(WRAPPER.format(libraries=":".join(sorted(libraries)), program=program))
        script.chmod(script.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    if os.geteuid() == 0:  # servers then run as another user
        let_pass(folder / "postgres")
    return folder


def _run(command: list[str | Path], folder: Path) -> str:
    """What it prints; raises OSError, CalledProcessError."""
    arguments = [str(part) for part in command]
    environment = os.environ | {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    return done.stdout
