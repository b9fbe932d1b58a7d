"""A really started API server (with its controllers), one for the whole run of these tests; a namespace per test."""

import itertools
import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import yaml

from sandbox.processes import free_port

Object = dict[str, Any]
CLUSTER, ACCOUNT, REGION = "demo", "123456789012", "us-west-2"
_DEADLINE = 15.0  # seconds


class ApiServer:
    """One API server process on a directory of its own."""

    def __init__(self, directory: Path, aws_endpoint: str) -> None:
        self.directory = directory
        self.aws_endpoint = aws_endpoint
        self.port = free_port(None)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.directory / "admin.kubeconfig"

    @property
    def token(self) -> str:
        """The administrator's token."""
        token: str = yaml.safe_load(self.kubeconfig.read_text())["users"][0]["user"]["token"]
        return token

    def start(self) -> None:
        """Starts the process and waits until it is ready."""
        arguments = ["--dir", str(self.directory), "--port", str(self.port), "--cluster", CLUSTER, "--account", ACCOUNT]
        arguments += ["--region", REGION, "--aws-endpoint", self.aws_endpoint, "--speed", "max", "--parent-pipe"]
        with (self.directory / "api.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sandbox.kubernetes", *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + _DEADLINE
        while not self._ready():
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.kill()
                pytest.fail((self.directory / "api.log").read_text())
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            with self.client() as client:
                return client.get("/readyz").status_code == 200
        except (httpx2.HTTPError, FileNotFoundError):
            return False

    def client(self, token: str | None = None) -> httpx2.Client:
        """An HTTP client that trusts the cluster's authority and sends `token` (default: the administrator's)."""
        context = ssl.create_default_context(cafile=str(self.directory / "ca.crt"))
        headers = {"authorization": f"Bearer {self.token if token is None else token}"}
        return httpx2.Client(base_url=self.url, verify=context, headers=headers, timeout=10, trust_env=False)

    def kill(self) -> None:
        """kill -9."""
        assert self._process
        self._process.kill()
        self._reap()

    def close_pipe(self) -> int:
        """Ends as the parent's end does; returns the exit status."""
        assert self._process
        assert self._process.stdin
        self._process.stdin.close()
        return self._process.wait(_DEADLINE)

    def stop(self) -> None:
        """SIGTERM."""
        assert self._process
        self._process.terminate()
        self._reap()

    def _reap(self) -> None:
        assert self._process
        self._process.wait(_DEADLINE)
        if self._process.stdin:
            self._process.stdin.close()


@dataclass
class Backend:
    """A small HTTP server that stands for whatever is behind the API server: AWS, a kubelet, an application."""

    port: int
    answers: dict[str, Callable[[Object], tuple[int, dict[str, str], bytes]]] = field(default_factory=dict)
    seen: list[Object] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


def _nothing_here(_request: Object) -> tuple[int, dict[str, str], bytes]:
    return 404, {}, b"not here"


@pytest.fixture(scope="session")
def backend() -> Iterator[Backend]:
    """Answers by path: what is registered in `answers`, else 404; remembers requests."""
    known: list[Backend] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            path = urlsplit(self.path).path
            request: Object = {"method": self.command, "path": path, "target": self.path, "headers": dict(self.headers)}
            request["body"] = self.rfile.read(length)
            known[0].seen.append(request)
            answer = known[0].answers.get(path, _nothing_here)
            status, headers, body = answer(request)
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 (names that http.server calls)

        def log_message(self, *_arguments: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    known.append(Backend(server.server_address[1]))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield known[0]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, backend: Backend) -> Iterator[ApiServer]:
    """The shared server."""
    started = ApiServer(tmp_path_factory.mktemp("cluster"), backend.url)
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def client(server: ApiServer) -> Iterator[httpx2.Client]:
    """The administrator's HTTP client."""
    with server.client() as opened:
        yield opened


_NUMBERS = itertools.count(1)


class Kube:
    """Short calls in one namespace; answers are (status, body)."""

    def __init__(self, client: httpx2.Client, namespace: str) -> None:
        self.client = client
        self.namespace = namespace

    def path(self, kind: str, name: str = "", sub: str = "") -> str:
        """`deployments.apps` -> /apis/apps/v1/namespaces/<ns>/deployments…"""
        plural, _, group = kind.partition(".")
        version = "v2" if group == "autoscaling" else "v1"
        base = f"/apis/{group}/{version}" if group else "/api/v1"
        return "/".join(part for part in (f"{base}/namespaces/{self.namespace}/{plural}", name, sub) if part)

    def call(self, verb: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """One request; `media` is the Content-Type, the rest query parameters."""
        media = options.pop("media", "application/json")
        content = None if body is None else json.dumps(body).encode()
        headers = {"content-type": media} if content is not None else {}
        response = self.client.request(verb, path, params=options, content=content, headers=headers)
        return response.status_code, response.json()

    def create(self, kind: str, body: Object, **options: Any) -> tuple[int, Any]:
        """POST."""
        return self.call("POST", self.path(kind), body, **options)

    def made(self, kind: str, body: Object) -> Any:
        """POST that must succeed."""
        status, obj = self.create(kind, body)
        assert status == 201, obj
        return obj

    def get(self, kind: str, name: str) -> Any:
        """GET that must succeed."""
        status, obj = self.call("GET", self.path(kind, name))
        assert status == 200, obj
        return obj

    def apply(self, kind: str, body: Object, manager: str = "podium", *, force: bool = False, **options: Any) -> Any:
        """Server-side apply."""
        sub = options.pop("sub", "")
        path = self.path(kind, body["metadata"]["name"], sub)
        options |= {"fieldManager": manager, "force": str(force).lower()}
        return self.call("PATCH", path, body, media="application/apply-patch+yaml", **options)

    def patch(self, kind: str, name: str, body: Any, media: str, sub: str = "", **options: Any) -> Any:
        """PATCH; `media` is merge, json or strategic."""
        kinds = {"merge": "merge-patch", "json": "json-patch", "strategic": "strategic-merge-patch"}
        return self.call("PATCH", self.path(kind, name, sub), body, media=f"application/{kinds[media]}+json", **options)

    def delete(self, kind: str, name: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """DELETE."""
        return self.call("DELETE", self.path(kind, name), body, **options)

    def names(self, kind: str, **options: Any) -> list[str]:
        """Names in a list."""
        status, found = self.call("GET", self.path(kind), **options)
        assert status == 200, found
        return [item["metadata"]["name"] for item in found["items"]]

    def until(self, condition: Callable[[], Any]) -> Any:
        """Polls until the condition is true; its value."""
        deadline = time.monotonic() + _DEADLINE
        while not (value := condition()):
            assert time.monotonic() < deadline, "condition not met in time"
            time.sleep(0.02)
        return value


@pytest.fixture
def kube(client: httpx2.Client) -> Kube:
    """A fresh namespace."""
    name = f"test-{next(_NUMBERS)}"
    client.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
    return Kube(client, name)
