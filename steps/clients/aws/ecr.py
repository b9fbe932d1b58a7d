"""ECR: repositories and the images in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from steps.clients.aws.base import ServiceClient, Tolerate, tag_dict, tag_list, translated

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

NO_REPOSITORY = "RepositoryNotFoundException"


@dataclass(frozen=True)
class Repository:
    """A repository; `uri` is what images are named after, without a tag."""

    name: str
    arn: str
    uri: str


class Ecr(ServiceClient):
    """Elastic Container Registry."""

    service = "ecr"

    @property
    def _api(self) -> "ECRClient":
        api: ECRClient = self.connection.client("ecr")
        return api

    @translated
    def repository(self, name: str) -> Repository | None:
        with Tolerate(NO_REPOSITORY):
            one = self._api.describe_repositories(repositoryNames=[name])["repositories"][0]
            return Repository(name, one["repositoryArn"], one["repositoryUri"])
        return None

    @translated
    def tags(self, arn: str) -> dict[str, str]:
        with Tolerate(NO_REPOSITORY):
            return tag_dict(self._api.list_tags_for_resource(resourceArn=arn)["tags"])
        return {}

    @translated
    def make_repository(self, name: str, tags: Mapping[str, str]) -> bool:
        """Whether this call made it; images are scanned when pushed."""
        with Tolerate("RepositoryAlreadyExistsException"):
            self._api.create_repository(
                repositoryName=name,
                tags=tag_list(tags),
                imageScanningConfiguration={"scanOnPush": True},
            )
            return True
        return False

    @translated
    def digest(self, repository: str, tag: str) -> str | None:
        """Digest of the image with this tag; None when it, or the repository, is not there."""
        with Tolerate(NO_REPOSITORY, "ImageNotFoundException"):
            answer = self._api.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
            for image in answer["imageDetails"]:
                return image.get("imageDigest")
        return None

    @translated
    def has_images(self, repository: str) -> bool:
        """Whether anything is in it, with a tag or without."""
        with Tolerate(NO_REPOSITORY):
            return bool(self._api.list_images(repositoryName=repository, maxResults=1)["imageIds"])
        return False

    @translated
    def delete_repository(self, name: str, *, force: bool) -> bool:
        """Whether it is gone now; without `force`, one with images stays."""
        with Tolerate(NO_REPOSITORY, "RepositoryNotEmptyException") as refused:
            self._api.delete_repository(repositoryName=name, force=force)
        return refused.code != "RepositoryNotEmptyException"
