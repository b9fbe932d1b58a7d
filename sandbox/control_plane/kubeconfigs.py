"""The kubeconfigs by which the control plane's own programs, known by certificates, reach their API server."""

from pathlib import Path

import yaml

from sandbox.control_plane.authority import Pair
from sandbox.files import write_private


def write_client(path: Path, server: str, authority: Path, client: Pair) -> Path:
    """A kubeconfig in `path` (0600) with one context: `client` at `server`, an https URL. Returns `path`."""
    user = {"client-certificate": str(client.certificate), "client-key": str(client.key)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": server, "certificate-authority": str(authority)}}],
        "users": [{"name": "self", "user": user}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "self"}}],
        "current-context": "here",
    }
    write_private(path, yaml.safe_dump(config, sort_keys=False).encode())
    return path


def write_token(path: Path, token: str, user: str, group: str) -> Path:
    """A static token file (0600) for --token-auth-file. Returns `path`."""
    write_private(path, f'{token},{user},{user},"{group}"\n'.encode())
    return path
