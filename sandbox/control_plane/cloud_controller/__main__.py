"""`python -m sandbox.control_plane.cloud_controller`: runs until SIGTERM, SIGINT or, with --parent-pipe, stdin's end.

CLUSTER_DIR/admin.kubeconfig must be there; the API server may come later, or go for a while.
"""

import asyncio
import contextlib
import logging
import signal

from sandbox.control_plane.cloud_controller.remote import RemoteObjects
from sandbox.helm.kubeconfig import read_access
from sandbox.kubernetes.arguments import parser_of, settings_of
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


def main() -> None:
    """The command line."""
    found = parser_of("sandbox.control_plane.cloud_controller", __doc__, port=False).parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    asyncio.run(serve(settings_of(found), parent_pipe=found.parent_pipe))


if __name__ == "__main__":
    main()
