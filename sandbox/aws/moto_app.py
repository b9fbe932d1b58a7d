"""moto server inside our process: loaded in the background, asked as one WSGI application, loud about what it lacks.

Gap: an operation that moto does not have is an HTML page with status 404, which a client takes for "not found".
moto's own settings (environment variables) must be in place before its first import, hence the imports in functions.
"""

import gc
import io
import logging
import os
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.aws.errors import Answer, AwsError, not_implemented
from sandbox.aws.requests import Call

log = logging.getLogger(__name__)
WARM_UP = [  # one cheap call per service an install uses: loads its backend, its routes and its service model
    ("ec2", "Action=DescribeVpcs&Version=2016-11-15"),
    ("iam", "Action=ListRoles&Version=2010-05-08"),
    ("rds", "Action=DescribeDBInstances&Version=2014-10-31"),
    ("elasticloadbalancing", "Action=DescribeLoadBalancers&Version=2012-06-01"),
]
WARM_UP_JSON = [
    ("secretsmanager", "secretsmanager.ListSecrets"),
    ("ecr", "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories"),
]


class Moto:
    """`load` starts importing; `answer` waits for it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._app: Callable[[dict[str, Any], Any], Any] | None = None
        self._loaded = threading.Event()
        self._thread: threading.Thread | None = None

    def load(self, install: Callable[[], None], region: str) -> None:
        """Import moto, run `install` (our subclasses, then saved state), warm up for `region`; in a thread."""

        def work() -> None:
            gc.disable()  # megabytes of JSON are coming that all stay
            try:
                self._import(install)
            finally:
                self._loaded.set()
                gc.enable()
            self._warm_up(region)

        self._thread = threading.Thread(target=work, name="moto-load", daemon=True)
        self._thread.start()

    def settled(self) -> None:
        """Return when loading and warming up are over, well or not."""
        if self._thread is not None:
            self._thread.join()

    def wait(self) -> None:
        """Return when moto is loaded; raises RuntimeError when loading failed (the log says why)."""
        self._loaded.wait()
        if self._app is None:
            raise RuntimeError("moto could not be loaded")

    def answer(self, call: Call) -> Answer:
        """moto's answer to `call`. Raises AwsError 501 when moto has no such operation or breaks."""
        self.wait()
        status, headers, body = self._ask(call.environ, call.body)
        if status in (404, 405, 500) and b"<!doctype html" in body[:40].lower():
            raise not_implemented(call.service, call.operation, "(moto has no such operation)")
        return status, headers, body

    def _ask(self, environ: dict[str, Any], body: bytes) -> Answer:
        environ["wsgi.input"] = io.BytesIO(body)
        got: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., None]:
            got.update(status=int(status.split(maxsplit=1)[0]), headers=headers)
            return lambda data: None

        if self._app is None:
            raise RuntimeError("moto is not loaded")
        chunks = self._app(environ, start_response)
        try:
            answer = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return got["status"], got["headers"], answer

    def _import(self, install: Callable[[], None]) -> None:
        os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
        os.environ["MOTO_AMIS_PATH"] = str(Path(__file__).with_name("amis.json"))
        os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"
        os.environ["MOTO_PORT"] = str(self._port)
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415

        from sandbox.aws.ec2 import offerings  # noqa: PLC0415

        class Dispatcher(DomainDispatcherApplication):  # type: ignore[misc, unused-ignore]
            """moto lists its folders for every request to find the service of a host; once per host is enough."""

            get_backend_for_host = cache(DomainDispatcherApplication.get_backend_for_host)

        with offerings.deferred():
            install()
        self._app = Dispatcher(create_backend_app)

    def _warm_up(self, region: str) -> None:
        for service, form in WARM_UP:
            self._ask(_environ(service, region, "application/x-www-form-urlencoded", form), form.encode())
        for service, target in WARM_UP_JSON:
            environ = _environ(service, region, "application/x-amz-json-1.1", "{}")
            self._ask(environ | {"HTTP_X_AMZ_TARGET": target}, b"{}")
        gc.collect()
        gc.freeze()  # what is loaded now stays: no need to look at it in every collection


def _environ(service: str, region: str, content_type: str, body: str) -> dict[str, Any]:
    credential = f"AWS4-HMAC-SHA256 Credential=AKIAWARMUP/20260101/{region}/{service}/aws4_request, Signature=0"
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "HTTP_HOST": "127.0.0.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": credential,
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def crashed(call: Call, problem: Exception) -> AwsError:
    """What to answer when moto (or we) broke: loud, not retried, never mistaken for an answer of AWS's."""
    log.exception("%s broke", call.name)
    if isinstance(problem, NotImplementedError):
        return not_implemented(call.service, call.operation, str(problem)[:200])
    return AwsError("SandboxCrash", f"{call.name}: {type(problem).__name__}: {str(problem)[:200]}", 501)
