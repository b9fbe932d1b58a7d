"""Tokens of ServiceAccounts: JWTs signed by the cluster (TokenRequest), good while account and pod are there.

Source: k8s.io/kubernetes/pkg/serviceaccount (claims), KEP-1205.
"""

import base64
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from sandbox.kubernetes.identity import Identity, service_account
from sandbox.kubernetes.store import Store

AUDIENCE = ISSUER = "https://kubernetes.default.svc"
_SIZE = 32  # bytes of each half of an ES256 signature
_ALGORITHM = ec.ECDSA(hashes.SHA256())


class Tokens:
    """Issues and checks the tokens of one cluster; its key is in CLUSTER_DIR/service-account.key."""

    def __init__(self, directory: Path, store: Store) -> None:
        self._store = store
        self._key = _key(directory / "service-account.key")

    def issue(self, account: dict[str, Any], audiences: list[str], seconds: int, pod: dict[str, Any] | None) -> str:
        """A token for `seconds` from now, bound to the pod when there is one."""
        meta, now = account["metadata"], int(time.time())
        about = {"namespace": meta["namespace"], "serviceaccount": {"name": meta["name"], "uid": meta["uid"]}}
        if pod:
            about["pod"] = {"name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        claims = {
            "aud": audiences,
            "exp": now + seconds,
            "iat": now,
            "iss": ISSUER,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": about,
            "nbf": now,
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        }
        body = f"{_encoded({'alg': 'ES256', 'typ': 'JWT'})}.{_encoded(claims)}"
        halves = decode_dss_signature(self._key.sign(body.encode(), _ALGORITHM))
        return f"{body}.{_base64(b''.join(half.to_bytes(_SIZE, 'big') for half in halves))}"

    def identity(self, token: str, audience: str = AUDIENCE) -> Identity | None:
        """Whose token it is; None when it is not a token of this cluster or is no longer good."""
        claims = self._claims(token)
        if claims is None or audience not in claims["aud"] or not claims["nbf"] <= time.time() < claims["exp"]:
            return None
        about = claims["kubernetes.io"]
        account, pod = about["serviceaccount"], about.get("pod")
        if not self._is_there("serviceaccounts", about["namespace"], account):
            return None
        if pod and not self._is_there("pods", about["namespace"], pod):
            return None
        return service_account(about["namespace"], account["name"], account["uid"])

    def _is_there(self, kind: str, namespace: str, reference: dict[str, Any]) -> bool:
        found = self._store.peek(kind, namespace, reference["name"])
        return found is not None and found["metadata"]["uid"] == reference["uid"]

    def _claims(self, token: str) -> dict[str, Any] | None:
        try:
            body, _, signature = token.rpartition(".")
            raw = _decoded(signature)
            pair = encode_dss_signature(int.from_bytes(raw[:_SIZE], "big"), int.from_bytes(raw[_SIZE:], "big"))
            self._key.public_key().verify(pair, body.encode(), _ALGORITHM)
            claims: dict[str, Any] = json.loads(_decoded(body.partition(".")[2]))
        except (ValueError, InvalidSignature):
            return None
        return claims


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    if path.exists():
        loaded = serialization.load_pem_private_key(path.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)  # noqa: S101 (we wrote it)
        return loaded
    key = ec.generate_private_key(ec.SECP256R1())
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
    return key


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _encoded(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
