"""The token webhook of a real API server: `python -m sandbox.control_plane.authenticator`, as EKS runs one.

Answers TokenReview on https://127.0.0.1:PORT/authenticate with what sandbox/kubernetes/eks_tokens.py finds out.
`webhook_config` makes the file for kube-apiserver's --authentication-token-webhook-config-file; the server needs
`--authentication-token-webhook-version=v1` too, and `--authentication-token-webhook-cache-ttl=10s` so that a removed
access entry and an expired token are noticed soon. As aws-iam-authenticator's, the certificate is self-signed and is
its own authority, kept in CLUSTER_DIR/authenticator.
"""

import asyncio
import base64
import os
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.certificates import self_signed
from sandbox.kubernetes.arguments import parser_of, settings_of
from sandbox.kubernetes.eks_tokens import BadToken, Caller, EksTokens
from sandbox.kubernetes.settings import Settings
from sandbox.processes import exit_with_parent

Object = dict[str, Any]
PATH = "/authenticate"
ADMIN_POLICY = "AmazonEKSClusterAdminPolicy"
ADMIN_GROUP_VARIABLE = "SANDBOX_EKS_ADMIN_GROUP"
ADMIN_GROUP = "system:masters"
"""What EKS's own authorizer grants with the policy, RBAC grants to this group. Other policies grant nothing here."""


def webhook_config(directory: Path, port: int) -> str:
    """The kubeconfig by which kube-apiserver reaches the webhook of the cluster in `directory` on `port`."""
    certificate, _ = _certificate(directory)
    cluster = {
        "server": f"https://127.0.0.1:{port}{PATH}",
        "tls-server-name": "localhost",
        "certificate-authority-data": base64.b64encode(certificate.read_bytes()).decode(),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "authenticator", "cluster": cluster}],
        "users": [{"name": "kube-apiserver", "user": {}}],
        "contexts": [{"name": "webhook", "context": {"cluster": "authenticator", "user": "kube-apiserver"}}],
        "current-context": "webhook",
    }
    return yaml.safe_dump(config, sort_keys=False)


def application(tokens: EksTokens, admin_group: str = ADMIN_GROUP) -> Starlette:
    """The webhook. 500 when AWS cannot be asked: the API server then asks again, as it does for no other status."""

    async def authenticate(request: Request) -> Response:
        review = await request.json()
        try:
            status = _authenticated(await tokens.caller(str(review["spec"]["token"])), admin_group)
        except BadToken as error:
            status = {"authenticated": False, "error": str(error)}
        except httpx2.HTTPError as error:
            return JSONResponse({"message": f"AWS cannot be asked: {error}"}, 500)
        return JSONResponse({"apiVersion": review["apiVersion"], "kind": "TokenReview", "status": status})

    return Starlette(routes=[Route(PATH, authenticate, methods=["POST"])])


def _authenticated(caller: Caller, admin_group: str) -> Object:
    """TokenReview's status, with the uid and the extra fields that EKS gives."""
    admin = any(policy.rpartition("/")[2] == ADMIN_POLICY for policy in caller.policies)
    extra = {"arn": [caller.arn], "canonicalArn": [caller.principal], "sessionName": [caller.session]}
    user = {
        "username": caller.username,
        "uid": f"aws-iam-authenticator:{caller.account}:{caller.user_id}",
        "groups": [*caller.groups, *([admin_group] if admin else [])],
        "extra": extra,
    }
    return {"authenticated": True, "user": user}


def _certificate(directory: Path) -> tuple[Path, Path]:
    return self_signed(directory / "authenticator", "aws-iam-authenticator")


async def serve(settings: Settings, *, parent_pipe: bool) -> None:
    """Answers until SIGTERM, SIGINT or, with `parent_pipe`, the parent's end."""
    certificate, key = _certificate(settings.directory)
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
        tokens = EksTokens(settings, client)
        configuration = uvicorn.Config(
            application(tokens, os.environ.get(ADMIN_GROUP_VARIABLE) or ADMIN_GROUP),
            host="127.0.0.1",
            port=settings.port,
            ssl_certfile=str(certificate),
            ssl_keyfile=str(key),
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(configuration)
        if parent_pipe:
            exit_with_parent(lambda: setattr(server, "should_exit", True))
        await server.serve()


if __name__ == "__main__":
    chosen = parser_of("sandbox.control_plane.authenticator", __doc__).parse_args()
    asyncio.run(serve(settings_of(chosen), parent_pipe=chosen.parent_pipe))
