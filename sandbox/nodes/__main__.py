"""`python -m sandbox.nodes`: kubelet and kube-proxy stand-in of one node group."""

import argparse
import asyncio
import logging
import math
import signal
from pathlib import Path

from sandbox import postgres, processes
from sandbox.nodes import agent
from sandbox.nodes.nodes import NodeGroup


def main() -> None:
    """Parses the command line and runs the agent until SIGTERM, SIGINT or, with --parent-pipe, end of stdin."""
    arguments = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    group = NodeGroup(
        arguments.node, arguments.instance_type, arguments.nodegroup, arguments.zone or [], arguments.kubelet_version
    )
    options = agent.Options(
        kubeconfig=arguments.kubeconfig,
        directory=arguments.dir,
        group=group,
        speed=arguments.speed,
        app_python=arguments.app_python.absolute(),
        postgres_bin=postgres.client_programs(),
        pod_network=arguments.pod_network,
        kubelet_client_ca=arguments.kubelet_client_ca,
        real=_real_images() if arguments.real_images else {},
    )
    asyncio.run(_run(options, parent_pipe=arguments.parent_pipe))


async def _run(options: agent.Options, *, parent_pipe: bool) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if parent_pipe:
        processes.exit_with_parent(processes.terminate_self)
    await agent.run(options, stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox.nodes", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--dir", type=Path, required=True, help="state, logs and faults.json; CLUSTER_DIR/nodes")
    parser.add_argument("--node", action="append", required=True, help="name of a Node; once for each")
    parser.add_argument("--zone", action="append", help="availability zone of each --node, in their order")
    parser.add_argument("--nodegroup", default="default", help="label eks.amazonaws.com/nodegroup")
    parser.add_argument("--instance-type", default="t3.medium")
    parser.add_argument("--kubelet-version", help="what the nodes say they run; default: as the API server")
    parser.add_argument("--speed", type=_speed, default=1.0, help="a factor, or max")
    parser.add_argument("--app-python", type=Path, required=True, help="interpreter of the sample application")
    parser.add_argument("--pod-network", action="store_true", help="addresses for pods, Services and nodes: network.py")
    parser.add_argument("--kubelet-client-ca", type=Path, help="CA of those who may read logs; default: anybody")
    parser.add_argument("--real-images", action="store_true", help="run the real programs that were built")
    parser.add_argument("--parent-pipe", action="store_true", help="end when stdin does")
    return parser


def _real_images() -> dict[str, Path]:
    """The programs that are there; a stand-in runs for the others."""
    from sandbox.control_plane.binaries.build import programs  # noqa: PLC0415 - only a real cluster's agent needs it

    return programs()


def _speed(text: str) -> float:
    return math.inf if text == "max" else float(text)


if __name__ == "__main__":
    main()
