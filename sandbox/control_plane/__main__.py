"""A cluster with a real control plane, on https://127.0.0.1:PORT; the arguments are those of `sandbox.kubernetes`.

`python -m sandbox.control_plane --dir CLUSTER_DIR --port P --cluster NAME --account A --region R --aws-endpoint URL`
starts etcd, kube-apiserver, kube-controller-manager, kube-scheduler, EKS's authenticator and the cloud controller, in
a private network (sandbox/control_plane/network.py). CLUSTER_DIR has admin.kubeconfig, ca.crt, audit.log and logs/;
`ready` while all answer. State survives kill -9, and no process does.
"""

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from sandbox.control_plane import certificates
from sandbox.control_plane.commands import ControlPlane, Ports
from sandbox.control_plane.requirements import UnavailableError, require
from sandbox.control_plane.supervisor import NotReadyError, Supervisor
from sandbox.helm.errors import HelmError
from sandbox.home import AlreadyRunningError, alone
from sandbox.kubernetes.arguments import parser_of, settings_of
from sandbox.kubernetes.kubeconfig import ensure_kubeconfig
from sandbox.processes import exit_with_parent, free_port, free_ports

PATIENCE = 10.0  # seconds that the processes of a killed predecessor get to give back the port and the folder
BOOTSTRAP_VARIABLE = "SANDBOX_EKS_BOOTSTRAP_MANIFEST"
"""Names a YAML file that the administrator applies when a cluster comes up, e.g. deploy/kubernetes/rbac.yaml."""


def main() -> int:
    """The command line."""
    arguments = parser_of("sandbox.control_plane", __doc__).parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if arguments.parent_pipe:
        exit_with_parent(stopping.set)
    manifest = os.environ.get(BOOTSTRAP_VARIABLE)
    try:
        there = require()
        with alone(arguments.dir.resolve(), PATIENCE):
            Supervisor(_plane(arguments, there), Path(manifest) if manifest else None).run(stopping)
    except (UnavailableError, AlreadyRunningError, NotReadyError, HelmError, OSError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


def _plane(arguments: argparse.Namespace, there: dict[str, Path]) -> ControlPlane:
    settings = settings_of(arguments)
    if free_port(settings.port, PATIENCE) != settings.port:
        raise UnavailableError(f"port {settings.port} is taken")
    made = certificates.ensure(settings.directory)
    token = ensure_kubeconfig(settings, made.authority.certificate)
    ports = Ports(*free_ports(4, besides=settings.port))
    return ControlPlane(settings, there, made, ports, token, arguments.speed)


if __name__ == "__main__":
    raise SystemExit(main())
