"""Whose a thing in AWS is: ours when it carries the installation's tag; anything else is never touched."""

from collections.abc import Mapping

from steps.errors import Code, PodiumError, TransientError
from steps.names import TAG_INSTALLATION, Owner


def is_ours(owner: Owner, tags: Mapping[str, str]) -> bool:
    return tags.get(TAG_INSTALLATION) == owner.installation


def taken(owner: Owner, tags: Mapping[str, str], what: str) -> tuple[str, str]:
    """Message and remedy for a thing that has our name but not our tag. `what`: e.g. "the EKS cluster dbos"."""
    other = tags.get(TAG_INSTALLATION)
    whose = f"belongs to the Podium installation {other}" if other else "was not made by Podium"
    hand_over = "" if other else f", or tag it {TAG_INSTALLATION}={owner.installation} to hand it to Podium"
    remedy = f"Choose another name for the installation; or delete {what} if nobody needs it{hand_over}; then retry."
    return f"{what} exists already and {whose}", remedy


def check_ours(owner: Owner, tags: Mapping[str, str], what: str) -> None:
    """Raises NAME_TAKEN for a thing that is not the installation's."""
    if not is_ours(owner, tags):
        message, remedy = taken(owner, tags, what)
        raise PodiumError.by_user(Code.NAME_TAKEN, message, remedy)


def is_part(owner: Owner, resource: str, tags: Mapping[str, str]) -> bool:
    """Whether it is the installation's part of this name."""
    return owner.tags(resource).items() <= tags.items()


def lost(owner: Owner, resource: str, identifier: str, what: str) -> PodiumError:
    """A thing in the place of one of ours, which has no name of its own, without the tags by which we would know it.

    A second one beside it would not be used, or worse, be used. `resource`: the part's stable name, e.g. `vpc`.
    """
    tags = " ".join(f"Key={key},Value={value}" for key, value in owner.tags(resource).items())
    return PodiumError.by_user(
        Code.NAME_TAKEN,
        f"{what} {identifier} is where the installation's own would be, and does not carry its tags",
        f"If it is the installation's, give it its tags back: aws ec2 create-tags --resources {identifier} --tags "
        f"{tags}; else remove it; then retry.",
    )


def being_deleted(what: str) -> TransientError:
    """An earlier one of this name is still on its way out."""
    return TransientError.by_provider(
        Code.AWS_RESOURCE_FAILED, f"{what} is still being deleted", "Wait until it is gone, then retry this phase."
    )


def failed(what: str, reasons: tuple[str, ...]) -> PodiumError:
    """AWS gave up on it, with AWS's own reasons; made anew when its phase starts from the beginning."""
    because = "; ".join(filter(None, reasons)) or "AWS gives no reason"
    return PodiumError.by_provider(
        Code.AWS_RESOURCE_FAILED,
        f"{what} failed: {because}"[:1000],
        "Mend what AWS names, then retry from this phase (`from_phase`): it is made anew.",
    )
