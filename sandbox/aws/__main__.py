"""`python -m sandbox.aws --home HOME --port P --speed S`: the AWS endpoint as a process of its own."""

import argparse
import faulthandler
import logging
import signal
import threading
from pathlib import Path

from sandbox.aws.clock import Clock
from sandbox.aws.server import Server
from sandbox.home import alone
from sandbox.processes import exit_with_parent

PATIENCE = 30.0  # seconds that the AWS process before us, whose supervisor was killed, gets to stop and save


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.aws", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the sandbox's folder")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--speed", type=Clock.parse, default=Clock(60.0), help="factor on AWS's durations, or max")
    parser.add_argument("--parent-pipe", action="store_true", help="end when stdin does")
    parser.add_argument("--no-clusters", action="store_true", help="EKS without API servers and nodes behind it")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    faulthandler.register(signal.SIGUSR1)  # kill -USR1 writes what every thread is doing into the log
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if options.parent_pipe:
        exit_with_parent(stopping.set)
    home = options.home.resolve()
    with alone(home / "aws", PATIENCE):
        server = Server(home, options.port, options.speed, with_clusters=not options.no_clusters)
        server.start()
        stopping.wait()
        server.stop()


if __name__ == "__main__":
    main()
