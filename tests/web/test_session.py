"""Signed sessions and one-time links."""

from web.session import LINK_SECONDS, SESSION_SECONDS, Sessions, login_token


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_session_lasts_its_time_and_survives_a_restart() -> None:
    clock = Clock()
    session = Sessions("key", clock).issue()
    assert Sessions("key", clock).valid(session)
    clock.now += SESSION_SECONDS
    assert not Sessions("key", clock).valid(session)


def test_a_session_of_another_key_or_a_changed_one_is_worthless() -> None:
    session = Sessions("key").issue()
    assert not Sessions("other").valid(session)
    expiry, _, rest = session.partition(".")
    assert not Sessions("key").valid(f"{int(expiry) + 1}.{rest}")
    for odd in ("", ".", "..", "a.b.c", session + "0", "é.é.é"):
        assert not Sessions("key").valid(odd)


def test_without_a_key_sessions_end_with_the_process() -> None:
    assert not Sessions(None).valid(Sessions(None).issue())


def test_a_link_is_no_session_and_a_session_no_link() -> None:
    sessions = Sessions("key")
    assert not sessions.valid(login_token("key"))
    assert not sessions.redeem(sessions.issue())


def test_a_link_is_good_once_and_for_a_while() -> None:
    clock = Clock()
    sessions, token = Sessions("key", clock), login_token("key", clock)
    assert sessions.redeem(token)
    assert not sessions.redeem(token)
    late = login_token("key", clock)
    clock.now += LINK_SECONDS
    assert not sessions.redeem(late)


def test_forms_are_tied_to_their_session() -> None:
    sessions = Sessions("key")
    one, other = sessions.issue(), sessions.issue()
    assert sessions.csrf_valid(one, sessions.csrf(one))
    assert not sessions.csrf_valid(one, sessions.csrf(other))
    assert not sessions.csrf_valid(one, "")


def test_two_services_on_one_host_use_cookies_of_different_names() -> None:
    assert Sessions("key").cookie != Sessions("other").cookie
