"""The sealed-secrets controller against a real API server; values are sealed by code of the test's own."""

import base64
import os

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sandbox.nodes.api import SECRETS, Object
from sandbox.nodes.images.sealed_secrets import SEALED_SECRETS
from sandbox.nodes.images.sealed_secrets_keys import KEY_LABEL
from sandbox.processes import free_port
from tests.sandbox.operators.conftest import Cluster, until

IMAGE = "docker.io/bitnami/sealed-secrets-controller:0.40.0"


class Sealer:
    """What kubeseal does with the controller's certificate."""

    def __init__(self, certificate: bytes, namespace: str) -> None:
        key = x509.load_pem_x509_certificate(certificate).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        self._key, self._namespace = key, namespace

    def seal(self, name: str, value: bytes) -> str:
        session_key = os.urandom(32)
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), f"{self._namespace}/{name}".encode())
        sealed_key = self._key.encrypt(session_key, oaep)
        sealed = AESGCM(session_key).encrypt(bytes(12), value, None)
        return base64.b64encode(len(sealed_key).to_bytes(2, "big") + sealed_key + sealed).decode()


async def start(cluster: Cluster) -> Sealer:
    """Starts the controller and fetches its certificate as a client does."""
    port = free_port()
    await cluster.start(IMAGE, {8080: port}, {})
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:

        async def healthy() -> bool:
            try:
                return (await http.get("/healthz")).status_code == 200
            except httpx2.TransportError:
                return False

        await until(healthy)
        answer = await http.get("/v1/cert.pem")
    return Sealer(answer.content, cluster.namespace)


def condition(sealed: Object) -> tuple[str, str]:
    """(status, message) of the condition Synced for the newest generation; empty before."""
    status = sealed.get("status") or {}
    if status.get("observedGeneration") != sealed["metadata"]["generation"]:
        return "", ""
    synced = next(item for item in status["conditions"] if item["type"] == "Synced")
    return synced["status"], synced.get("message", "")


async def test_a_sealed_secret_becomes_a_secret_and_follows_its_changes(cluster: Cluster) -> None:
    sealer = await start(cluster)
    template = {"type": "example.com/kind", "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}}
    data = {"password": sealer.seal("db", b"s3cret"), "url": sealer.seal("db", b"postgresql://x")}
    spec = {"encryptedData": data, "template": template}
    sealed = await cluster.create(SEALED_SECRETS, "SealedSecret", "db", spec=spec)
    await cluster.eventually(SEALED_SECRETS, "db", lambda found: condition(found) == ("True", ""))
    secret = await cluster.api.get(SECRETS, "db", cluster.namespace)
    assert {name: base64.b64decode(value) for name, value in secret["data"].items()} == {
        "password": b"s3cret",
        "url": b"postgresql://x",
    }
    assert secret["type"] == "example.com/kind"
    assert secret["metadata"]["labels"] == {"a": "b"}
    assert secret["metadata"]["annotations"] == {"c": "d"}
    owner = secret["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("SealedSecret", sealed["metadata"]["uid"], True)

    changed = {"spec": {"encryptedData": {"password": sealer.seal("db", b"newer"), "url": None}}}
    await cluster.api.patch(SEALED_SECRETS, "db", changed, cluster.namespace)
    await cluster.eventually(SEALED_SECRETS, "db", lambda found: condition(found) == ("True", ""))
    secret = await cluster.api.get(SECRETS, "db", cluster.namespace)
    assert secret["data"] == {"password": base64.b64encode(b"newer").decode()}

    await cluster.api.delete(SECRETS, "db", cluster.namespace)
    await cluster.eventually(SECRETS, "db", lambda found: found["metadata"]["uid"] != secret["metadata"]["uid"])


async def test_a_value_sealed_for_another_name_is_refused(cluster: Cluster) -> None:
    sealer = await start(cluster)
    spec = {"encryptedData": {"password": sealer.seal("other", b"s3cret")}}
    await cluster.create(SEALED_SECRETS, "SealedSecret", "db", spec=spec)
    refused = ("False", "no key could decrypt secret (password)")
    await cluster.eventually(SEALED_SECRETS, "db", lambda found: condition(found) == refused)
    assert await cluster.api.find(SECRETS, "db", cluster.namespace) is None


async def test_a_secret_of_somebody_else_is_not_overwritten(cluster: Cluster) -> None:
    sealer = await start(cluster)
    await cluster.create(SECRETS, "Secret", "db", data={"theirs": "eA=="})
    spec = {"encryptedData": {"password": sealer.seal("db", b"s3cret")}}
    await cluster.create(SEALED_SECRETS, "SealedSecret", "db", spec=spec)
    refused = ("False", 'failed update: Resource "db" already exists and is not managed by SealedSecret')
    await cluster.eventually(SEALED_SECRETS, "db", lambda found: condition(found) == refused)
    assert (await cluster.api.get(SECRETS, "db", cluster.namespace))["data"] == {"theirs": "eA=="}


async def test_a_new_controller_opens_what_was_sealed_for_its_predecessor(cluster: Cluster) -> None:
    sealer = await start(cluster)
    spec = {"encryptedData": {"password": sealer.seal("first", b"s3cret")}}
    await cluster.create(SEALED_SECRETS, "SealedSecret", "first", spec=spec)
    await cluster.eventually(SEALED_SECRETS, "first", lambda found: condition(found) == ("True", ""))
    secret = await cluster.api.get(SECRETS, "first", cluster.namespace)
    await cluster.api.delete(SECRETS, "first", cluster.namespace)
    await cluster.eventually(SECRETS, "first", lambda found: found["metadata"]["uid"] != secret["metadata"]["uid"])
    await cluster.stack.aclose()  # the first controller ends
    spec = {"encryptedData": {"password": sealer.seal("db", b"s3cret")}}
    await cluster.create(SEALED_SECRETS, "SealedSecret", "db", spec=spec)
    await start(cluster)
    await cluster.eventually(SEALED_SECRETS, "db", lambda found: condition(found) == ("True", ""))
    keys = await cluster.api.list(SECRETS, cluster.namespace, labelSelector=f"{KEY_LABEL}=active")
    assert [secret["type"] for secret in keys.items] == ["kubernetes.io/tls"]
