"""Images in ECR: pushed by hand through the control API, or at once, as the person's `docker push` would.

Gap: there is no Docker here to push with. A repository named *-app or *-migrate gets the sample image as tag `latest`
while the setting `autopush` is on (Amazon ECR API Reference, PutImage).
"""

import hashlib
import json
from typing import Any, ClassVar

from moto.ecr.models import ECRBackend, ecr_backends

from sandbox.aws.errors import AwsError
from sandbox.aws.moto_base import SandboxBackend

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
SAMPLES = ("-app", "-migrate")


class SandboxECR(SandboxBackend, ECRBackend):
    """moto's ECR, with somebody who pushes."""

    MOTO_SERVICE: ClassVar[str] = "ecr"

    def create_repository(self, repository_name: str, *args: Any, **kwargs: Any) -> Any:
        repository = super().create_repository(repository_name, *args, **kwargs)
        if self.cloud.settings.autopush and repository_name.endswith(SAMPLES):
            push(self, repository_name, "latest")
        return repository


def push(backend: Any, repository: str, tag: str) -> None:
    """Put an image into a repository, as docker push does; raises AwsError when there is no such repository."""
    if repository not in backend.repositories:
        raise AwsError("RepositoryNotFoundException", f"The repository with name '{repository}' does not exist", 404)
    digest = "sha256:" + hashlib.sha256(f"{repository}:{tag}".encode()).hexdigest()
    layer = {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 52_428_800, "digest": digest}
    config = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 7023, "digest": digest}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    backend.put_image(repository, json.dumps(manifest), tag, MANIFEST)


def install() -> None:
    """Make moto create our ECR backends from now on."""
    ecr_backends.backend = SandboxECR


def backend_of(account: str, region: str) -> Any:
    return ecr_backends[account][region]
