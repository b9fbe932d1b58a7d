"""EKS Pod Identity associations.

Gap: moto has none (EKS API Reference, CreatePodIdentityAssociation).
"""

import secrets
from typing import Any

from sandbox.aws.eks import checks
from sandbox.aws.eks.service import Eks, page
from sandbox.aws.eks.store import in_use, not_found, now
from sandbox.aws.requests import Call

SUMMARY = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId")


def create(eks: Eks, call: Call) -> dict[str, Any]:
    cluster = eks.cluster(call).active()
    namespace, account = call.params["namespace"], call.params["serviceAccount"]
    for found in cluster.associations.values():
        if (found["namespace"], found["serviceAccount"]) == (namespace, account):
            raise in_use(f"Association already exists: {found['associationId']}")
    checks.role(call.account, call.params["roleArn"], "pods.eks.amazonaws.com")
    identifier = f"a-{secrets.token_hex(9)}"
    cluster.associations[identifier] = {
        "clusterName": cluster.name,
        "namespace": namespace,
        "serviceAccount": account,
        "roleArn": call.params["roleArn"],
        "associationArn": cluster.arn("podidentityassociation", identifier),
        "associationId": identifier,
        "tags": dict(call.params.get("tags") or {}),
        "createdAt": now(),
        "modifiedAt": now(),
    }
    return {"association": cluster.associations[identifier]}


def describe(eks: Eks, call: Call) -> dict[str, Any]:
    return {"association": _find(eks, call)}


def update(eks: Eks, call: Call) -> dict[str, Any]:
    found = _find(eks, call)
    if call.params.get("roleArn"):
        checks.role(call.account, call.params["roleArn"], "pods.eks.amazonaws.com")
        found |= {"roleArn": call.params["roleArn"], "modifiedAt": now()}
    return {"association": found}


def list_all(eks: Eks, call: Call) -> dict[str, Any]:
    wanted = {key: call.params[key] for key in ("namespace", "serviceAccount") if key in call.params}
    found = [item for item in eks.cluster(call).associations.values() if wanted.items() <= item.items()]
    return page(call, "associations", [{key: item[key] for key in SUMMARY} for item in found])


def delete(eks: Eks, call: Call) -> dict[str, Any]:
    found = _find(eks, call)
    del eks.cluster(call).associations[found["associationId"]]
    return {"association": found}


def _find(eks: Eks, call: Call) -> dict[str, Any]:
    associations = eks.cluster(call).associations
    identifier = str(call.params["associationId"])
    if identifier not in associations:
        raise not_found(f"No association found with id: {identifier}")
    return associations[identifier]
