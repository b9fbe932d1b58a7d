"""The client itself: get, list, apply, patch, delete, logs, and HTTP through the API's service proxy.

Writing is server-side apply with the field manager `podium` (design.md §5). Not found is an answer, not an error.
"""

import json
import time
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from steps.clients.kubernetes.errors import refused, unavailable
from steps.clients.kubernetes.kinds import kind_of
from steps.clients.kubernetes.token import FRESH_SECONDS, Clock, Tokens, TokenSource
from steps.clients.kubernetes.transport import READ_SECONDS, Answer, Transport
from steps.errors import CredentialsError, TransientError

Object = dict[str, Any]
WRITING = {"fieldManager": "podium", "fieldValidation": "Strict"}
"""Parameters of every write: whose the fields are, and that an unknown or repeated one is refused, not dropped."""
DRY_RUN = {"dryRun": "All"}
"""All checks and defaults, but nothing is kept."""
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
READ_PAUSES = (0.2, 0.8)
QUICK_SECONDS = 2.0
"""A reading that took longer to fail is not tried again: its step's next try is soon enough."""


@dataclass(frozen=True)
class ServiceAnswer:
    """What a Service in the cluster answered: the HTTP status, and the body as text."""

    status: int
    text: str

    def json(self) -> Any:
        """The body parsed; None when it is not JSON (an old program's page, a proxy's error)."""
        try:
            return json.loads(self.text)
        except json.JSONDecodeError:
            return None


class Kube:
    """One cluster's API. `token` is called for a bearer token, which is kept for ten minutes, less after a 401.

    `read_seconds`: how long a call may stay without an answer; `pauses`: seconds between the tries of one reading.
    """

    def __init__(
        self,
        endpoint: str,
        ca_data_base64: str,
        token: TokenSource,
        clock: Clock | None = None,
        read_seconds: float = READ_SECONDS,
        pauses: tuple[float, ...] = READ_PAUSES,
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.ca_data = ca_data_base64
        self._tokens = Tokens(token, clock or Clock())
        self._transport = Transport(self.endpoint, ca_data_base64)
        self._read_seconds, self._pauses = read_seconds, pauses

    def close(self) -> None:
        self._transport.close()

    def fresh_token(self) -> str:
        """A bearer token with at least 14 minutes to live, for a program that gets it once and runs for minutes."""
        return self._tokens.get(seconds=FRESH_SECONDS).text

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """The object, or None when there is none (or its kind is not served)."""
        return self._read(kind_of(kind).path(namespace, name), _title(kind, name, namespace))

    def list(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        labels: dict[str, str] | None = None,
        fields: dict[str, str] | None = None,
    ) -> list[Object]:
        """The objects with all these labels and fields, in one namespace or in all; none when the kind is not served.

        Fields are those that the API can select by, e.g. `involvedObject.uid` of an Event.
        """
        wanted = {"labelSelector": labels, "fieldSelector": fields}
        params = {
            name: ",".join(f"{key}={value}" for key, value in terms.items()) for name, terms in wanted.items() if terms
        }
        found = self._read(kind_of(kind).path(namespace), f"list of {kind}", params)
        items: list[Object] = (found or {}).get("items") or []
        return items

    def apply(self, manifest: Object) -> Object:
        """Server-side apply; fields that others hold are taken over. Returns the object as it then is.

        KUBERNETES_REJECTED when it has a field that the kind does not know.
        """
        return self._apply(manifest, WRITING)

    def would_apply(self, manifest: Object) -> Object:
        """What `apply` would return; nothing is changed (Kubernetes documentation, "API Concepts", "Dry-run")."""
        return self._apply(manifest, WRITING | DRY_RUN)

    def _apply(self, manifest: Object, params: dict[str, str]) -> Object:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        namespace = manifest["metadata"].get("namespace")
        answer = self._send(
            "PATCH",
            kind_of(kind).path(namespace, name),
            params=params | {"force": "true"},
            body=manifest,
            content_type=APPLY,
        )
        if answer.status == 500 and answer.refusal:
            self._raise_if_malformed(manifest)
        return _checked(answer, _title_of(manifest), writing=True)

    def create(self, manifest: Object) -> Object:
        """Create; KUBERNETES_CONFLICT when it exists."""
        return _checked(self._post(manifest, WRITING), _title_of(manifest), writing=True)

    def may(self, verb: str, group: str, resource: str, name: str = "") -> bool:
        """Whether RBAC (or whatever authorizes) lets us do this in all namespaces; `resource` may be `pods/log`.

        A SelfSubjectAccessReview: every authenticated user may ask (the default ClusterRole system:basic-user).
        """
        plural, _, subresource = resource.partition("/")
        asked = {"verb": verb, "group": group, "resource": plural, "subresource": subresource, "name": name}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "metadata": {},
            "spec": {"resourceAttributes": asked},
        }
        answer = _checked(self._post(review, {}), f"review of {verb} {resource}", writing=True)
        return bool(answer["status"]["allowed"])

    def patch(self, kind: str, name: str, namespace: str | None, changes: Object) -> Object | None:
        """Merge patch (RFC 7396); None when the object is gone."""
        return self._patch(kind, name, namespace, changes, WRITING)

    def would_patch(self, kind: str, name: str, namespace: str | None, changes: Object) -> Object | None:
        """What `patch` would return; nothing is changed."""
        return self._patch(kind, name, namespace, changes, WRITING | DRY_RUN)

    def _patch(
        self, kind: str, name: str, namespace: str | None, changes: Object, params: dict[str, str]
    ) -> Object | None:
        answer = self._send(
            "PATCH",
            kind_of(kind).path(namespace, name),
            params=params,
            body=changes,
            content_type=MERGE,
        )
        if answer.status == 404:
            return None
        return _checked(answer, _title(kind, name, namespace), writing=True)

    def delete(self, kind: str, name: str, namespace: str | None = None, *, propagation: str = "Background") -> bool:
        """Ask for the object's deletion; False when there is none. Its dependants go by `propagation`."""
        answer = self._send("DELETE", kind_of(kind).path(namespace, name), params={"propagationPolicy": propagation})
        if answer.status == 404:
            return False
        _checked(answer, _title(kind, name, namespace), writing=True)
        return True

    def pod_logs(
        self, namespace: str, pod: str, *, container: str | None = None, tail: int = 20, previous: bool = False
    ) -> str:
        """The last `tail` lines a container wrote; `previous`: those of its run before the last restart.

        "" when there is no log to be had (the pod is gone, or never ran). Unscrubbed: pass it through `scrubbing`.
        """
        params: dict[str, str] = {"tailLines": str(tail)}
        if container:
            params["container"] = container
        if previous:
            params["previous"] = "true"
        answer = self._send("GET", f"{kind_of('Pod').path(namespace, pod)}/log", params=params)
        return answer.text if answer.status == 200 else ""

    def service_request(
        self,
        namespace: str,
        service: str,
        port: int | str,
        method: str,
        path: str,
        *,
        body: Object | None = None,
        timeout: float | None = None,
    ) -> ServiceAnswer:
        """HTTP to a Service inside the cluster, through the API server: nothing has to be exposed.

        What the Service answers is returned, whatever its status. TransientError when the API server cannot reach it.
        """
        proxy = (
            f"{kind_of('Service').path(namespace, f'{service}:{port}')}/proxy/{quote(path.lstrip('/'), safe='/?=&')}"
        )
        answer = self._send(
            method,
            proxy,
            body=body,
            content_type=None if body is None else "application/json",
            read_seconds=timeout,
        )
        if answer.status >= 400 and answer.refusal:
            raise refused(answer.status, answer.refusal, f"Service {namespace}/{service}", writing=False)
        return ServiceAnswer(answer.status, answer.text)

    def _read(self, path: str, what: str, params: dict[str, str] | None = None) -> Object | None:
        """One object or one list of them; None for 404. Tried again at once where that may help.

        A step tries again from its beginning, and few times: one that reads a dozen things would not get through a
        network of which every tenth answer is lost. Reading may be repeated without asking anybody.
        """
        for pause in (*self._pauses, None):
            began = time.monotonic()
            try:
                answer = self._send("GET", path, params=params)
                return None if answer.status == 404 else _checked(answer, what)
            except CredentialsError:
                raise
            except TransientError:
                if pause is None or time.monotonic() - began > QUICK_SECONDS:
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _post(self, manifest: Object, params: dict[str, str]) -> Answer:
        path = kind_of(manifest["kind"]).path(manifest["metadata"].get("namespace"))
        return self._send("POST", path, params=params, body=manifest, content_type="application/json")

    def _raise_if_malformed(self, manifest: Object) -> None:
        """KUBERNETES_REJECTED when the manifest is what an answer of 500 is about.

        To an apply with an unknown field, or a value of the wrong type, the API server answers 500 without a reason,
        as it does when etcd has trouble. Creating tells them apart: 400, with all such fields. Nothing is made.
        """
        answer = self._post(manifest, WRITING | DRY_RUN)
        if answer.status in (400, 422):
            _checked(answer, _title_of(manifest), writing=True)

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: Object | None = None,
        content_type: str | None = None,
        read_seconds: float | None = None,
    ) -> Answer:
        """One call, and a second one with a fresh token when the first is refused with 401."""
        call = partial(
            self._transport.request,
            method,
            path,
            params=params,
            body=body,
            content_type=content_type,
            read_seconds=self._read_seconds if read_seconds is None else read_seconds,
        )
        token = self._tokens.get()
        answer = call(token.text)
        if answer.status == 401 and answer.refusal:
            answer = call(self._tokens.get(refused=token).text)
        return answer


def _title_of(manifest: Object) -> str:
    return _title(manifest["kind"], manifest["metadata"]["name"], manifest["metadata"].get("namespace"))


def _title(kind: str, name: str, namespace: str | None) -> str:
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def _checked(answer: Answer, what: str, *, writing: bool = False) -> Object:
    """The object in the answer. TransientError when it is a success without one: a proxy's page, or half an answer."""
    if answer.status >= 400:
        raise refused(answer.status, answer.refusal, what, writing=writing)
    found = answer.object
    if found is None:
        raise unavailable(what, f"what answered (HTTP {answer.status}) was not the Kubernetes API")
    return found
