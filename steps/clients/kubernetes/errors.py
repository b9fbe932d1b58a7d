"""The Kubernetes API's refusals, translated once.

    401 (also with a new      KUBERNETES_ACCESS_DENIED: the cluster does not know Podium's identity
         token)
    403                       KUBERNETES_ACCESS_DENIED: it knows it, and RBAC, a quota or a policy refuses
    403 as the namespace      TransientError KUBERNETES_CONFLICT
        is being deleted
    404 on a write            TransientError KUBERNETES_REJECTED (a custom resource's kind, or a namespace, just made)
    409                       KUBERNETES_CONFLICT
    400, 422, other 4xx       KUBERNETES_REJECTED, naming the object and the fields (also those that no schema knows)
    429, 5xx, no connection   TransientError KUBERNETES_UNAVAILABLE

A Status object is described in the Kubernetes API reference, "Status v1 meta". Messages are scrubbed and cut, since a
validation message may quote what was sent.
"""

from typing import Any

from urllib3.exceptions import HTTPError, MaxRetryError

from steps.errors import Code, Fault, PodiumError, TransientError
from steps.scrubbing import scrub

MESSAGE_CHARACTERS = 600
NAMESPACE_ENDS = "NamespaceTerminating"
"""A cause's reason (k8s.io/api/core/v1, NamespaceTerminatingCause)."""
UNKNOWN_REMEDY = (
    "Check that Podium's AWS credentials are valid and its host's clock is right, and give its identity an EKS access "
    "entry: aws eks create-access-entry --cluster-name CLUSTER --principal-arn ARN --kubernetes-groups podium"
)
FORBIDDEN_REMEDY = (
    "Give the cluster the roles that Podium needs (kubectl apply -f deploy/kubernetes/rbac.yaml) and Podium's AWS "
    "identity an EKS access entry with the Kubernetes group podium; if a quota or an admission policy is named, "
    "change that."
)


def unavailable(what: str, why: object) -> TransientError:
    """The API (or what is behind its service proxy) does not answer, or says that it cannot now."""
    return TransientError(
        Code.KUBERNETES_UNAVAILABLE,
        scrub(f"{what}: {why}")[:MESSAGE_CHARACTERS],
        fault=Fault.PROVIDER,
        retryable=True,
        remedy="Check that the cluster's API endpoint can be reached from Podium, then retry.",
    )


def unreachable(what: str, error: BaseException) -> TransientError:
    """No whole answer came: a refused or lost connection, a timeout, TLS, as urllib3 or the package raised it.

    Only the class's name is told: the words of such an error may quote what was sent or received.
    """
    cause = error if isinstance(error, HTTPError) else error.__context__ or error
    if isinstance(cause, MaxRetryError) and cause.reason is not None:
        cause = cause.reason
    return unavailable(what, type(cause).__name__)


def refused(status: int, body: dict[str, Any], what: str, *, writing: bool) -> PodiumError:
    """The error for an answer of `status` >= 400; `what` names the object, e.g. `Deployment dbos/conductor`.

    `body` is the Status object ({} when the answer held none).
    """
    message = _cut(scrub(f"{what}: {body.get('message') or f'HTTP {status}'}{_causes(body)}"))
    if status == 403 and NAMESPACE_ENDS in {cause.get("reason") for cause in _listed(body)}:
        return _namespace_ends(message)
    if status in (401, 403):
        remedy = UNKNOWN_REMEDY if status == 401 else FORBIDDEN_REMEDY
        return PodiumError.by_user(Code.KUBERNETES_ACCESS_DENIED, message, remedy)
    if status == 409:
        return PodiumError.by_provider(
            Code.KUBERNETES_CONFLICT, message, "Somebody changed the object at the same moment; retry."
        )
    if status == 429 or status >= 500:
        return unavailable(what, body.get("message") or f"HTTP {status}")
    if status == 404 and writing:
        return TransientError(
            Code.KUBERNETES_REJECTED,
            message,
            fault=Fault.PROVIDER,
            retryable=True,
            remedy="The namespace or the kind does not exist (yet): check that its add-on is installed, then retry.",
        )
    return PodiumError(
        Code.KUBERNETES_REJECTED,
        message,
        fault=Fault.PODIUM,
        retryable=True,
        remedy="The cluster's API or an admission policy does not accept this object; change the policy or the spec.",
    )


def _namespace_ends(message: str) -> TransientError:
    return TransientError(
        Code.KUBERNETES_CONFLICT,
        message,
        fault=Fault.PROVIDER,
        retryable=True,
        remedy="The namespace is still being deleted; retry when it is gone (kubectl get namespaces).",
    )


def _cut(message: str) -> str:
    """Beginning and end of a long message: the API quotes the object first, and says last what is wrong with it."""
    half = MESSAGE_CHARACTERS // 2
    return message if len(message) <= MESSAGE_CHARACTERS else f"{message[: half - 3]} … {message[-half:]}"


def _listed(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The causes of a Status object: dicts with `reason`, `field`, `message`."""
    causes: list[dict[str, Any]] = (body.get("details") or {}).get("causes") or []
    return causes


def _causes(body: dict[str, Any]) -> str:
    """The fields that a Status object complains of, as ` (field: message; …)`."""
    causes = _listed(body)
    listed = "; ".join(f"{cause.get('field', '?')}: {cause.get('message', '')}" for cause in causes[:5])
    return f" ({listed})" if listed else ""
