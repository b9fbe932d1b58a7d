"""The WSGI application: every request to the sandbox's AWS passes here, one at a time.

Order for a call: faults that keep it from happening, credentials, denied actions, timed changes that are due, client
token, the operation itself (ours or moto's), the call log, faults that spoil the answer.
"""

import logging
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from sandbox.aws.cloud import Cloud
from sandbox.aws.credentials import access_denied
from sandbox.aws.errors import Answer, AwsError, error_answer
from sandbox.aws.faults import Rule
from sandbox.aws.moto_app import Moto, crashed
from sandbox.aws.requests import Call, read_call
from sandbox.aws.snapshot import Snapshots

log = logging.getLogger(__name__)
Handler = Callable[[Call], Answer]
CONTROL = "/_sandbox"
BIGGEST_BODY = 50_000_000  # bytes
PAGE = b"<html><head><title>Access restricted</title></head><body><h1>Please sign in</h1></body></html>"


class DroppedError(Exception):
    """The connection is to be cut: without an answer, or in the middle of this one."""

    def __init__(self, answer: Answer | None = None) -> None:
        super().__init__()
        self.answer = answer


class Front:
    """`handlers` maps "service:Operation" or "service:*" to our own implementations; moto answers the rest."""

    def __init__(
        self,
        cloud: Cloud,
        moto: Moto,
        snapshots: Snapshots,
        handlers: dict[str, Handler],
        control: Callable[[dict[str, Any], bytes], Answer],
    ) -> None:
        self._cloud = cloud
        self._moto = moto
        self._snapshots = snapshots
        self.handlers = handlers
        self._control = control
        self.stopping = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = min(int(environ.get("CONTENT_LENGTH") or 0), BIGGEST_BODY)
        body = environ["wsgi.input"].read(length) if length else b""
        try:
            if environ.get("PATH_INFO", "").startswith(CONTROL):
                status, headers, answer = self._control(environ, body)
            else:
                status, headers, answer = self._serve(read_call(environ, body))
        except DroppedError as dropped:
            return _cut_off(environ, start_response, dropped.answer)
        _begin(start_response, status, headers, len(answer))
        return [answer]

    def _serve(self, call: Call) -> Answer:
        """The answer to one AWS call; raises DroppedError when a fault says so."""
        rule = self._cloud.faults.hit(call.name, "" if call.presigned else call.access_key)
        if rule is None:
            return self._performed(call)
        if rule.after:
            answer = self._performed(call)
            return self._struck(rule, call, answer) or answer
        try:
            spoilt = self._struck(rule, call, None)
        except DroppedError:
            self._cloud.calls.add(call, 0, rule.kind)
            raise
        if spoilt is None:
            return self._performed(call)
        self._cloud.calls.add(call, spoilt[0], _error_code(spoilt))
        return spoilt

    def _struck(self, rule: Rule, call: Call, answer: Answer | None) -> Answer | None:
        """What a fault answers in place of `answer` (None: before the effect); None when it leaves the call alone."""
        if rule.kind in ("delay", "hang"):
            self.stopping.wait(rule.seconds)
        if rule.kind in ("hang", "reset", "lost"):
            raise DroppedError
        if rule.kind == "broken":
            raise DroppedError(answer)
        if rule.kind == "html":
            return 200, [("Content-Type", "text/html")], PAGE
        if rule.kind in ("empty", "truncated"):
            status, headers, body = answer or (200, [], b"")
            return status, headers, b"" if rule.kind == "empty" else body[: len(body) // 2]
        error = rule.error(call.service)
        return None if error is None else _refusal(call, error)

    def _performed(self, call: Call) -> Answer:
        """The answer of the call itself, logged."""
        try:
            answer = self._perform(call)
        except AwsError as problem:
            answer = _refusal(call, problem)
            self._cloud.calls.add(call, answer[0], problem.code)
            return answer
        self._cloud.calls.add(call, answer[0], _error_code(answer))
        return answer

    def _perform(self, call: Call) -> Answer:
        self._moto.wait()
        with self._cloud.lock:
            identity = self._cloud.credentials.identify(call.service, call.access_key)
            call.account, call.caller_arn = identity.account, identity.arn
            if self._cloud.settings.denies(call.name):
                raise access_denied(call.service, call.operation, identity.arn)
            self._cloud.lifecycle.settle()
            answer = self._cloud.tokens.replay(call)
            if answer is None:
                answer = self._answer(call)
                self._cloud.tokens.keep(call, answer)
            if call.mutating:
                self._snapshots.mark()
            return answer

    def _answer(self, call: Call) -> Answer:
        handler = self.handlers.get(call.name) or self.handlers.get(f"{call.service}:*") or self._moto.answer
        try:
            return handler(call)
        except AwsError:
            raise
        except Exception as problem:
            raise crashed(call, problem) from problem


def _refusal(call: Call, error: AwsError) -> Answer:
    return error_answer(call.service, error, call.environ.get("HTTP_SMITHY_PROTOCOL", ""))


def _begin(start_response: Callable[..., Any], status: int, headers: list[tuple[str, str]], length: int) -> None:
    kept = [(key, value) for key, value in headers if key.lower() != "content-length"]
    start_response(f"{status} {'OK' if status < 400 else 'Error'}", [*kept, ("Content-Length", str(length))])


def _cut_off(environ: dict[str, Any], start_response: Callable[..., Any], answer: Answer | None) -> Iterable[bytes]:
    """Drops the connection: at once, or after half of the answer."""
    status, headers, body = answer or (500, [], b"")
    if answer is None:
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    _begin(start_response, status, headers, len(body))
    yield body[: len(body) // 2]
    if answer is not None:
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)


def _error_code(answer: Answer) -> str | None:
    """The error code inside an answer of moto's."""
    if answer[0] < 400:
        return None
    text = answer[2].decode(errors="replace")
    for before, after in (("<Code>", "</Code>"), ('"__type": "', '"')):
        if before in text:
            return text.split(before, 1)[1].split(after, 1)[0]
    return dict(answer[1]).get("x-amzn-ErrorType", "Unknown")


class Ticker:
    """Ends timed changes also while nobody asks: every INTERVAL seconds."""

    INTERVAL = 0.05

    def __init__(self, cloud: Cloud, stopping: threading.Event, also: Callable[[], None]) -> None:
        self._cloud = cloud
        self._also = also
        self._stopping = stopping
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.wait(self.INTERVAL):
            with self._cloud.lock:
                try:
                    self._cloud.lifecycle.settle()
                    self._also()
                except Exception:
                    log.exception("a timed change went wrong")
