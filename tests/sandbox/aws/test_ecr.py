"""ECR: who pushes images when there is no Docker."""

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.aws.standin import StandIn


@pytest.fixture
def repository(aws: StandIn) -> Iterator[str]:
    yield "dbos-migrate"
    aws.client("ecr").delete_repository(repositoryName="dbos-migrate", force=True)


def tags(aws: StandIn, repository: str) -> list[str]:
    images = aws.client("ecr").describe_images(repositoryName=repository)["imageDetails"]
    return sorted(tag for image in images for tag in image["imageTags"])


def test_the_sample_image_is_pushed_at_once(aws: StandIn, repository: str) -> None:
    aws.client("ecr").create_repository(repositoryName=repository)
    assert tags(aws, repository) == ["latest"]


def test_without_autopush_an_image_appears_when_somebody_pushes_it(aws: StandIn, repository: str) -> None:
    aws.control("PUT", "/settings", {"autopush": False})
    aws.client("ecr").create_repository(repositoryName=repository)
    with pytest.raises(ClientError) as error:
        aws.client("ecr").describe_images(repositoryName=repository, imageIds=[{"imageTag": "v1"}])
    assert error.value.response["Error"]["Code"] == "ImageNotFoundException"
    aws.control("POST", "/images", {"repository": repository, "tag": "v1"})
    assert tags(aws, repository) == ["v1"]
