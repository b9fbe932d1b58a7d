"""Looking again after making something: EC2 and IAM show a new thing only after a moment.

Where AWS takes no client token, a lost answer (and botocore's own retry of it) leaves a twin. So whoever made something
looks until AWS shows it, by then AWS shows the earlier twin too, and twins that nothing uses are removed.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from steps.errors import Code, PodiumError, TransientError
from steps.names import Owner

T = TypeVar("T")

SEEN_SECONDS = 20.0
"""How long AWS may need to show what it has just made; usually well under one second."""
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 3.0
TOKENS = 3
FRESH_SECONDS = 30.0
"""How long IAM may need to make a new role known to the other services; usually some ten seconds."""
TOKEN_SECONDS = 3.0


def until_seen(look: Callable[[], T | None], what: str, seconds: float = SEEN_SECONDS) -> T:
    """What `look` finds, repeated until it is not None. Raises TransientError when AWS does not show it in time."""
    found = _glimpse(look, seconds)
    if found is None:
        raise TransientError.by_provider(
            Code.AWS_UNAVAILABLE, f"AWS does not show {what} yet", "Retry: Podium looks for it again."
        )
    return found


def made_with_token(
    make: Callable[[str], object], look: Callable[[], T | None], owner: Owner, resource: str, what: str
) -> T:
    """Make a thing with a client token, and what `look` then finds.

    AWS remembers a token longer than the thing: where an earlier one of this operation failed and was deleted, its
    token makes nothing, so the next one is tried.
    """
    for number in range(TOKENS - 1):
        make(owner.client_token(f"{resource}/{number}"))
        if (found := _glimpse(look, TOKEN_SECONDS)) is not None:
            return found
    make(owner.client_token(f"{resource}/{TOKENS - 1}"))
    return until_seen(look, what)


def while_fresh(call: Callable[[], T], age: Callable[[], float | None], seconds: float = FRESH_SECONDS) -> T:
    """`call`, again and again while AWS refuses it and the role it names is younger than `seconds`.

    A new IAM role is not known to the other services at once: they then refuse it as if it did not exist.
    """
    pause = 1.0
    while True:
        try:
            return call()
        except PodiumError as error:
            known = age() if error.code is Code.AWS_INVALID_REQUEST else None
            if known is None or known > seconds:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 5.0)


def keep_one(twins: list[T], is_used: Callable[[T], bool], delete: Callable[[T], object]) -> T:
    """The one to keep of things that are all ours and the same: the first that is used, else the first.

    `twins` are in a stable order (by id), so everybody who looks keeps the same one. The others are deleted, unless
    they are used as well.
    """
    if len(twins) == 1:
        return twins[0]
    used = [twin for twin in twins if is_used(twin)]
    kept = used[0] if used else twins[0]
    for twin in twins:
        if twin is not kept and twin not in used:
            delete(twin)
    return kept


def _glimpse(look: Callable[[], T | None], seconds: float) -> T | None:
    deadline, pause = time.monotonic() + seconds, FIRST_PAUSE
    while (found := look()) is None and time.monotonic() + pause <= deadline:
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
    return found
