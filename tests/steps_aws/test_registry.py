"""ECR repositories, and the wait for a person's push."""

import pytest

from steps import registry
from steps.clients.aws import Aws
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.waiting import NeedsPerson
from tests.steps_aws.conftest import Cloud


def names(owner: Owner) -> list[str]:
    return [owner.names.app_repository, owner.names.migrate_repository]


def test_repositories_are_made_once(aws: Aws, owner: Owner, cloud: Cloud) -> None:
    cloud.fault(match="ecr:CreateRepository", kind="lost")
    made = registry.ensure_repositories(aws, owner, names(owner))
    assert made == registry.ensure_repositories(aws, owner, names(owner))
    assert made[owner.names.app_repository].endswith(f".amazonaws.com/{owner.names.app_repository}")


def test_an_image_that_is_not_there_needs_a_person_and_then_is_found(aws: Aws, owner: Owner, cloud: Cloud) -> None:
    [uri, *_] = registry.ensure_repositories(aws, owner, names(owner)).values()
    found = registry.await_image(aws, owner.names.app_repository, "latest")
    assert isinstance(found, NeedsPerson)
    login, build, push = found.commands
    host = uri.split("/")[0]
    assert login.endswith(f"docker login --username AWS --password-stdin {host}")
    assert f"--tag {uri}:latest" in build
    assert push == f"docker push {uri}:latest"
    cloud.push(owner.names.app_repository, "latest")
    pushed = registry.await_image(aws, owner.names.app_repository, "latest")
    assert isinstance(pushed, dict)
    assert pushed["image"] == f"{uri}:latest"
    assert pushed["digest"].startswith("sha256:")


def test_the_migration_image_has_a_dockerfile_of_its_own(aws: Aws, owner: Owner) -> None:
    found = registry.await_image(aws, owner.names.migrate_repository, "v1")
    assert isinstance(found, NeedsPerson)
    assert "examples/app/Dockerfile.migrate" in found.commands[1]


def test_a_repository_without_our_tag_is_name_taken_and_not_deleted(aws: Aws, owner: Owner) -> None:
    aws.ecr.make_repository(owner.names.app_repository, {})
    with pytest.raises(PodiumError) as caught:
        registry.ensure_repositories(aws, owner, names(owner))
    assert caught.value.code is Code.NAME_TAKEN
    assert registry.delete_repositories(aws, owner) == []
    assert aws.ecr.repository(owner.names.app_repository) is not None


def test_repositories_with_images_stay_unless_forced(aws: Aws, owner: Owner, cloud: Cloud) -> None:
    registry.ensure_repositories(aws, owner, names(owner))
    cloud.push(owner.names.app_repository, "latest")
    [left] = registry.delete_repositories(aws, owner)
    assert left.endswith(f":repository/{owner.names.app_repository}")
    assert registry.delete_repositories(aws, owner, force=True) == []
    assert aws.ecr.repository(owner.names.app_repository) is None
