"""The open connections to executors, and asking them: Conductor speaks first, the executor answers by `request_id`.

Wire format (dbos 3.2.0, `_conductor/protocol.py`): one JSON object per text frame, with `type`, `request_id` and the
fields of that type; an answer that failed has `error_message`.
"""

import asyncio
import json
import logging
from typing import Any
from uuid import UUID, uuid4

from fastapi import WebSocket

from sandbox.conductor.problems import ProblemError

Message = dict[str, Any]
log = logging.getLogger(__name__)
ANSWER_SECONDS = 15.0


class NoAnswerError(Exception):
    """The executor disconnected, or took too long."""


class Session:
    """One executor's connection. `read` must run for answers to arrive."""

    def __init__(self, socket: WebSocket, app_id: UUID, token_id: UUID) -> None:
        self.app_id, self.token_id = app_id, token_id
        self.executor_id = ""
        self._socket = socket
        self._waiting: dict[str, asyncio.Future[Message]] = {}

    async def ask(self, kind: str, seconds: float = ANSWER_SECONDS, **fields: Any) -> Message:
        """Sends one request and gives its answer. Raises `NoAnswerError`."""
        request_id = str(uuid4())
        answer = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send_text(json.dumps({"type": kind, "request_id": request_id, **fields}))
            return await asyncio.wait_for(answer, seconds)
        except (TimeoutError, RuntimeError) as error:  # RuntimeError: starlette's word for a closed socket
            raise NoAnswerError(f"{kind}: no answer") from error
        finally:
            self._waiting.pop(request_id, None)

    async def read(self) -> None:
        """Takes in answers until the executor disconnects; then whoever still waits gets `NoAnswerError`."""
        try:
            async for text in self._socket.iter_text():
                self._deliver(json.loads(text))
        finally:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(NoAnswerError("the executor disconnected"))

    async def close(self, reason: str) -> None:
        """Ends the connection from our side (1008, policy violation)."""
        try:
            await self._socket.close(1008, reason)
        except RuntimeError as error:
            log.info("executor %s was gone already: %s", self.executor_id, error)

    def _deliver(self, message: Message) -> None:
        answer = self._waiting.get(message.get("request_id", ""))
        if answer is not None and not answer.done():
            answer.set_result(message)


class Sessions:
    """The executors connected to this instance."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[UUID, str], Session] = {}

    def add(self, session: Session) -> None:
        self._sessions[session.app_id, session.executor_id] = session

    def remove(self, session: Session) -> bool:
        """False when the same executor has connected anew meanwhile, and is therefore not gone."""
        place = session.app_id, session.executor_id
        if self._sessions.get(place) is not session:
            return False
        del self._sessions[place]
        return True

    def executor_ids(self) -> list[str]:
        return [executor_id for _, executor_id in self._sessions]

    async def ask(self, app_id: UUID, kind: str, **fields: Any) -> Message:
        """The answer of the first executor of the application that gives one.

        Raises `ProblemError` 503 when none is connected, 502 when none answers, 500 when the executor reports an error.
        """
        sessions = [session for (app, _), session in self._sessions.items() if app == app_id]
        if not sessions:
            raise ProblemError(503, "the application has no healthy executor connected")
        for session in sessions:
            try:
                answer = await session.ask(kind, **fields)
            except NoAnswerError as error:
                log.warning("executor %s: %s", session.executor_id, error)
                continue
            if error_message := answer.get("error_message"):
                raise ProblemError(500, str(error_message))
            return answer
        raise ProblemError(502, "no executor of the application answered")

    async def close_where(self, reason: str, *, app_id: UUID | None = None, token_id: UUID | None = None) -> None:
        """Disconnects the executors of an application, or those that came with a token."""
        for session in list(self._sessions.values()):
            if session.app_id == app_id or session.token_id == token_id:
                await session.close(reason)
