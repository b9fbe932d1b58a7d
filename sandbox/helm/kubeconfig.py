"""Reads where the API server is, and how to be known to it, from a kubeconfig."""

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.helm.errors import HelmError


@dataclass(frozen=True, slots=True)
class Access:
    """One cluster as a kubeconfig's context gives it. `ca` is PEM; None with `insecure` or plain http."""

    server: str
    ca: str | None
    token: str | None
    namespace: str
    insecure: bool = False


def read_access(path: str | None, context: str | None = None) -> Access:
    """The access that the kubeconfig at `path` (else $KUBECONFIG, else ~/.kube/config) names; raises HelmError.

    Without such a file it is http://localhost:8080, as client-go has it.
    """
    file = Path(path or os.environ.get("KUBECONFIG", "").split(os.pathsep)[0] or Path.home() / ".kube" / "config")
    if not file.is_file():
        return Access("http://localhost:8080", None, None, "default")
    config = load_yaml(file)
    chosen = _named(config, "contexts", context or config.get("current-context", ""))["context"]
    cluster = _named(config, "clusters", chosen["cluster"])["cluster"]
    user = _named(config, "users", chosen.get("user", ""))["user"] or {}
    return Access(
        server=cluster["server"].rstrip("/"),
        ca=_ca(cluster),
        token=_token(user),
        namespace=chosen.get("namespace") or "default",
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
    )


def load_yaml(file: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises HelmError when it is none."""
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, yaml.YAMLError) as error:
        raise HelmError(f"failed to parse {file}: {error}") from error
    if not isinstance(content or {}, dict):
        raise HelmError(f"failed to parse {file}: error unmarshaling JSON: cannot unmarshal into a mapping")
    return content or {}


def _named(config: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    for entry in config.get(kind) or []:
        if entry.get("name") == name:
            return dict(entry)
    raise HelmError(f'Kubernetes cluster unreachable: context "{name}" does not exist')


def _ca(cluster: dict[str, Any]) -> str | None:
    if cluster.get("certificate-authority-data"):
        return base64.b64decode(cluster["certificate-authority-data"]).decode()
    if cluster.get("certificate-authority"):
        return Path(cluster["certificate-authority"]).read_text(encoding="utf-8")
    return None


def _token(user: dict[str, Any]) -> str | None:
    if user.get("exec") or user.get("auth-provider"):
        raise HelmError("the sandbox's helm takes kubeconfigs with a token only, not exec or auth-provider plugins")
    if user.get("tokenFile"):
        return Path(user["tokenFile"]).read_text(encoding="utf-8").strip()
    token: str | None = user.get("token")
    return token
