"""A Kubernetes API over HTTPS that stores what it is given and answers what a test tells it to.

It decides nothing by itself: no controllers, no validation. `tests/steps_kubernetes/test_stand_in.py` runs the same
client against the sandbox's API server.
"""

import base64
import datetime
import ipaddress
import json
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

Object = dict[str, Any]
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
UNAUTHORIZED = {"kind": "Status", "status": "Failure", "message": "Unauthorized", "reason": "Unauthorized", "code": 401}
NOT_FOUND = {"kind": "Status", "status": "Failure", "reason": "NotFound", "message": "not found", "code": 404}


def certificate(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    """A self-signed PEM certificate for 127.0.0.1, valid for a day."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)


class Cut(str):
    """A body of which the last bytes never come: the connection ends before them."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tells what went wrong, unless it is only that the client did not wait for the answer."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class RecordedApi:
    """The server. `objects` by path, `scripted` answers by "VERB /path" (used up in order), `calls` as they came.

    `tokens` as they came, those in `refused` are answered with 401. `may` answers SelfSubjectAccessReviews.
    """

    def __init__(self, folder: Path) -> None:
        self.objects: dict[str, Object] = {}
        self.scripted: dict[str, list[tuple[int, Any]]] = {}
        self.calls: list[str] = []
        self.connections = 0
        self._gate = threading.Event()
        self._gate.set()
        self.tokens: list[str] = []
        self.refused: set[str] = set()
        self.queries: dict[str, dict[str, list[str]]] = {}
        self.may: Callable[[dict[str, str]], bool] = lambda _asked: True
        self.applied: list[Object] = []
        self.bodies: dict[str, Any] = {}
        key = ec.generate_private_key(ec.SECP256R1())
        pem = certificate(key)
        self.ca_data = base64.b64encode(pem).decode()
        (folder / "server.pem").write_bytes(pem + _private(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.endpoint = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextmanager
    def held(self) -> Iterator[None]:
        """No call is answered meanwhile."""
        self._gate.clear()
        yield
        self._gate.set()

    def answer(self, call: str, status: int, body: Any) -> None:
        """Answer the next `VERB /path` like this; the last answer for a call stays."""
        self.scripted.setdefault(call, []).append((status, body))

    def respond(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        self._gate.wait(10)
        call = f"{method} {path}"
        self.calls.append(call)
        self.bodies[call], self.queries[call] = body, query
        if call in self.scripted:
            answers = self.scripted[call]
            return answers.pop(0) if len(answers) > 1 else answers[0]
        if method == "PATCH":
            return self._patched(path, query, body)
        if method == "POST":
            return 201, self._created(path, body)
        if method == "DELETE":
            return (200, {"kind": "Status"}) if self.objects.pop(path, None) else (404, NOT_FOUND)
        return self._read(path, query)

    def _read(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        if path in self.objects:
            return 200, {"kind": "Kept", **self.objects[path]}
        if path.rpartition("/")[2] in _PLURALS:
            return 200, {"kind": "List", "items": self._listed(path, query)}
        return 404, NOT_FOUND

    def _patched(self, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        """A merge patch, or an apply (with `force`), which here replaces; nothing is kept of a dry run."""
        if query.get("dryRun"):
            return 200, {"kind": "Kept", **_merged(self.objects.get(path, {}), body)}
        if query.get("force"):
            self.applied.append(body)
            self.objects[path] = body
        elif path in self.objects:
            self.objects[path] = _merged(self.objects[path], body)
        return (200, {"kind": "Kept", **self.objects[path]}) if path in self.objects else (404, NOT_FOUND)

    def _created(self, path: str, body: Any) -> Object:
        if path == REVIEWS:
            return {**body, "status": {"allowed": self.may(body["spec"]["resourceAttributes"])}}
        self.objects[f"{path}/{body['metadata']['name']}"] = body
        return dict(body)

    def _listed(self, path: str, query: dict[str, list[str]]) -> list[Object]:
        wanted = dict(pair.split("=") for pair in ",".join(query.get("labelSelector", [])).split(",") if pair)
        return [
            found
            for place, found in self.objects.items()
            if place.rpartition("/")[0] == path and wanted.items() <= (found["metadata"].get("labels") or {}).items()
        ]


_PLURALS = (
    *("pods", "services", "secrets", "configmaps", "deployments", "replicasets", "jobs", "ingresses"),
    *("sealedsecrets", "scaledobjects"),
)


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _handler(api: RecordedApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: else each answer waits 40 ms for an acknowledgement

        def setup(self) -> None:
            super().setup()
            api.connections += 1

        def _answer(self) -> None:
            url = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            api.tokens.append(token)
            status, body = api.respond(self.command, url.path, parse_qs(url.query), json.loads(sent) if sent else None)
            if token in api.refused:
                status, body = 401, UNAUTHORIZED
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data) + (9 if isinstance(body, Cut) else 0)))
            self.close_connection = isinstance(body, Cut)
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

        do_GET = do_PATCH = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
            """Tests read `calls`."""

    return Handler
