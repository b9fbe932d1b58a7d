"""The shapes of requests and answers, as OpenAPI shows them. Answers are read straight from the ledger's records."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from workflows.spec import SecretReference

InstallationState = Literal[
    "PENDING",
    "PROVISIONING",
    "WAITING",
    "READY",
    "FAILED",
    "CANCELLING",
    "CANCELLED",
    "UPDATING",
    "DELETING",
    "DELETED",
]
OperationState = Literal["PENDING", "RUNNING", "WAITING", "SUCCEEDED", "FAILED", "CANCELLING", "CANCELLED"]
PhaseState = Literal["pending", "running", "waiting", "succeeded", "failed", "skipped", "cancelled"]


class Answer(BaseModel):
    """Read from a record's attributes; field docstrings become the descriptions."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)


class ErrorDetail(Answer):
    """One part of a compound error, or one field."""

    field: str = ""
    """Path of the field, e.g. aws.region."""
    message: str
    """What is wrong."""
    remedy: str = ""
    """What to do."""
    code: str | None = None
    """Stable code, where the part has one of its own."""


class ProblemDocument(BaseModel):
    """RFC 9457 problem details: what every error answer holds."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    type: str = Field(examples=["urn:podium:problem:invalid-spec"])
    """URN of the code."""
    title: str = Field(examples=["Unprocessable Content"])
    """The HTTP status in words."""
    status: int = Field(examples=[422])
    """The HTTP status."""
    code: str = Field(examples=["INVALID_SPEC"])
    """Stable code."""
    detail: str = Field(examples=["The request is not valid: aws.region."])
    """What happened."""
    remedy: str | None = Field(default=None, examples=["Correct what `errors` lists and send the request again."])
    """What to do, in one sentence."""
    errors: list[ErrorDetail] = []
    """The fields or parts that are wrong."""
    request_id: str | None = None
    """Id of the request, also in the header X-Request-Id and in the log."""


class PhaseError(Answer):
    """Why a phase or an operation failed."""

    code: str = Field(examples=["AWS_QUOTA_EXCEEDED"])
    """Stable code."""
    message: str
    """What happened."""
    fault: Literal["user", "provider", "podium"]
    """Who has to act."""
    retryable: bool
    """Whether a retry can help."""
    remedy: str
    """What to do, in one sentence."""
    details: list[ErrorDetail] = []
    """The parts of a compound error: preflight reports all problems at once."""
    step: str | None = None
    """The step that failed."""


class Blocker(Answer):
    """A resource that keeps another from being deleted."""

    arn: str
    """Its ARN."""
    why: str
    """How it is in the way."""
    owner: str
    """Whose it is, as far as its tags tell."""


class Waiting(Answer):
    """What a phase needs from a person."""

    code: str | None = Field(default=None, examples=["BLOCKED"])
    """Stable code, where there is one: BLOCKED, AWS_CREDENTIALS_EXPIRED."""
    what: str
    """What is needed."""
    how: str
    """How to give it."""
    commands: list[str] = []
    """Shell commands, ready to paste."""
    resources: list[Blocker] = []
    """What is in the way of a delete."""


class Phase(Answer):
    """One phase of an operation."""

    name: str = Field(examples=["network"])
    """Stable name."""
    title: str = Field(examples=["Creating the VPC"])
    """What it does, for people."""
    state: PhaseState
    """Where it stands."""
    needs: list[str]
    """Phases that must have succeeded before."""
    weight: float
    """Expected duration at AWS, seconds; its share of the progress."""
    attempt: int
    """1, and one more with each retry."""
    started_at: datetime | None = None
    """When this attempt started."""
    finished_at: datetime | None = None
    """When it ended."""
    action: str | None = None
    """What it is doing now."""
    error: PhaseError | None = None
    """Why it failed."""
    waiting: Waiting | None = None
    """What it needs from a person."""


class Operation(Answer):
    """One durable run on an installation."""

    id: str
    """Id; also of the DBOS workflow."""
    installation: str
    """Name of the installation."""
    kind: str = Field(examples=["install"])
    """What it does: install, upgrade, repair or uninstall."""
    options: dict[str, Any] = {}
    """How it was asked for."""
    report: dict[str, Any] | None = None
    """What it has to say at its end: an uninstall's snapshot, what it left alone and why, and the proof."""
    state: OperationState
    """Where it stands."""
    progress: int = Field(ge=0, le=100)
    """Percent of the expected time that is behind it."""
    created_at: datetime
    """When it was asked for."""
    started_at: datetime | None = None
    """When it first started."""
    finished_at: datetime | None = None
    """When it ended."""
    error: PhaseError | None = None
    """Why it failed."""
    phases: list[Phase]
    """Its phases, in the order of the plan."""


class Installation(Answer):
    """One Conductor on one cluster."""

    name: str = Field(examples=["dbos-conductor"])
    """Name, unique in this service."""
    id: str
    """UUID."""
    state: InstallationState
    """Where it stands."""
    spec: dict[str, Any]
    """The specification with all defaults; secret values are not in it."""
    outputs: dict[str, Any] = Field(examples=[{"app_url": "http://example.elb.amazonaws.com/app"}])
    """URLs, endpoints and ids, as they become known."""
    created_at: datetime
    """When it was asked for."""
    updated_at: datetime
    """When anything about it last changed."""
    operation: Operation
    """The current operation, or the last one."""


class InstallationPage(Answer):
    """A page of installations in order of name."""

    installations: list[Installation]
    """The installations."""
    next_page_token: str | None = None
    """Send it as page_token for the next page; null on the last one."""
    next: str | None = None
    """Path of the next page, as in the Link header."""


class Event(Answer):
    """One entry of an installation's log."""

    seq: int
    """Number, from 1 without gaps."""
    at: datetime
    """When."""
    operation_id: str
    """In which operation."""
    kind: str = Field(examples=["phase.started"])
    """What happened: operation.*, phase.* or step.* followed by started, succeeded, failed and so on."""
    message: str
    """For people."""
    phase: str | None = None
    """In which phase."""
    step: str | None = None
    """In which step."""
    attempt: int
    """In which attempt of the phase."""
    data: dict[str, Any]
    """More, by kind; an error's code and remedy for *.failed."""


class EventPage(Answer):
    """A page of events, oldest first."""

    events: list[Event]
    """The events."""
    next_page_token: str | None = None
    """Send it as page_token for the next page; null when these are all so far."""
    next: str | None = None
    """Path of the next page, as in the Link header."""


class PlannedPhase(Answer):
    """One phase as planned."""

    name: str
    """Stable name."""
    title: str
    """What it does."""
    needs: list[str]
    """Phases before it."""
    weight: float
    """Expected duration at AWS, seconds."""
    skipped: bool
    """Whether this spec does without it."""


class PlannedResource(Answer):
    """Something the install would create."""

    phase: str
    """In which phase."""
    type: str
    """AWS's or Kubernetes' name for such a thing."""
    name: str
    """Its name."""


class PlanWarning(Answer):
    """Something that works but may surprise."""

    code: str
    """Stable code."""
    field: str
    """Path of the field."""
    message: str
    """What may surprise."""


class Plan(Answer):
    """What an install would do; nothing is created."""

    name: str
    """Name of the installation."""
    graph: list[PlannedPhase]
    """The phases and what each needs."""
    resources: list[PlannedResource]
    """What would be created, by name."""
    warnings: list[PlanWarning]
    """What may surprise."""


class FieldChange(Answer):
    """One field of the spec that differs from what was applied."""

    field: str = Field(examples=["nodes.count"])
    """Path of the field."""
    before: Any
    """The value that was applied."""
    after: Any
    """The value that is asked for."""
    action: Literal["create", "update", "replace", "remove", "impossible"]
    """What it takes; impossible: see message and remedy."""
    phases: list[str]
    """The phases that have to do something about it."""
    message: str
    """What is to be known of it."""
    remedy: str
    """What to do instead, when it is impossible."""


class ChangingPhase(Answer):
    """One phase that a change would run."""

    name: str
    """Stable name."""
    title: str
    """What it does."""
    needs: list[str]
    """Phases before it."""
    weight: float
    """Expected duration at AWS, seconds."""
    action: Literal["create", "update", "replace", "remove"]
    """What it does to its things."""
    why: str
    """Why it is touched."""


class ChangePlan(Answer):
    """What a changed spec would do; nothing is begun."""

    name: str
    """Name of the installation."""
    unchanged: bool
    """Whether there is nothing to do."""
    changes: list[FieldChange]
    """The fields that differ."""
    phases: list[ChangingPhase]
    """What would run, in order."""
    warnings: list[PlanWarning]
    """What may surprise."""


class DriftedResource(Answer):
    """A thing as AWS or Kubernetes call it."""

    type: str = Field(examples=["Deployment"])
    """What it is."""
    name: str = Field(examples=["dbos/console"])
    """Its name, or id."""


class DriftDifference(Answer):
    """One thing, or one field of it, that is not as it was applied."""

    phase: str = Field(examples=["console"])
    """The phase that made it."""
    kind: Literal["missing", "changed", "unready", "failed", "extra", "taken"]
    """missing, changed, unready, failed; extra: no longer wanted; taken: of the name, but not the installation's."""
    resource: DriftedResource
    """The thing."""
    field: str | None = Field(default=None, examples=["spec.replicas"])
    """Path of the field; null: the thing as a whole."""
    expected: Any = None
    """The value that was applied; secrets are hidden."""
    found: Any = None
    """The value that is there; null also where only AWS knows it."""
    message: str
    """For people."""
    remedy: str
    """What to do."""


class NotCompared(Answer):
    """A phase that was left out."""

    phase: str
    """Its name."""
    why: str
    """Why."""


class Unreadable(Answer):
    """A phase whose things could not be looked at to the end."""

    phase: str
    """Its name."""
    code: str = Field(examples=["KUBERNETES_UNAVAILABLE"])
    """Stable code."""
    message: str
    """What happened."""
    remedy: str
    """What to do."""


class Drift(Answer):
    """How what is there differs from what was applied."""

    name: str
    """Name of the installation."""
    checked_at: datetime
    """When the look ended."""
    in_sync: bool
    """Whether there is no difference, everything could be looked at, and the last operation left nothing undone."""
    differences: list[DriftDifference]
    """The differences, in the order of the phases; at most 200."""
    not_compared: list[NotCompared]
    """What was left out."""
    unreadable: list[Unreadable]
    """What could not be looked at: AWS, the cluster or Conductor did not answer."""
    truncated: bool
    """Whether there are more differences than are listed."""


class Request(BaseModel):
    """Frozen, strict about names, silent about values."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


PhaseName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]


class RetryRequest(Request):
    """How to retry; an empty body retries what failed."""

    from_phase: PhaseName | None = Field(default=None, examples=["network"])
    """Run this phase and all that need it again from their first step."""


class ProvideRequest(Request):
    """What a waiting phase asked for."""

    phase: PhaseName = Field(examples=["api-key"])
    """The phase that waits."""
    value: SecretStr | SecretReference = Field(examples=[{"secret": "prod/dbos/conductor-api-key"}])
    """The value (write-only, moved to the secret store at once) or where it is kept."""
