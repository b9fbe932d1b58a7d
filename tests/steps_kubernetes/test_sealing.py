"""Sealing, opened again here as the controller does it, by code of its own."""

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from steps.clients.sealing import Sealer
from steps.errors import Code, PodiumError
from tests.steps_kubernetes.recorded_api import certificate

KEY = rsa.generate_private_key(65537, 2048)


def unseal(key: rsa.RSAPrivateKey, sealed: str, label: str) -> str:
    """sealed-secrets' HybridDecrypt: length, wrapped key, AES-GCM with its tag in the last 16 bytes."""
    data = base64.b64decode(sealed)
    length = data[0] * 256 + data[1]
    wrapped, rest = data[2 : 2 + length], data[2 + length :]
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=label.encode())
    session_key = key.decrypt(wrapped, oaep)
    body, tag = rest[:-16], rest[-16:]
    decryptor = Cipher(algorithms.AES(session_key), modes.GCM(bytes(12), tag)).decryptor()
    return (decryptor.update(body) + decryptor.finalize()).decode()


@pytest.mark.parametrize("value", ["placeholder", "", "pässword with ünicode", "x" * 10_000])
def test_a_sealed_value_opens_with_the_controllers_key(value: str) -> None:
    sealed = Sealer(certificate(KEY).decode()).seal("dbos", "conductor-db", value)
    assert unseal(KEY, sealed, "dbos/conductor-db") == value


def test_a_sealed_value_opens_under_its_own_name_only() -> None:
    sealed = Sealer(certificate(KEY).decode()).seal("dbos", "conductor-db", "value")
    with pytest.raises(ValueError, match=r"[Dd]ecryption failed"):
        unseal(KEY, sealed, "dbos/another-name")


def test_the_same_value_never_looks_the_same() -> None:
    sealer = Sealer(certificate(KEY).decode())
    assert sealer.seal("dbos", "a", "value") != sealer.seal("dbos", "a", "value")


@pytest.mark.parametrize("text", ["", "no certificate", certificate(ec.generate_private_key(ec.SECP256R1())).decode()])
def test_what_is_no_rsa_certificate_is_refused(text: str) -> None:
    with pytest.raises(PodiumError) as caught:
        Sealer(text)
    assert caught.value.code is Code.SEALING_FAILED
