"""Sessions of the status page: a signed cookie after the API key (or a one-time link) was shown, CSRF tokens for forms.

Nothing is stored but the spent one-time links: cookie and tokens are signed with keys derived from the API key, so they
survive a restart and end when the key is changed. Without an API key (127.0.0.1 only) everybody gets a session, with
keys made at start, since the forms still need protection against other sites' pages.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable

SESSION_SECONDS = 12 * 3600
LINK_SECONDS = 12 * 3600

Clock = Callable[[], float]


def login_token(api_key: str, clock: Clock = time.time) -> str:
    """A one-time token for `/login?token=…`, good for LINK_SECONDS; whoever knows the key can make one."""
    return _signed(_derived(api_key.encode(), "login link"), int(clock()) + LINK_SECONDS)


class Sessions:
    """Issues and checks. `key` is the API key, or None when the page is open to this machine."""

    def __init__(self, key: str | None, clock: Clock = time.time) -> None:
        self.open = key is None
        root = secrets.token_bytes(32) if key is None else key.encode()
        self._key = root
        self._session_key = _derived(root, "session")
        self._csrf_key = _derived(root, "csrf")
        self._link_key = _derived(root, "login link")
        self._clock = clock
        self._spent: dict[str, int] = {}
        self._lock = threading.Lock()
        # Cookies do not tell ports apart; the name keeps two services on one host from logging each other out.
        self.cookie = f"podium_session_{_derived(root, 'cookie name').hex()[:8]}"

    def knows(self, api_key: str) -> bool:
        """Whether this is the API key, compared in constant time."""
        return hmac.compare_digest(api_key.encode(), self._key)

    def issue(self) -> str:
        return _signed(self._session_key, int(self._clock()) + SESSION_SECONDS)

    def valid(self, session: str) -> bool:
        return _expiry(self._session_key, session) > self._clock()

    def csrf(self, session: str) -> str:
        """The token that forms of this session carry."""
        return hmac.new(self._csrf_key, session.encode(), hashlib.sha256).hexdigest()

    def csrf_valid(self, session: str, token: str) -> bool:
        return hmac.compare_digest(self.csrf(session).encode(), token.encode())

    def redeem(self, token: str) -> bool:
        """Spends a one-time token; False when it is none of ours, too old or spent."""
        now, expiry = self._clock(), _expiry(self._link_key, token)
        if expiry <= now:
            return False
        with self._lock:
            self._spent = {spent: until for spent, until in self._spent.items() if until > now}
            if token in self._spent:
                return False
            self._spent[token] = expiry
        return True


def _derived(root: bytes, purpose: str) -> bytes:
    return hmac.new(root, f"podium status page: {purpose}".encode(), hashlib.sha256).digest()


def _signed(key: bytes, expiry: int) -> str:
    text = f"{expiry}.{secrets.token_urlsafe(16)}"
    return f"{text}.{hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}"


def _expiry(key: bytes, value: str) -> int:
    """The Unix time in a value that `_signed` made with this key; 0 for any other."""
    text, _, signature = value.rpartition(".")
    expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        return 0
    return int(text.partition(".")[0])
