"""A small HTTP server that stands for whatever is behind an API server: AWS, a kubelet, an application."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Object = dict[str, Any]
Answer = Callable[[Object], tuple[int, dict[str, str], bytes]]


@dataclass
class Backend:
    """Answers by path: what is registered in `answers`, else 404; remembers requests."""

    address: str
    port: int
    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[Object] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{self.address}:{self.port}"


def _nothing_here(_request: Object) -> tuple[int, dict[str, str], bytes]:
    return 404, {}, b"not here"


def _handler(backends: list[Backend]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            [backend] = backends
            length = int(self.headers.get("content-length") or 0)
            path = urlsplit(self.path).path
            request: Object = {"method": self.command, "path": path, "target": self.path, "headers": dict(self.headers)}
            request["body"] = self.rfile.read(length)
            backend.seen.append(request)
            status, headers, body = backend.answers.get(path, _nothing_here)(request)
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 (names that http.server calls)

        def log_message(self, *_arguments: Any) -> None:
            """Quiet."""

    return Handler


@contextmanager
def serving(address: str, port: int = 0) -> Iterator[Backend]:
    """A backend on that address; port 0 is any free one."""
    backends: list[Backend] = []
    server = ThreadingHTTPServer((address, port), _handler(backends))
    server.daemon_threads = True
    backends.append(Backend(address, server.server_address[1]))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield backends[0]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
