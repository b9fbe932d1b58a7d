"""How a step's failure is told: in Podium's words, and with nothing in it that nobody has checked."""

import structlog

from steps.errors import Code, CredentialsError, Fault, PodiumError, TransientError, problem_of
from steps.waiting import NeedsPerson

log = structlog.get_logger(__name__)


def failure_of(error: Exception, step: str) -> PodiumError:
    """What a step raised, in our words, without the exceptions behind it and the frames that it came through: their
    texts and variables may hold secrets, and DBOS prints and keeps what it is given."""
    failure = error if isinstance(error, PodiumError) else _unexpected(error, step)
    failure.__cause__ = failure.__context__ = failure.__traceback__ = None
    return failure


def _unexpected(error: Exception, step: str) -> PodiumError:
    """Its text is lost, since nobody has checked it for secrets."""
    place = _place_of(error)
    log.error("step.unexpected_error", step=step, type=type(error).__name__, place=place)
    problem = problem_of(error)
    return PodiumError(
        Code.INTERNAL,
        f"{problem.message} (in {step}, {place})",
        fault=Fault.PODIUM,
        retryable=True,
        remedy=problem.remedy,
    )


def _place_of(error: Exception) -> str:
    traceback = error.__traceback__
    while traceback and traceback.tb_next:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno}" if traceback else "?"


def interrupted(action: str, failed: list[str]) -> PodiumError:
    return PodiumError(
        Code.INTERRUPTED,
        f"{action}: not awaited any longer, since this hangs on {', '.join(failed)}, which failed.",
        fault=Fault.PODIUM,
        retryable=True,
        remedy="Mend what failed, then retry: the wait goes on from here.",
    )


def no_database() -> TransientError:
    return TransientError(
        Code.INTERNAL,
        "Podium's own database does not answer.",
        fault=Fault.PODIUM,
        retryable=True,
        remedy="Start it again, then retry.",
    )


def timed_out(action: str, detail: str, minutes: float) -> PodiumError:
    return PodiumError.by_provider(
        Code.TIMED_OUT,
        f"{action}: still not done after {minutes:g} minutes. Last seen: {detail}",
        "Look at the resource named above; retry when it is ready or mended (the wait goes on from here).",
    )


def credentials_needed(error: CredentialsError) -> NeedsPerson:
    """What a phase waits for while AWS's credentials do not work; one code, whatever is wrong with them."""
    return NeedsPerson(error.message, error.remedy, code=str(Code.AWS_CREDENTIALS_EXPIRED))
