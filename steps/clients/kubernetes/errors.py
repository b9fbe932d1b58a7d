"""The Kubernetes API's refusals, translated once.

    401, 403                  KUBERNETES_ACCESS_DENIED
    404 on a write            TransientError KUBERNETES_REJECTED (a custom resource's kind, or a namespace, just made)
    409                       KUBERNETES_CONFLICT
    400, 422, other 4xx       KUBERNETES_REJECTED, naming the object and the fields
    429, 5xx, no connection   TransientError KUBERNETES_UNAVAILABLE

A Status object is described in the Kubernetes API reference, "Status v1 meta". Messages are scrubbed and cut, since a
validation message may quote what was sent.
"""

from typing import Any

from urllib3.exceptions import HTTPError, MaxRetryError

from steps.errors import Code, Fault, PodiumError, TransientError
from steps.scrubbing import scrub

MESSAGE_CHARACTERS = 600
ACCESS_REMEDY = (
    "Give Podium's AWS identity an EKS access entry with the policy AmazonEKSClusterAdminPolicy for this cluster, "
    "and check that its credentials are valid."
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
    message = scrub(f"{what}: {body.get('message') or f'HTTP {status}'}{_causes(body)}")[:MESSAGE_CHARACTERS]
    if status in (401, 403):
        return PodiumError.by_user(Code.KUBERNETES_ACCESS_DENIED, message, ACCESS_REMEDY)
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


def _causes(body: dict[str, Any]) -> str:
    """The fields that a Status object complains of, as ` (field: message; …)`."""
    causes = (body.get("details") or {}).get("causes") or []
    listed = "; ".join(f"{cause.get('field', '?')}: {cause.get('message', '')}" for cause in causes[:5])
    return f" ({listed})" if listed else ""
