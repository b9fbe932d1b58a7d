"""A SealedSecret, compared: sealing is randomised, so its values always differ; what matters is what is made of it."""

from steps.clients.kubernetes import Kube, Object
from steps.readonly.records import Difference, Kind, Resource
from steps.sealed_secrets import annotated_hash


def sealed_again(kube: Kube, live: Object, manifest: Object) -> Difference:
    """Why `live` is to be sealed again: what it holds is another's, or its Secret is not as it was made."""
    metadata = manifest["metadata"]
    name = f"{metadata['namespace']}/{metadata['name']}"
    sealed, secret = Resource("SealedSecret", name), Resource("Secret", name)
    if annotated_hash(live) != annotated_hash(manifest):
        words = f"SealedSecret {name} does not hold the values that are in AWS Secrets Manager."
        return Difference(Kind.CHANGED, sealed, words, "spec.encryptedData")
    if kube.get("Secret", metadata["name"], metadata["namespace"]) is None:
        return Difference(Kind.MISSING, secret, f"Secret {name} is not there.")
    return Difference(Kind.CHANGED, secret, f"Secret {name} does not hold the values that were sealed.", "data")
