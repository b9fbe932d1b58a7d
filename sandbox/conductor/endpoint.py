"""The WebSocket `/websocket/<application>/<API key>` by which executors connect.

A refusal is an HTTP answer to the handshake, since the executor logs its body ("Failed to connect to conductor …
Details: …"). The key is part of the path: nothing here, nor the server, may log a request line.
"""

import asyncio
import logging
from uuid import UUID

import psycopg
from fastapi import APIRouter, WebSocket
from starlette.requests import HTTPConnection

from sandbox.conductor.executors import Executors
from sandbox.conductor.problems import ProblemError
from sandbox.conductor.registry import Registry
from sandbox.conductor.sessions import NoAnswerError, Session, Sessions

router = APIRouter()
log = logging.getLogger(__name__)
LIMIT = "the license allows one executor per application; another executor is connected already"


class Gate:
    """Lets executors in, keeps their records, and sees to it that a dead one's workflows go on elsewhere."""

    def __init__(self, registry: Registry, executors: Executors, sessions: Sessions, *, licensed: bool) -> None:
        self._registry, self._executors, self._sessions = registry, executors, sessions
        self._licensed = licensed

    async def admit(self, app_name: str, key: str) -> tuple[UUID, UUID]:
        """(application id, token id). Raises `ProblemError` when the executor may not connect."""
        app_id, token_id = await self._registry.admit(app_name, key)
        await self._check_license(app_id, None)
        return app_id, token_id

    async def serve(self, session: Session) -> None:
        """Runs an accepted connection to its end."""
        reading = asyncio.create_task(session.read())
        try:
            info = await session.ask("executor_info")
            session.executor_id = str(info["executor_id"])
            await self._check_license(session.app_id, session.executor_id)
            await self._executors.connected(session.app_id, info)
            self._sessions.add(session)
            log.info("executor %s connected, version %s", session.executor_id, info["application_version"])
            await reading
        except NoAnswerError as error:
            log.warning("an executor left before it said who it is: %s", error)
        except ProblemError as error:
            await session.close(error.detail)
        finally:
            reading.cancel()
            await self._gone(session)

    async def watch(self, seconds: float) -> None:
        """Keeps the records true: refreshes ours, ages others', hands over the workflows of the dead. Never returns."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self._tick()
            except psycopg.Error as error:
                log.warning("the records of executors are not up to date: %s", error)

    async def _tick(self) -> None:
        await self._executors.refresh(self._sessions.executor_ids())
        for app_id, dead in (await self._executors.dead()).items():
            await self._recover(app_id, dead)

    async def _recover(self, app_id: UUID, dead: list[str]) -> None:
        try:
            answer = await self._sessions.ask(app_id, "recovery", executor_ids=dead)
        except ProblemError as error:
            log.info("workflows of %d dead executor(s) wait: %s", len(dead), error.detail)
            return
        if answer.get("success"):
            await self._executors.forget(app_id, dead)
            log.info("workflows of dead executors %s are recovered", ", ".join(dead))

    async def _check_license(self, app_id: UUID, executor_id: str | None) -> None:
        if not self._licensed and await self._executors.others_connected(app_id, executor_id):
            raise ProblemError(403, LIMIT)

    async def _gone(self, session: Session) -> None:
        if self._sessions.remove(session):
            await self._executors.disconnected(session.app_id, session.executor_id)
            log.info("executor %s disconnected", session.executor_id)


def gate(connection: HTTPConnection) -> Gate:
    """The gate of the application that serves this connection."""
    found: Gate = connection.app.state.gate
    return found


@router.websocket("/websocket/{app_name}/{key}")
async def connect(socket: WebSocket, app_name: str, key: str) -> None:
    try:
        app_id, token_id = await gate(socket).admit(app_name, key)
    except ProblemError as error:
        log.warning("refused an executor of %r: %s", app_name, error.detail)
        await socket.send_denial_response(error.response())
        return
    await socket.accept()
    await gate(socket).serve(Session(socket, app_id, token_id))
