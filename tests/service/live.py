"""An application on a real port, for what a test client cannot show: streams, browsers, the command line."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from service.app import end_streams


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The URL under which `app` answers until the end of the block (its lifespan does not run)."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            end_streams(app)
            server.should_exit = True
            thread.join(10)
