"""Seals values for the sealed-secrets controller, as `kubeseal` does, with its public certificate.

Format (sealed-secrets `pkg/crypto/crypto.go`, `HybridEncrypt`; tried against the real controller v0.40):

    2 bytes   length of the encrypted session key, big-endian
    n bytes   session key (32 random bytes), RSA-OAEP with SHA-256 and the label `namespace/name`
    rest      AES-256-GCM of the plaintext under the session key, nonce of zeros (each key is used once), tag at the end

The label is that of the scope `strict`: a sealed value cannot be moved to another name or namespace.
"""

import base64

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from steps.errors import Code, TransientError

SESSION_KEY_BITS = 256
NONCE = bytes(12)


class Sealer:
    """Seals with one certificate; raises SEALING_FAILED, a TransientError, when that is none with an RSA key."""

    def __init__(self, certificate_pem: str) -> None:
        self._key = _public_key(certificate_pem)

    def seal(self, namespace: str, name: str, value: str) -> str:
        """`value` sealed for the Secret of that name, as the base64 text that `spec.encryptedData` holds."""
        session_key = AESGCM.generate_key(SESSION_KEY_BITS)
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), f"{namespace}/{name}".encode())
        wrapped = self._key.encrypt(session_key, oaep)
        sealed = AESGCM(session_key).encrypt(NONCE, value.encode(), None)
        return base64.b64encode(len(wrapped).to_bytes(2, "big") + wrapped + sealed).decode()


def _public_key(certificate_pem: str) -> rsa.RSAPublicKey:
    try:
        key = x509.load_pem_x509_certificate(certificate_pem.encode()).public_key()
    except ValueError as error:
        raise _no_certificate() from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise _no_certificate()
    return key


def _no_certificate() -> TransientError:
    """The controller may be starting, or something between may have answered: worth another try."""
    return TransientError.by_provider(
        Code.SEALING_FAILED,
        "The sealed-secrets controller did not give a certificate with an RSA key.",
        "Check the controller: kubectl -n kube-system logs deployment/sealed-secrets; then retry.",
    )
