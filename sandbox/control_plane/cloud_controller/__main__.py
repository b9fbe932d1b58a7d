"""`python -m sandbox.control_plane.cloud_controller`: runs until SIGTERM, SIGINT or, with --parent-pipe, stdin's end.

CLUSTER_DIR/admin.kubeconfig must be there; the API server may come later, or go for a while.
"""

import argparse
import asyncio
import contextlib
import logging
import signal
from pathlib import Path

from sandbox.control_plane.cloud_controller.remote import RemoteObjects
from sandbox.helm.kubeconfig import read_access
from sandbox.kubernetes.controllers.load_balancers import LoadBalancers
from sandbox.kubernetes.controllers.runtime import Worker
from sandbox.kubernetes.settings import Settings
from sandbox.nodes.api import SERVICES, Client, Event
from sandbox.nodes.informer import Informer
from sandbox.processes import exit_with_parent, terminate_self


async def control(settings: Settings) -> None:
    """Keep load balancers for the cluster's Services until cancelled."""
    kubeconfig = settings.directory / "admin.kubeconfig"
    with RemoteObjects(read_access(str(kubeconfig))) as objects:
        worker = Worker(LoadBalancers(objects, settings))

        def noticed(event: Event) -> None:
            worker.notice(event.type, "services", event.object)

        async with Client.from_kubeconfig(kubeconfig) as client, asyncio.TaskGroup() as group:
            group.create_task(Informer(client, SERVICES, handler=noticed).run())
            group.create_task(worker.run())


async def serve(settings: Settings, *, parent_pipe: bool) -> None:
    """Control until SIGTERM or SIGINT."""
    task = asyncio.create_task(control(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    if parent_pipe:
        exit_with_parent(terminate_self)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.control_plane.cloud_controller", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="the cluster's directory, with admin.kubeconfig")
    parser.add_argument("--cluster", required=True, help="the EKS cluster's name")
    parser.add_argument("--account", required=True, help="the AWS account's number")
    parser.add_argument("--region", required=True, help="the AWS region")
    parser.add_argument("--aws-endpoint", required=True, help="URL of the AWS stand-in")
    parser.add_argument("--speed", default="60", help="what AWS's durations are divided by, or max")
    parser.add_argument("--parent-pipe", action="store_true", help="end when stdin does")
    return parser.parse_args()


def main() -> None:
    """The command line."""
    found = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    speed = float("inf") if found.speed == "max" else float(found.speed)
    endpoint = found.aws_endpoint.rstrip("/")
    settings = Settings(found.cluster, found.account, found.region, endpoint, speed, found.dir.resolve())
    asyncio.run(serve(settings, parent_pipe=found.parent_pipe))


if __name__ == "__main__":
    main()
