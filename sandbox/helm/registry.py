"""An OCI registry that holds charts, as much of one as `helm pull oci://…` asks for: manifests and blobs, read only.

Sources: github.com/opencontainers/distribution-spec, "Pull"; helm.sh/docs/topics/registries for the media types.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sandbox.helm.archives import metadata_of, unpack
from sandbox.helm.serving import Answer, Site
from sandbox.helm.sources import CHART_LAYER, MANIFEST

CONFIG = "application/vnd.cncf.helm.config.v1+json"


class Registry(Site):
    """Charts by `<path>/<chart name>:<version>`, a `+` in a version being `_`, since tags have none."""

    def __init__(self, path: str, archives: Iterable[Path], login: tuple[str, str] | None = None) -> None:
        super().__init__(login)
        self._blobs: dict[str, bytes] = {}
        self._manifests: dict[tuple[str, str], bytes] = {}
        for archive in archives:
            self._add(path.strip("/"), archive.read_bytes())

    def answer(self, path: str) -> Answer:
        """`/v2/`, `/v2/<name>/manifests/<tag or digest>`, `/v2/<name>/blobs/<digest>`."""
        if path == "/v2/":
            return Answer(200, b"{}", "application/json")
        name, _, reference = path.removeprefix("/v2/").rpartition("/")
        name, _, kind = name.rpartition("/")
        if kind == "manifests" and (name, reference) in self._manifests:
            return _found(self._manifests[name, reference], MANIFEST)
        if kind == "blobs" and reference in self._blobs:
            return _found(self._blobs[reference], "application/octet-stream")
        code = "MANIFEST_UNKNOWN" if kind == "manifests" else "BLOB_UNKNOWN"
        body = {"errors": [{"code": code, "message": f"{kind or path} {reference} not found"}]}
        return Answer(404, json.dumps(body).encode(), "application/json")

    def _add(self, path: str, data: bytes) -> None:
        metadata = metadata_of(unpack(data))
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._blob(json.dumps(metadata).encode(), CONFIG),
            "layers": [self._blob(data, CHART_LAYER)],
        }
        content = json.dumps(manifest).encode()
        name = f"{path}/{metadata['name']}" if path else str(metadata["name"])
        for reference in (str(metadata["version"]).replace("+", "_"), _digest(content)):
            self._manifests[name, reference] = content

    def _blob(self, data: bytes, media: str) -> dict[str, Any]:
        digest = _digest(data)
        self._blobs[digest] = data
        return {"mediaType": media, "digest": digest, "size": len(data)}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _found(data: bytes, media: str) -> Answer:
    return Answer(200, data, media, {"Docker-Content-Digest": _digest(data)})
