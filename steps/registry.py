"""ECR: the repositories of the application's two images, and whether the images are there."""

from steps.clients.aws import Aws
from steps.names import Owner
from steps.ownership import check_ours, is_ours
from steps.second_look import until_seen
from steps.waiting import NeedsPerson


def ensure_repositories(aws: Aws, owner: Owner, names: list[str]) -> dict[str, str]:
    """{repository name: its URI}, images scanned when pushed."""
    return {name: _ensure_repository(aws, owner, name) for name in names}


def await_image(aws: Aws, repository: str, tag: str) -> dict[str, str] | NeedsPerson:
    """{image: "uri:tag", digest} once somebody has pushed it; until then, what to type to push it."""
    found = aws.ecr.repository(repository)
    digest = aws.ecr.digest(repository, tag) if found else None
    uri = found.uri if found else f"{_registry(aws)}/{repository}"
    if digest:
        return {"image": f"{uri}:{tag}", "digest": digest}
    return NeedsPerson(
        f"the image {repository}:{tag} has not been pushed to ECR yet",
        "Build and push it with these commands (here for the sample application); the installation goes on by itself.",
        _commands(aws, uri, tag, "Dockerfile.migrate" if repository.endswith("migrate") else "Dockerfile"),
    )


def delete_repositories(aws: Aws, owner: Owner, names: list[str] | None = None, force: bool = False) -> list[str]:
    """Delete the installation's own repositories; without `force` those with images stay: their ARNs are returned.

    `names`: when the spec names them itself; by default those derived from the installation's name.
    """
    left = []
    for name in names or [owner.names.app_repository, owner.names.migrate_repository]:
        found = aws.ecr.repository(name)
        if found is None or not is_ours(owner, aws.ecr.tags(found.arn)):
            continue
        if not aws.ecr.delete_repository(name, force=force):
            left.append(found.arn)
    return left


def _ensure_repository(aws: Aws, owner: Owner, name: str) -> str:
    found = aws.ecr.repository(name)
    if found is None:
        aws.ecr.make_repository(name, owner.tags(f"repository-{name}"))
        found = until_seen(lambda: aws.ecr.repository(name), f"the ECR repository {name}")
    check_ours(owner, aws.ecr.tags(found.arn), f"the ECR repository {name}")
    return found.uri


def _registry(aws: Aws) -> str:
    suffix = "amazonaws.com.cn" if aws.partition == "aws-cn" else "amazonaws.com"
    return f"{aws.account_id()}.dkr.ecr.{aws.region}.{suffix}"


def _commands(aws: Aws, uri: str, tag: str, dockerfile: str) -> tuple[str, ...]:
    return (
        f"aws ecr get-login-password --region {aws.region}"
        f" | docker login --username AWS --password-stdin {uri.split('/', maxsplit=1)[0]}",
        f"docker build --platform linux/amd64 --file examples/app/{dockerfile} --tag {uri}:{tag} examples/app",
        f"docker push {uri}:{tag}",
    )
