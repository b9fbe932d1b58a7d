"""The WSGI application: every request to the sandbox's AWS passes here, one at a time.

Order for a call: faults that keep it from happening, credentials, denied actions, timed changes that are due, client
token, the operation itself (ours or moto's), the call log, faults that lose the answer.
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


class DroppedError(Exception):
    """The connection is to be cut without an answer."""


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
        except DroppedError:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            status, headers, answer = 500, [], b""
        kept = [(key, value) for key, value in headers if key.lower() != "content-length"]
        start_response(f"{status} {'OK' if status < 400 else 'Error'}", [*kept, ("Content-Length", str(len(answer)))])
        return [answer]

    def _serve(self, call: Call) -> Answer:
        """The answer to one AWS call; raises DroppedError when a fault says so."""
        rule = self._cloud.faults.hit(call.name)
        error: AwsError | None = None
        try:
            if rule is not None:
                self._before(rule, call)
            answer = self._perform(call)
        except AwsError as problem:
            error = problem
            answer = error_answer(call.service, problem, call.environ.get("HTTP_SMITHY_PROTOCOL", ""))
        self._cloud.calls.add(call, answer[0], error.code if error else _error_code(answer))
        if rule is not None and rule.kind == "lost":
            raise DroppedError
        return answer

    def _before(self, rule: Rule, call: Call) -> None:
        """Faults that come before the effect; raises AwsError or DroppedError."""
        if rule.kind == "delay":
            self.stopping.wait(rule.seconds)
        elif rule.kind in ("reset", "hang"):
            if rule.kind == "hang":
                self.stopping.wait(rule.seconds)
            self._cloud.calls.add(call, 0, rule.kind)
            raise DroppedError
        error = rule.error(call.service)
        if error is not None:
            raise error

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
