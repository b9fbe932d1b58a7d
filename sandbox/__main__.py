"""`python -m sandbox [--home DIR] [--speed N|max]`: starts the sandbox's processes and stays until told to stop.

It owns two of them: PostgreSQL for Podium's own database, and the AWS endpoint, which starts everything else when
somebody creates it (a control plane per EKS cluster, nodes per node group, a server per RDS instance).
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from sandbox.aws.clock import Clock
from sandbox.supervisor import Supervisor


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__.split("\n")[0])
    home = Path(os.environ.get("PODIUM_HOME", ".podium"))
    parser.add_argument("--home", type=Path, default=home, help="folder for everything that is kept")
    parser.add_argument("--speed", default="60", help="AWS's durations are divided by this number, or: max")
    parser.add_argument("--parent-pipe", action="store_true", help="stop when stdin ends")
    options = parser.parse_args()
    Clock.parse(options.speed)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    supervisor = Supervisor(options.home.resolve(), options.speed)
    if options.parent_pipe:
        supervisor.stop_with_parent(stopping.set)
    try:
        supervisor.start()
        print("\n".join(f"{name}={value}" for name, value in supervisor.shown().items()))
        print(f"sandbox ready: {supervisor.env_file}", flush=True)
        return supervisor.watch(stopping)
    finally:
        supervisor.stop()


if __name__ == "__main__":
    sys.exit(main())
