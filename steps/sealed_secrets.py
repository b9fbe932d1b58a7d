"""The guide's five sealed secrets: made in Python, decrypted in the cluster by the controller.

Sealing is randomised, so the same plaintext never looks the same. An annotation holds HMAC-SHA256 of the plaintexts,
and what has not changed is not sealed again. The HMAC's key is a random secret of the installation, kept in the secret
store only (purpose `sealing-hash-key`): whoever reads the annotation cannot test guesses of a password against it.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from steps import objects
from steps.clients.aws import Aws
from steps.clients.kubernetes import Kube, Object
from steps.clients.sealing import Sealer
from steps.database_target import DatabaseTarget
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.secret_store import SecretStore, ensure_password
from steps.waiting import Pending

COMPONENT = "sealed-secrets"
CONTROLLER_NAMESPACE = "kube-system"
CONTROLLER = "sealed-secrets"
CONTROLLER_PORT = 8080
HASH = "podium/plaintext-hmac"
PATIENCE_SECONDS = 30
"""How long the controller may say that it cannot unseal: it may still be reading its keys."""
FIVE = ("postgres-admin", "conductor-db", "conductor-license", "dbos-app-db", "conductor-api-key")
API_KEY = "conductor-api-key"
PLACEHOLDER = "placeholder"

Reference = Mapping[str, Any]
"""Where a secret's value is: `{"secret", "version_id", "json_key"}`, the last two optional."""


class _Sealing:
    """Seals for one namespace; certificate and key are fetched when first needed."""

    def __init__(self, kube: Kube, aws: Aws, owner: Owner, namespace: str) -> None:
        self._kube, self._aws, self._owner, self._namespace = kube, aws, owner, namespace

    @cached_property
    def _sealer(self) -> Sealer:
        answer = self._kube.service_request(CONTROLLER_NAMESPACE, CONTROLLER, CONTROLLER_PORT, "GET", "/v1/cert.pem")
        return Sealer(answer.text if answer.status == 200 else "")

    @cached_property
    def _key(self) -> bytes:
        reference = ensure_password(self._aws, self._owner, "sealing-hash-key")
        return SecretStore(self._aws).get(reference).encode()

    def ensure(self, name: str, values: Mapping[str, str]) -> dict[str, str]:
        """Seal and apply unless the SealedSecret holds these values already: `{"name", "hash"}`."""
        digest = self._hash(name, values)
        found = objects.find(self._kube, self._owner, "SealedSecret", name, self._namespace)
        if found is None or annotated_hash(found) != digest or self._is_undone(found, name, values):
            self._kube.apply(self._manifest(name, values, digest))
        return {"name": name, "hash": digest}

    def _is_undone(self, found: Object, name: str, values: Mapping[str, str]) -> bool:
        """Whether the controller has failed, or somebody has changed or deleted the Secret that it has made.

        It makes a Secret anew only when the SealedSecret changes, which sealing again does.
        """
        if _synced(found).get("status") == "False":
            return True
        if not _is_unsealed(found):
            return False
        secret = self._kube.get("Secret", name, self._namespace) or {}
        return (secret.get("data") or {}) != {key: _encoded(value) for key, value in values.items()}

    def _hash(self, name: str, values: Mapping[str, str]) -> str:
        text = json.dumps([self._namespace, name, sorted(values.items())])
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:32]

    def _manifest(self, name: str, values: Mapping[str, str], digest: str) -> Object:
        own_labels = objects.labels(self._owner, COMPONENT)
        sealed = {key: self._sealer.seal(self._namespace, name, value) for key, value in values.items()}
        return {
            "apiVersion": "bitnami.com/v1alpha1",
            "kind": "SealedSecret",
            "metadata": {
                "name": name,
                "namespace": self._namespace,
                "labels": own_labels,
                "annotations": {HASH: digest},
            },
            "spec": {
                "encryptedData": sealed,
                "template": {
                    "metadata": {"name": name, "namespace": self._namespace, "labels": own_labels},
                    "type": "Opaque",
                },
            },
        }


def ensure_sealed(
    kube: Kube, aws: Aws, owner: Owner, namespace: str, name: str, references: Mapping[str, Reference]
) -> dict[str, str]:
    """Seal values of the secret store under these keys: `{"name", "hash"}`. The values live in this call only."""
    store = SecretStore(aws)
    values = {key: store.get(reference) for key, reference in references.items()}
    return _Sealing(kube, aws, owner, namespace).ensure(name, values)


def ensure_five(
    kube: Kube,
    aws: Aws,
    owner: Owner,
    namespace: str,
    target: DatabaseTarget,
    passwords: Mapping[str, Reference],
    license_key: Reference | None,
) -> list[str]:
    """Seal the guide's five; their names. `passwords` has `conductor` and `app`.

    Without a licence `conductor-license` is empty. `conductor-api-key` is a placeholder only until there is a key.
    """
    store = SecretStore(aws)
    master = store.get(target.master_secret)
    sealing = _Sealing(kube, aws, owner, namespace)
    sealing.ensure(
        "postgres-admin",
        {"password": master, "database-url": target.url(target.master_username, master, "dbos_app")},
    )
    for name, role, database, purpose in (
        ("conductor-db", "dbos_conductor_role", "dbos_conductor", "conductor"),
        ("dbos-app-db", "dbos_app_role", "dbos_app", "app"),
    ):
        sealing.ensure(name, {"database-url": target.url(role, store.get(passwords[purpose]), database)})
    sealing.ensure("conductor-license", {"license-key": store.get(license_key) if license_key else ""})
    _ensure_api_key(kube, store, owner, namespace, sealing)
    return list(FIVE)


def _ensure_api_key(kube: Kube, store: SecretStore, owner: Owner, namespace: str, sealing: _Sealing) -> None:
    """The stored key when there is one; else what is sealed stays (somebody may have sealed a key by hand)."""
    stored = {"secret": owner.names.secret(API_KEY)}
    if store.exists(stored):
        sealing.ensure(API_KEY, {"api-key": store.get(stored)})
    elif objects.find(kube, owner, "SealedSecret", API_KEY, namespace) is None:
        sealing.ensure(API_KEY, {"api-key": PLACEHOLDER})


def await_unsealed(kube: Kube, namespace: str, names: Sequence[str]) -> dict[str, Any] | Pending:
    """`{"secrets": names}` once the controller has made a Secret of each SealedSecret as it is now.

    SEALING_FAILED when the controller says that it cannot (another key; a Secret of that name that is not its own).
    """
    for name in names:
        missing = _missing(kube, namespace, name)
        if missing:
            return Pending(missing)
    return {"secrets": list(names)}


def _missing(kube: Kube, namespace: str, name: str) -> str | None:
    found = kube.get("SealedSecret", name, namespace)
    if found is None:
        return f"SealedSecret {name} does not exist yet"
    synced = _synced(found)
    if synced.get("status") == "False" and _age(synced) > PATIENCE_SECONDS:
        raise PodiumError.by_provider(
            Code.SEALING_FAILED,
            f"The sealed-secrets controller cannot make Secret {namespace}/{name}: {synced.get('message', '')}",
            f"Delete a Secret {name} that somebody else made, if there is one; then retry from the secrets phase.",
        )
    if not _is_unsealed(found):
        return f"the controller has not unsealed {name} yet"
    return None if kube.get("Secret", name, namespace) else f"Secret {name} does not exist yet"


def secrets_hash(kube: Kube, namespace: str, names: Sequence[str]) -> str:
    """One hash over the keyed hashes of these sealed secrets: pods that read them are replaced when it changes."""
    hashes = [annotated_hash(kube.get("SealedSecret", name, namespace) or {"metadata": {}}) for name in names]
    return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:32]


def manifests(kube: Kube, namespace: str) -> list[Object]:
    """The SealedSecrets as they would stand in Git: without what the API server added. Safe to show."""
    return [
        {
            "apiVersion": "bitnami.com/v1alpha1",
            "kind": "SealedSecret",
            "metadata": {
                key: found["metadata"][key]
                for key in ("name", "namespace", "labels", "annotations")
                if key in found["metadata"]
            },
            "spec": found["spec"],
        }
        for found in kube.list("SealedSecret", namespace)
    ]


def delete_sealed(kube: Kube, owner: Owner, namespace: str) -> None:
    """Delete our SealedSecrets; the Secrets made of them go with them."""
    for found in kube.list("SealedSecret", namespace, labels=objects.labels(owner, COMPONENT)):
        kube.delete("SealedSecret", found["metadata"]["name"], namespace)


def annotated_hash(found: Object) -> str:
    return str((found["metadata"].get("annotations") or {}).get(HASH, ""))


def _is_unsealed(found: Object) -> bool:
    """Whether the controller has made a Secret of it as it is now."""
    seen = int((found.get("status") or {}).get("observedGeneration") or 0)
    return _synced(found).get("status") == "True" and seen >= int(found["metadata"].get("generation") or 0)


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _synced(found: Object) -> dict[str, Any]:
    return objects.condition(found, "Synced")


def _age(condition: Mapping[str, Any]) -> float:
    """Seconds since the condition became what it is; 0 when it does not say."""
    since = condition.get("lastTransitionTime")
    return (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds() if since else 0.0
