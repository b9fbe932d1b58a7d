"""`python -m sandbox [--home DIR] [--speed N|max]`: a whole sandbox, until SIGTERM or SIGINT.

Starts Podium's own PostgreSQL and the AWS endpoint (which starts everything else), writes HOME/sandbox.env with what
Podium needs to use them, and starts again what ends by itself. All state is in HOME and survives a restart.
SANDBOX_KUBERNETES=real puts real Kubernetes behind EKS (sandbox/control_plane) instead of the stand-in.
"""

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from sandbox import home as folders
from sandbox.aws.clock import Clock
from sandbox.aws.eks import control_planes
from sandbox.processes import exit_with_parent
from sandbox.supervisor import Supervisor, shown

WATCH = 0.2  # seconds between looks at the processes
ENDING = 30.0  # seconds that a sandbox whose `podium demo` was killed gets to end before the next one takes its folder


def main() -> int:
    options = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if options.parent_pipe:
        exit_with_parent(stopping.set)
    aws_options = ["--speed", options.speed.text, *(["--no-clusters"] if options.no_clusters else [])]
    try:
        if not options.no_clusters:
            control_planes.chosen().require()
        with folders.alone(options.home.resolve(), ENDING if options.parent_pipe else 0.0):
            _run(Supervisor(options.home.resolve(), aws_options), stopping)
    except (folders.AlreadyRunningError, control_planes.UnusableError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


def _run(supervisor: Supervisor, stopping: threading.Event) -> None:
    try:
        environment = supervisor.start()
        sys.stdout.write("\n".join([*shown(environment), f"sandbox ready: {environment}\n"]))
        sys.stdout.flush()
        while not stopping.wait(WATCH):
            supervisor.watch()
    finally:
        supervisor.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    home = Path(os.environ.get("PODIUM_HOME") or ".podium")
    parser.add_argument("--home", type=Path, default=home, help="the sandbox's folder (env PODIUM_HOME)")
    parser.add_argument("--speed", type=Clock.parse, default=Clock(60.0), help="factor on AWS's durations, or max")
    parser.add_argument("--parent-pipe", action="store_true", help="end when stdin does")
    parser.add_argument("--no-clusters", action="store_true", help="EKS without API servers and nodes behind it")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
