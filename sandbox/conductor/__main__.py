"""`python -m sandbox.conductor --port P`: the container's entrypoint."""

import argparse
import asyncio
import logging
import sys

import uvicorn

from sandbox.conductor.database import Database
from sandbox.conductor.server import create_app
from sandbox.conductor.settings import Settings, StartError
from sandbox.processes import exit_with_parent, terminate_self

log = logging.getLogger("sandbox.conductor")
SHUTDOWN_SECONDS = 3


def main() -> int:
    """Serves until SIGTERM; 1 when the container cannot start, with the reason as the last line of its log."""
    parser = argparse.ArgumentParser(prog="sandbox.conductor", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--parent-pipe", action="store_true", help="end when stdin reaches end-of-file")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    if arguments.parent_pipe:
        exit_with_parent(terminate_self)
    try:
        asyncio.run(serve(Settings.from_environment(), arguments.host, arguments.port))
    except StartError as error:
        log.error("conductor cannot start: %s", error)
        return 1
    return 0


async def serve(settings: Settings, host: str, port: int) -> None:
    """Makes the database ready, then serves. No access log and no server messages: they would hold API keys."""
    database = Database(settings.database_url)
    await database.start()
    if not settings.licensed:
        log.warning("no license key: one executor per application is let in")
    log.info("conductor listens on %s:%d", host, port)
    config = uvicorn.Config(
        create_app(settings, database),
        host=host,
        port=port,
        access_log=False,
        log_level=logging.WARNING,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    try:
        await uvicorn.Server(config).serve()
    finally:
        await database.close()


if __name__ == "__main__":
    sys.exit(main())
