"""The status page: list, one installation, sign-in, the buttons. Works without JavaScript."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from os import PathLike
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from steps.errors import PodiumError
from web import forms, pages
from web.live import Live
from web.ports import Control
from web.session import SESSION_SECONDS, Sessions
from web.view import STATE_WORDS, page_of
from workflows.errors import NotFound, RequestError, UnknownPhase, WrongState
from workflows.ledger import Ledger

_PAGE = 50
"""Installations per page of the list."""


class Site:
    """Mounts the page on an application. `key` is the API key that signs in, or None when the page is open."""

    def __init__(self, ledger: Ledger, control: Control, key: str | None, *, secure: bool) -> None:
        self._ledger = ledger
        self._control = control
        self._sessions = Sessions(key)
        self._secure = secure
        self._live = Live(ledger)

    def mount(self, app: FastAPI) -> None:
        def route(path: str, endpoint: Any, method: str = "GET") -> None:
            app.add_api_route(path, endpoint, methods=[method], include_in_schema=False, response_model=None)

        route("/", self.index)
        route("/live", self.index_live)
        route("/login", self.login)
        route("/login", self.sign_in, "POST")
        route("/logout", self.sign_out, "POST")
        route("/installations/{name}", self.installation)
        route("/installations/{name}/live", self.installation_live)
        route("/installations/{name}/retry", self.retry, "POST")
        route("/installations/{name}/cancel", self.cancel, "POST")
        route("/installations/{name}/uninstall", self.uninstall, "POST")
        app.mount("/static", _Static(directory=pages.STATIC), name="static")

    def close(self) -> None:
        """Ends the page's streams."""
        self._live.close()

    def index(self, request: Request, after: str | None = None) -> Response:
        session = self._session(request)
        if session is None:
            return _to_login(request)
        found = self._ledger.installations(limit=_PAGE + 1, after=after)
        more = found[_PAGE - 1].name if len(found) > _PAGE else None
        page: dict[str, Any] = {"installations": found[:_PAGE], "more": more, "first": after is None}
        return self._page("list.html", request, session, words=STATE_WORDS, **page)

    def installation(self, request: Request, name: str) -> Response:
        session = self._session(request)
        if session is None:
            return _to_login(request)
        return self._installation(request, session, name)

    async def index_live(self, request: Request) -> Response:
        return self._live.list_stream() if self._session(request) else _unauthenticated()

    async def installation_live(self, request: Request, name: str) -> Response:
        session = self._session(request)
        if session is None:
            return _unauthenticated()
        if await asyncio.to_thread(self._ledger.installation, name) is None:
            return pages.render("message.html", 404, **_NO_SUCH)
        return self._live.installation_stream(name, self._sessions.csrf(session))

    async def retry(self, request: Request, name: str) -> Response:
        return await self._act(request, name, lambda form: self._control.retry(name, form.get("from_phase") or None))

    async def cancel(self, request: Request, name: str) -> Response:
        return await self._act(request, name, lambda _form: self._control.cancel(name))

    async def uninstall(self, request: Request, name: str) -> Response:
        """Only when the form repeats the name."""

        def act(form: dict[str, str]) -> None:
            if form.get("name") != name:
                raise NotConfirmed
            self._control.delete(name, data="delete" if form.get("data") == "delete" else "retain", force=False)

        return await self._act(request, name, act)

    async def login(self, request: Request, token: str | None = None, next: str = "/") -> Response:  # noqa: A002
        """The form, or, with a one-time token, straight in."""
        target = _local(next)
        if self._session(request) is not None:
            return RedirectResponse(target, 303, headers=pages.HEADERS)
        if token is not None and self._sessions.redeem(token):
            return self._welcome(target)
        problem = "This link was used before or is too old. Sign in with the API key." if token is not None else None
        return pages.render("login.html", 200 if token is None else 401, target=target, problem=problem)

    async def sign_in(self, request: Request) -> Response:
        try:
            form = await forms.fields(request)
        except forms.BadForm:
            return pages.render("message.html", 400, **_BAD_FORM)
        target = _local(form.get("next", "/"))
        if self._sessions.open or self._sessions.knows(form.get("api_key", "")):
            return self._welcome(target)
        return pages.render("login.html", 401, target=target, problem="That is not this service's API key.")

    async def sign_out(self, request: Request) -> Response:
        session = self._session(request)
        try:
            form = await forms.fields(request)
        except forms.BadForm:
            return pages.render("message.html", 400, **_BAD_FORM)
        response = RedirectResponse("/login", 303, headers=pages.HEADERS)
        if session is not None and self._sessions.csrf_valid(session, form.get("csrf", "")):
            response.delete_cookie(self._sessions.cookie, httponly=True, samesite="strict", secure=self._secure)
        return response

    async def _act(self, request: Request, name: str, act: Callable[[dict[str, str]], object]) -> Response:
        """Does what a form's button says, then shows the page again (with what went wrong, if anything)."""
        session = self._session(request)
        if session is None:
            return _to_login(request)
        try:
            form = await forms.fields(request)
        except forms.BadForm:
            return pages.render("message.html", 400, **_BAD_FORM)
        if not self._sessions.csrf_valid(session, form.get("csrf", "")):
            return pages.render("message.html", 403, **_STALE_FORM)
        try:
            await asyncio.to_thread(act, form)
        except NotFound:
            return pages.render("message.html", 404, **_NO_SUCH)
        except (RequestError, PodiumError) as error:
            return await asyncio.to_thread(self._installation, request, session, name, _notice(error))
        return RedirectResponse(f"/installations/{quote(name)}", 303, headers=pages.HEADERS)

    def _installation(self, request: Request, session: str, name: str, notice: str | None = None) -> HTMLResponse:
        try:
            snapshot = self._live.look(name, None)
        except NotFound:
            return pages.render("message.html", 404, **_NO_SUCH)
        page = page_of(snapshot, datetime.now(UTC))
        status = 200 if notice is None else 409
        return self._page("installation.html", request, session, status, page=page, notice=notice)

    def _page(self, template: str, request: Request, session: str, status: int = 200, **context: Any) -> HTMLResponse:
        response = pages.render(
            template, status, csrf=self._sessions.csrf(session), can_sign_out=not self._sessions.open, **context
        )
        if request.cookies.get(self._sessions.cookie) != session:
            self._remember(response, session)
        return response

    def _session(self, request: Request) -> str | None:
        """The request's session, a new one where none is needed, or None."""
        session = request.cookies.get(self._sessions.cookie, "")
        if self._sessions.valid(session):
            return session
        return self._sessions.issue() if self._sessions.open else None

    def _welcome(self, target: str) -> HTMLResponse:
        """Goes on by the page itself: after a redirect from elsewhere, browsers withhold SameSite=Strict cookies."""
        response = pages.render("welcome.html", target=target)
        self._remember(response, self._sessions.issue())
        return response

    def _remember(self, response: Response, session: str) -> None:
        response.set_cookie(
            self._sessions.cookie,
            session,
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            secure=self._secure,
        )


class _Static(StaticFiles):
    """Files whose URL changes with their content, so browsers may keep them."""

    def file_response(
        self, full_path: PathLike[str] | str, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        versioned = b"v=" in scope.get("query_string", b"")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if versioned else "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


_NO_SUCH = {
    "title": "There is no such installation",
    "text": "It may be spelled differently, or belong to another Podium.",
}
_STALE_FORM = {
    "title": "This form is out of date",
    "text": "Go back, load the page again and repeat what you did. Nothing was changed.",
}
_BAD_FORM = {"title": "This is not a form of this page", "text": "Nothing was changed."}


def _local(target: str) -> str:
    """`target` when it is a path on this site, else the list: a link to us must not lead elsewhere."""
    plain = target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()
    return target if plain else "/"


def _to_login(request: Request) -> RedirectResponse:
    target = request.url.path if request.method == "GET" else "/"
    return RedirectResponse(f"/login?next={quote(target)}", 303, headers=pages.HEADERS)


def _unauthenticated() -> Response:
    return Response(status_code=401, headers=pages.HEADERS)


class NotConfirmed(RequestError):
    """An uninstall whose form does not repeat the installation's name."""


def _notice(error: RequestError | PodiumError) -> str:
    if isinstance(error, NotConfirmed):
        return "To uninstall, repeat the installation's name. Nothing was changed."
    if isinstance(error, WrongState):
        return f"That is not possible now: the operation is {error.state.lower()}."
    if isinstance(error, UnknownPhase):
        return "There is no such phase."
    if isinstance(error, PodiumError):
        return f"{error.message} {error.remedy}"
    return "That is not possible now."
