"""What every thin client has in common: a connection, and errors translated on the way out."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from steps.clients.aws.errors import came_from_credentials, incomplete, is_quiet, translate
from steps.clients.aws.session import Connection
from steps.errors import CredentialsError, PodiumError

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound="ServiceClient")

VENDOR_ERRORS = (ClientError, BotoCoreError, ResponseParserError)


class ServiceClient:
    """A thin client of one AWS service. `service` is boto3's name of it."""

    service = ""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection


def translated(method: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
    """Let a method of a thin client raise PodiumError instead of botocore's errors, or of missing the answer's parts.

    Credentials that do not work are forgotten, so that new ones from the environment are found at the next try. The
    cause is chained, except where its text may hold a secret.
    """

    @wraps(method)
    def call(self: C, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except VENDOR_ERRORS as error:
            raise _problem(self, error) from (None if is_quiet(error, self.service) else error)
        except LookupError as error:
            raise incomplete(error, self.service, self.connection.target.region) from error
        except RuntimeError as error:
            if not came_from_credentials(error):
                raise
            raise _problem(self, error) from error

    return call


def _problem(client: ServiceClient, error: Exception) -> PodiumError:
    problem = translate(error, client.service, client.connection.target.region, client.connection.principal)
    if isinstance(problem, CredentialsError):
        client.connection.forget()
    return problem


class Tolerate:
    """Swallow AWS errors of these codes: `with Tolerate("NoSuchEntity") as refused: …`, then ask `refused.code`."""

    def __init__(self, *codes: str) -> None:
        self._codes = codes
        self.code: str | None = None

    def __enter__(self) -> "Tolerate":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in self._codes:
            self.code = error.response["Error"]["Code"]
            return True
        return False


def tag_list(tags: Mapping[str, str]) -> list[Any]:
    """Tags in the form most services take them: [{"Key": …, "Value": …}]; untyped, as each has a type of its own."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_dict(tags: object) -> dict[str, str]:
    """Tags in that form as a dict; anything else counts as none."""
    if not isinstance(tags, list):
        return {}
    return {str(tag["Key"]): str(tag.get("Value", "")) for tag in tags}


def tag_filters(tags: Mapping[str, str]) -> list[Any]:
    """EC2 filters that match all of `tags`."""
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
