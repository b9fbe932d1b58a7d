"""A cluster, looked at only: an apply is a dry run whose outcome is compared with what is there.

The guard is below everything else: whatever is neither a read nor a dry run is refused where requests are sent.
"""

import re
from typing import Any

from steps.clients.kubernetes import Kube, Object, ServiceAnswer
from steps.clients.kubernetes.transport import Answer
from steps.comparing import differing
from steps.errors import Code, PodiumError
from steps.readonly.records import Difference, Kind, Resource, Stopped, records
from steps.readonly.sealed import sealed_again

MARKED = frozenset({"Pod", "Job"})
"""Kinds that looks mark as reported, or end so that they start afresh: not what an installation is made of."""
_CONDUCTOR = re.compile(r"/v2/orgs/[^/]+/(apps|tokens)/([^/]+)")
_CONDUCTOR_TYPES = {"apps": "Conductor application", "tokens": "Conductor token"}


class ReadOnlyKube(Kube):
    """To be used within `recording`. Everything that reads is as in `Kube`."""

    def apply(self, manifest: Object) -> Object:
        """The object as it would be; the manifest where there is none."""
        kind, metadata = manifest["kind"], manifest["metadata"]
        live = self.get(kind, metadata["name"], metadata.get("namespace"))
        if live is None:
            self._missing(manifest)
            return manifest
        resource = resource_of(kind, metadata["name"], metadata.get("namespace"))
        if "deletionTimestamp" in live["metadata"]:
            records().add(Difference(Kind.UNREADY, resource, f"{resource.type} {resource.name} is being deleted."))
            return live
        if kind == "SealedSecret":
            records().add(sealed_again(self, live, manifest))
            return live
        return self._compared(live, manifest, resource)

    def create(self, manifest: Object) -> Object:
        self._missing(manifest)
        return manifest

    def patch(self, kind: str, name: str, namespace: str | None, changes: Object) -> Object | None:
        if kind in MARKED:
            return None
        live = self.get(kind, name, namespace)
        if live is not None:
            self._note(
                live, self.would_patch(kind, name, namespace, changes) or live, resource_of(kind, name, namespace)
            )
        return live

    def delete(self, kind: str, name: str, namespace: str | None = None, *, propagation: str = "Background") -> bool:
        if kind in MARKED:
            return False
        there = self.get(kind, name, namespace) is not None
        if there:
            resource = resource_of(kind, name, namespace)
            words = f"{kind} {resource.name} is the installation's, and not wanted any more."
            records().add(Difference(Kind.EXTRA, resource, words))
        return there

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
        """Raises Stopped for what is not a GET: nobody knows its answer."""
        if method == "GET":
            return super().service_request(namespace, service, port, method, path, body=body, timeout=timeout)
        found = _CONDUCTOR.search(path)
        type_, name = (_CONDUCTOR_TYPES[found[1]], found[2]) if found else ("Service", f"{namespace}/{service}")
        if method != "DELETE":
            words = f"{type_} {name} is not as it was made ({method} {path})."
            records().add(Difference(Kind.MISSING, Resource(type_, name), words))
        raise Stopped(f"{method} {path}")

    def _compared(self, live: Object, manifest: Object, resource: Resource) -> Object:
        try:
            wanted = self.would_apply(manifest)
        except PodiumError as error:
            if error.code is not Code.KUBERNETES_REJECTED:
                raise
            if not records().know(resource):
                records().add(Difference(Kind.CHANGED, resource, error.message))
            return live
        self._note(live, wanted, resource)
        return wanted

    def _note(self, live: Object, wanted: Object, resource: Resource) -> None:
        for one in differing(live, wanted):
            words = f"{one.path} of {resource.type} {resource.name} is not as it was applied."
            records().add(Difference(Kind.CHANGED, resource, words, one.path, one.expected, one.found))

    def _missing(self, manifest: Object) -> None:
        metadata = manifest["metadata"]
        resource = resource_of(manifest["kind"], metadata["name"], metadata.get("namespace"))
        records().add(Difference(Kind.MISSING, resource, f"{resource.type} {resource.name} is not there."))

    def _send(self, method: str, path: str, *, params: dict[str, str] | None = None, **rest: Any) -> Answer:
        dry = method in ("PATCH", "POST") and (params or {}).get("dryRun") == "All"
        if method != "GET" and not dry:
            raise AssertionError(f"{method} {path} would have been sent by a look for drift")
        return super()._send(method, path, params=params, **rest)


def resource_of(kind: str, name: str, namespace: str | None) -> Resource:
    return Resource(kind, f"{namespace}/{name}" if namespace else name)
