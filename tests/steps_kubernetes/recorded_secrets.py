"""AWS Secrets Manager as far as the secret store uses it, over HTTP: the real boto3 client talks to it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class RecordedSecrets:
    """The endpoint. `values` by name: the texts of all versions, the current one last."""

    def __init__(self) -> None:
        self.values: dict[str, list[str]] = {}
        self.tags: dict[str, list[dict[str, str]]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def respond(self, operation: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = str(asked.get("SecretId") or asked.get("Name")).removeprefix("arn:secret:")
        about: dict[str, Any] = {"ARN": f"arn:secret:{name}", "Name": name}
        if operation == "CreateSecret":
            self.values[name], self.tags[name] = [asked["SecretString"]], asked.get("Tags", [])
            return 200, about | {"VersionId": f"{name}#1"}
        if name not in self.values:
            return 400, {"__type": "ResourceNotFoundException", "message": "not found"}
        if operation == "PutSecretValue":
            self.values[name].append(asked["SecretString"])
        if operation == "GetSecretValue":
            version = asked.get("VersionId") or f"{name}#{len(self.values[name])}"
            return 200, about | {
                "VersionId": version,
                "SecretString": self.values[name][int(version.split("#")[1]) - 1],
            }
        return 200, about | {"VersionId": f"{name}#{len(self.values[name])}", "Tags": self.tags[name]}


def _handler(secrets: RecordedSecrets) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = secrets.respond(self.headers["X-Amz-Target"].rpartition(".")[2], asked)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
            """Tests read `values`."""

    return Handler
