"""A program in helm's place that dies as told: `python -m tests.chaos.helm FOLDER HELM ARGUMENT...`.

It runs the real helm. Once a release of it is in the middle (the cluster holds it as pending, or as uninstalling), the
Podium that started it is killed, and with point `helm-dies` helm too; with `helm-outlives` helm goes on alone. Each
release dies once per verb. Imports nothing of the product: helm is started often.
"""

import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

from tests.chaos.points import Memory, Point
from tests.e2e.outside import Cluster

CHANGES = ("upgrade", "rollback", "uninstall")
UNDER_WAY = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")
"""Statuses of a release (helm's pkg/release/status.go) in the middle of something."""
LOOK_SECONDS = 0.02
ROOT = Path(__file__).parents[2]


def write_program(folder: Path, helm: str) -> str:
    """Path of the program that runs this for `helm` with FOLDER's plan."""
    path = folder / "helm"
    command = shlex.join([sys.executable, "-m", "tests.chaos.helm", str(folder), helm])
    path.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {command} "$@"\n')
    path.chmod(0o755)
    return str(path)


def what(arguments: list[str]) -> str:
    """`helm <verb> <release>`"""
    release = next(argument for argument in arguments[1:] if not argument.startswith("-"))
    return f"helm {arguments[0]} {release}"


def main(folder: Path, helm: str, arguments: list[str]) -> int:
    plan, memory = json.loads((folder / "plan.json").read_text()), Memory(folder)
    if arguments[0] not in CHANGES or (Point(plan["point"]), what(arguments)) in memory.died():
        os.execv(helm, [helm, *arguments])  # noqa: S606 - that program, without a shell
    podium, nursery = os.getppid(), int((folder / "nursery").read_text())
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one at a time, or one would outlive another's death unseen
        if os.getppid() != podium or podium == nursery:
            return 1  # orphans belong to the nursery: this one's Podium has died before helm was begun
        process = subprocess.Popen([helm, *arguments])
        if _in_the_middle(process, arguments):
            _die(process, podium, Point(plan["point"]), memory, what(arguments))
        return process.wait()


def _die(process: subprocess.Popen[bytes], podium: int, point: Point, memory: Memory, key: str) -> None:
    if point is Point.HELM_DIES:
        process.kill()
    memory.note_death(point, key)
    os.kill(podium, signal.SIGKILL)
    while os.getppid() == podium:
        time.sleep(LOOK_SECONDS)  # until the kernel has told us so: nobody else may die in the same life


def _in_the_middle(process: subprocess.Popen[bytes], arguments: list[str]) -> bool:
    """False when helm ended before anybody saw it there."""
    options = dict(pairwise(arguments))
    cluster = Cluster({"KUBECONFIG": options["--kubeconfig"]})
    release = f"labelSelector=owner=helm,name={what(arguments).split()[2]}"
    path = f"/api/v1/namespaces/{options['--namespace']}/secrets?{release}"
    try:
        while process.poll() is None:
            found = cluster.get(path)["items"]
            if any(one["metadata"]["labels"]["status"] in UNDER_WAY for one in found):
                return True
            time.sleep(LOOK_SECONDS)  # helm decides
        return False
    finally:
        cluster.http.close()


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
