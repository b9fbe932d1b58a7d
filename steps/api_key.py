"""The application's registration in Conductor and its API key: made, kept in the secret store, sealed.

Conductor tells a key's secret once. If that answer is lost, the key exists but nobody knows it: it is deleted and made
anew. A Conductor too old for the HTTP API needs a person, with the Console.
"""

from collections.abc import Mapping
from typing import Any

from steps import sealed_secrets
from steps.clients.aws import Aws
from steps.clients.conductor import ConductorApi
from steps.clients.kubernetes import Kube
from steps.names import Owner
from steps.secret_store import SecretStore
from steps.waiting import NeedsPerson

PURPOSE = "conductor-api-key"


def register_app(kube: Kube, namespace: str, app_name: str) -> str:
    """`registered`, or `unsupported` by a Conductor without the HTTP API."""
    api = ConductorApi(kube, namespace)
    if not api.is_supported():
        return "unsupported"
    if not api.is_registered(app_name):
        api.register_app(app_name)
    return "registered"


def ensure_api_key(kube: Kube, aws: Aws, owner: Owner, namespace: str, app_name: str) -> dict[str, str]:
    """A key for the application, `podium-<app_name>`: its reference in the secret store, `{"secret", "version_id"}`."""
    api, store = ConductorApi(kube, namespace), SecretStore(aws)
    secret, tags = owner.names.secret(PURPOSE), owner.tags(f"secret-{PURPOSE}")
    name = f"podium-{app_name}"
    known = name in api.token_names()
    if known and store.exists({"secret": secret}):
        return store.put(secret, store.get({"secret": secret}), tags)  # the same value: the version that is there
    if known:
        api.delete_token(name)
    return store.put(secret, api.create_token(name, app_name).secret, tags)


def swap(kube: Kube, aws: Aws, owner: Owner, namespace: str, reference: Mapping[str, Any]) -> dict[str, str]:
    """Seal the key as `conductor-api-key` in place of the placeholder: `{"hash"}`, for the pods that read it."""
    sealed = sealed_secrets.ensure_sealed(kube, aws, owner, namespace, PURPOSE, {"api-key": reference})
    return {"hash": sealed["hash"]}


def instructions(namespace: str) -> NeedsPerson:
    """What a person does when this Conductor has no HTTP API."""
    return NeedsPerson(
        what="An API key for the application, made in the Console: this Conductor is too old to make one by itself.",
        how=(
            "Open the Console (the command below makes it answer at http://localhost:8080), register the application, "
            "generate an API key under Settings, and send it with the :provide call of this installation."
        ),
        commands=(f"kubectl port-forward -n {namespace} svc/console 8080:80",),
    )
