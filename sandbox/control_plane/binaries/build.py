"""Builds the recipes into the cache. Safe to interrupt: what was built stays, Go's own cache keeps the rest."""

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.control_plane.binaries import found, go
from sandbox.control_plane.binaries.recipes import RECIPES, Recipe

Say = Callable[[str], None]


def cache_directory() -> Path:
    """`PODIUM_CACHE`, else a folder `podium` where the user's caches are."""
    if chosen := os.environ.get("PODIUM_CACHE"):
        return Path(chosen).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "podium"


def programs() -> dict[str, Path]:
    """Path of every program that is there already: found on this machine, else built."""
    return {name: path for recipe in RECIPES for name, path in _paths(recipe).items() if path.exists()}


def build_all(say: Say) -> dict[str, Path]:
    """Builds what is neither found nor built yet, one recipe after the other, and says what takes how long.

    Raises GoError with the end of the compiler's output.
    """
    with _alone(cache_directory()):
        return {name: path for recipe in RECIPES for name, path in _build(recipe, say).items()}


def data_module(path: str, version: str) -> Path:
    """The folder of a module in Go's module cache, read-only."""
    answer = _run([_go(), "mod", "download", "-json", f"{path}@{version}"], cache_directory())
    return Path(json.loads(answer)["Dir"])


def _build(recipe: Recipe, say: Say) -> dict[str, Path]:
    paths = _paths(recipe)
    for path in paths.values():
        if not path.is_relative_to(cache_directory()):
            say(f"using {path} ({found.version_of(path).splitlines()[0]})")
    missing = [name for name, path in paths.items() if not path.exists()]
    if not missing:
        return paths
    sources = cache_directory() / "sources" / recipe.key
    _write_module(recipe, sources)
    for name in missing:
        say(f"building {name} {recipe.version} ...")
        started = time.monotonic()
        _compile(recipe, name, sources, paths[name])
        say(f"built {name} {recipe.version} in {time.monotonic() - started:.0f} s")
    return paths


def _paths(recipe: Recipe) -> dict[str, Path]:
    built = cache_directory() / "bin" / recipe.key
    return {name: found.find(recipe, name) or built / name for name in recipe.programs}


def _write_module(recipe: Recipe, folder: Path) -> None:
    """A module that requires the recipe's, with the replacements that it needs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go.mod").write_text("module podium.invalid/build\n\ngo 1.24\n")
    edits = ["-require", f"{recipe.module}@{recipe.version}"]
    if recipe.origin:
        edits += ["-replace", f"{recipe.module}={recipe.origin}@{recipe.version}"]
    if recipe.staging:
        edits += [f"-replace={path}={path}@{recipe.staging}" for path in _staged(recipe)]
    _run([_go(), "mod", "edit", *edits], folder)


def _staged(recipe: Recipe) -> list[str]:
    """The modules that the recipe's asks for as v0.0.0."""
    at = f"{recipe.origin or recipe.module}@{recipe.version}"
    downloaded = json.loads(_run([_go(), "mod", "download", "-json", at], cache_directory()))
    described = json.loads(_run([_go(), "mod", "edit", "-json", downloaded["GoMod"]], cache_directory()))
    return [str(item["Path"]) for item in described["Require"] if item["Version"] == "v0.0.0"]


def _compile(recipe: Recipe, name: str, sources: Path, target: Path) -> None:
    package = "/".join(part for part in (recipe.module, recipe.programs[name]) if part)
    flags = " ".join(["-s -w", *(f"-X {variable}={value}" for variable, value in recipe.stamps.items())])
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    _run([_go(), "build", "-trimpath", "-ldflags", flags, "-o", partial, package], sources)
    partial.rename(target)


def _go() -> Path:
    return go.program(cache_directory())


def _run(command: list[Any], folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [str(part) for part in command]
    done = subprocess.run(
        arguments,
        cwd=folder,
        env=go.environment(),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise go.GoError(f"{' '.join(arguments[:3])} in {folder} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One build at a time: a second one waits, and then finds everything built."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
