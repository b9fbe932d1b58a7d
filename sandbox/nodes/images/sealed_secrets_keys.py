"""The key pairs of the sealed-secrets controller, and opening what was sealed for them.

Kept as Secrets of type kubernetes.io/tls beside the controller, labelled as the real one labels them; every such key
can open, the newest one's certificate is handed out. Sealed value: 2-byte big-endian length n, n bytes RSA-OAEP-SHA256
of the session key (label: the scope), then AES-256-GCM of the plaintext with a zero nonce.
"""

import asyncio
import base64
import datetime
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sandbox.nodes.api import SECRETS, Client, Object

KEY_LABEL = "sealedsecrets.bitnami.com/sealed-secrets-key"
KEY_PREFIX = "sealed-secrets-key"
KEY_BITS = 2048
"""The real controller makes 4096, which takes seconds of a laptop; the sealed format is the same."""
VALID_DAYS = 3650
NONCE = bytes(12)
CANNOT_DECRYPT = "no key could decrypt secret"


class SealError(Exception):
    """A value cannot be opened; the message is the real controller's."""


@dataclass(frozen=True)
class KeyPair:
    """One private key and its certificate (PEM)."""

    private: rsa.RSAPrivateKey
    certificate: bytes


class KeyRing:
    """All active keys, newest last."""

    def __init__(self, pairs: list[KeyPair]) -> None:
        self._pairs = pairs

    @classmethod
    async def load(cls, api: Client, namespace: str) -> "KeyRing":
        """The keys in the namespace; makes and stores the first one when there is none."""
        found = (await api.list(SECRETS, namespace, labelSelector=f"{KEY_LABEL}=active")).items
        if not found:
            secret = _as_secret(await asyncio.to_thread(generate), namespace)
            found = [await api.create(SECRETS, secret, namespace)]
        found.sort(key=lambda secret: str(secret["metadata"]["creationTimestamp"]))
        return cls([_from_secret(secret) for secret in found])

    @property
    def certificate(self) -> bytes:
        """The newest certificate (PEM)."""
        return self._pairs[-1].certificate

    def open(self, sealed: str, label: bytes) -> bytes:
        """The plaintext of one base64 value; `SealError` when none of the keys opens it under that label."""
        try:
            data = base64.b64decode(sealed, validate=True)
        except ValueError:
            raise SealError("illegal base64 data") from None
        for pair in self._pairs:
            plain = _open(pair.private, data, label)
            if plain is not None:
                return plain
        raise SealError(CANNOT_DECRYPT)


def generate() -> KeyPair:
    """A new key with a self-signed certificate; takes a noticeable fraction of a second."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .sign(private, hashes.SHA256())
    )
    return KeyPair(private, certificate.public_bytes(serialization.Encoding.PEM))


def _open(private: rsa.RSAPrivateKey, data: bytes, label: bytes) -> bytes | None:
    length = int.from_bytes(data[:2], "big")
    scheme = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=label)
    try:
        session_key = private.decrypt(data[2 : 2 + length], scheme)
        return AESGCM(session_key).decrypt(NONCE, data[2 + length :], None)
    except (ValueError, InvalidTag):
        return None


def _as_secret(pair: KeyPair, namespace: str) -> Object:
    private = pair.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"generateName": KEY_PREFIX, "namespace": namespace, "labels": {KEY_LABEL: "active"}},
        "type": "kubernetes.io/tls",
        "data": {
            "tls.key": base64.b64encode(private).decode(),
            "tls.crt": base64.b64encode(pair.certificate).decode(),
        },
    }


def _from_secret(secret: Object) -> KeyPair:
    private = serialization.load_pem_private_key(base64.b64decode(secret["data"]["tls.key"]), None)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise TypeError("Private key is not an RSA key")
    return KeyPair(private, base64.b64decode(secret["data"]["tls.crt"]))
