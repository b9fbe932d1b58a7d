"""admin.kubeconfig: the endpoint, the authority and the administrator's static token, kept across restarts."""

import base64
import os
import secrets
from pathlib import Path

import yaml

from sandbox.kubernetes.settings import Settings


def ensure_kubeconfig(settings: Settings, authority: Path) -> str:
    """Writes CLUSTER_DIR/admin.kubeconfig (0600) for the present port; returns the administrator's token."""
    path = settings.directory / "admin.kubeconfig"
    token = _known_token(path) or secrets.token_urlsafe(32)
    data = base64.b64encode(authority.read_bytes()).decode()
    server = f"https://127.0.0.1:{settings.port}"
    name = settings.arn
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": data}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
        "preferences": {},
    }
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        yaml.safe_dump(config, file, sort_keys=False)
    fresh.replace(path)
    return token


def _known_token(path: Path) -> str | None:
    if not path.exists():
        return None
    config = yaml.safe_load(path.read_text())
    token: str = config["users"][0]["user"]["token"]
    return token
