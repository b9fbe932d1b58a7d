"""What the chart repository and the registry have in common: an HTTP server on 127.0.0.1 and Basic authentication."""

import base64
import hmac
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; `body` is not sent to HEAD, its length is."""

    status: int
    body: bytes = b""
    media: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)


class Site(ABC):
    """What is served: subclasses answer by path. `login` is (username, password), None for everybody."""

    def __init__(self, login: tuple[str, str] | None = None) -> None:
        self.login = login
        self.requests: list[str] = []
        """Every request as it came: `GET /index.yaml`."""

    @abstractmethod
    def answer(self, path: str) -> Answer:
        """The answer to a GET or HEAD of `path`."""

    def respond(self, method: str, path: str, authorization: str) -> Answer:
        """With authentication; 401 says how to come back."""
        self.requests.append(f"{method} {path}")
        if self.login is not None:
            wanted = base64.b64encode(":".join(self.login).encode()).decode()
            if not hmac.compare_digest(authorization.encode(), f"Basic {wanted}".encode()):
                return Answer(401, b"unauthorized\n", headers={"WWW-Authenticate": 'Basic realm="charts"'})
        return self.answer(path)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    site: Site


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Answer it."""
        found = self.server.site.respond(self.command, self.path.partition("?")[0], self.headers["Authorization"] or "")
        self.send_response(found.status)
        for name, value in {"Content-Type": found.media, **found.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(found.body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(found.body)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Say nothing: `Site.requests` has them."""


def make_server(site: Site, port: int = 0) -> ThreadingHTTPServer:
    """A server for the site on 127.0.0.1; port 0 is any free one."""
    server = _Server(("127.0.0.1", port), _Handler)
    server.site = site
    return server


@contextmanager
def served(site: Site, port: int = 0) -> Iterator[str]:
    """Serves the site meanwhile; `127.0.0.1:port`."""
    server = make_server(site, port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
