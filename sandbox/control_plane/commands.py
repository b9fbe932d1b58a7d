"""The command lines of a control plane's programs. Where EKS's own differ is said beside the flag."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.control_plane.authority import Pair
from sandbox.control_plane.certificates import Certificates
from sandbox.control_plane.kubeconfigs import write_client, write_token
from sandbox.control_plane.network import ADVERTISED, SERVICES
from sandbox.files import write_private
from sandbox.kubernetes.settings import Settings

AUDIT_POLICY = Path(__file__).with_name("audit_policy.yaml")
ADMIN, ADMIN_GROUP = "kubernetes-admin", "system:masters"


@dataclass(frozen=True)
class Ports:
    """On 127.0.0.1; chosen anew at every start, nobody outside the control plane needs them."""

    etcd: int
    controller_manager: int
    scheduler: int
    authenticator: int


@dataclass(frozen=True)
class ControlPlane:
    """What the command lines are made of. `speed`: as the command line takes it."""

    settings: Settings
    programs: Mapping[str, Path]
    certificates: Certificates
    ports: Ports
    admin_token: str
    speed: str

    @property
    def url(self) -> str:
        """The API server's."""
        return f"https://127.0.0.1:{self.settings.port}"

    @property
    def files(self) -> Path:
        """The folder of what is written for the programs."""
        return self.settings.directory / "pki"

    def etcd(self) -> list[str]:
        """One member. What the machine has not yet written to its disk is lost with the machine, not with a kill -9."""
        url, ours = f"https://127.0.0.1:{self.ports.etcd}", self.certificates
        return [
            str(self.programs["etcd"]),
            "--name=member",
            f"--data-dir={self.settings.directory / 'etcd'}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            "--listen-peer-urls=http://127.0.0.1:0",
            "--initial-advertise-peer-urls=http://127.0.0.1:0",
            "--initial-cluster=member=http://127.0.0.1:0",
            *_serving(ours.etcd, "--cert-file", "--key-file"),
            f"--trusted-ca-file={ours.etcd_authority.certificate}",
            "--client-cert-auth",
            "--unsafe-no-fsync",  # a sandbox need not survive a power cut; a write then costs no wait for the disk
            "--heartbeat-interval=50",  # ms; nobody else votes, so
            "--election-timeout=500",  # the only member need not wait long before it leads
            "--log-level=warn",
        ]

    def api_server(self) -> list[str]:
        """TLS, RBAC, every kind of caller that EKS knows, and a record of who asked for what.

        It listens on all addresses of its private network, since the Service `kubernetes` leads to ADVERTISED.
        """
        ours, directory = self.certificates, self.settings.directory
        tokens = write_token(self.files / "tokens.csv", self.admin_token, ADMIN, ADMIN_GROUP)
        return [
            str(self.programs["kube-apiserver"]),
            "--bind-address=0.0.0.0",
            f"--secure-port={self.settings.port}",
            f"--advertise-address={ADVERTISED}",
            f"--service-cluster-ip-range={SERVICES}",
            f"--etcd-servers=https://127.0.0.1:{self.ports.etcd}",
            f"--etcd-cafile={ours.etcd_authority.certificate}",
            *_serving(ours.etcd_client, "--etcd-certfile", "--etcd-keyfile"),
            *_serving(ours.api_server, "--tls-cert-file", "--tls-private-key-file"),
            f"--client-ca-file={ours.authority.certificate}",
            f"--token-auth-file={tokens}",  # EKS has no such file: its own administrator uses a certificate
            *self._webhook(),
            "--authorization-mode=Node,RBAC",  # and, on EKS, a webhook for its access policies
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            "--service-account-issuer=https://kubernetes.default.svc",  # on EKS the cluster's OIDC provider
            f"--service-account-signing-key-file={ours.service_account_key}",
            f"--service-account-key-file={ours.service_account_key.with_suffix('.pub')}",
            f"--requestheader-client-ca-file={ours.proxy_authority.certificate}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            *_serving(ours.proxy_client, "--proxy-client-cert-file", "--proxy-client-key-file"),
            "--enable-aggregator-routing=true",
            # A kubelet's certificate is not checked, as kubeadm leaves it: the node agent makes its own.
            *_serving(ours.kubelet_client, "--kubelet-client-certificate", "--kubelet-client-key"),
            "--kubelet-preferred-address-types=InternalIP,Hostname",
            f"--audit-policy-file={AUDIT_POLICY}",
            f"--audit-log-path={directory / 'audit.log'}",
            "--audit-log-maxsize=200",  # MB
            "--profiling=false",
        ]

    def controller_manager(self) -> list[str]:
        """All controllers, each with its own service account. Alone, so it need not wait to be elected."""
        ours, name = self.certificates, "kube-controller-manager"
        return [
            *self._client(name, ours.controller_manager, self.ports.controller_manager),
            f"--cluster-name={self.settings.cluster}",
            f"--root-ca-file={ours.authority.certificate}",
            f"--cluster-signing-cert-file={ours.authority.certificate}",
            f"--cluster-signing-key-file={ours.authority.key}",
            f"--service-account-private-key-file={ours.service_account_key}",
            "--use-service-account-credentials=true",
            "--allocate-node-cidrs=false",
            f"--service-cluster-ip-range={SERVICES}",
            "--kube-api-qps=200",  # ten times the default: a sandbox's minute is a second
            "--kube-api-burst=400",
        ]

    def scheduler(self) -> list[str]:
        """The default profile."""
        name = "kube-scheduler"
        return [
            *self._client(name, self.certificates.scheduler, self.ports.scheduler),
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        ]

    def authenticator(self) -> list[str]:
        """The webhook that checks EKS's tokens."""
        return [*self._own("authenticator"), f"--port={self.ports.authenticator}"]

    def cloud_controller(self) -> list[str]:
        """What makes load balancers in AWS."""
        return [*self._own("cloud_controller"), f"--speed={self.speed}"]

    def _own(self, module: str) -> list[str]:
        about = self.settings
        return [
            sys.executable,
            "-m",
            f"sandbox.control_plane.{module}",
            f"--dir={about.directory}",
            f"--cluster={about.cluster}",
            f"--account={about.account}",
            f"--region={about.region}",
            f"--aws-endpoint={about.aws_endpoint}",
        ]

    def _client(self, name: str, pair: Pair, port: int) -> list[str]:
        kubeconfig = write_client(self.files / f"{name}.conf", self.url, self.certificates.authority.certificate, pair)
        return [
            str(self.programs[name]),
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            *_serving(pair, "--tls-cert-file", "--tls-private-key-file"),
            "--leader-elect=false",
            "--profiling=false",
        ]

    def _webhook(self) -> list[str]:
        from sandbox.control_plane.authenticator import webhook_config  # noqa: PLC0415 - brings a web server along

        path = self.files / "authenticator.conf"
        write_private(path, webhook_config(self.settings.directory, self.ports.authenticator).encode())
        return [
            f"--authentication-token-webhook-config-file={path}",
            "--authentication-token-webhook-version=v1",
            "--authentication-token-webhook-cache-ttl=10s",  # a removed access entry is noticed soon
        ]


def _serving(pair: Pair, certificate: str, key: str) -> list[str]:
    return [f"{certificate}={pair.certificate}", f"{key}={pair.key}"]
