"""`python -m sandbox.control_plane.binaries`: builds or fetches what is missing and prints where everything is.

Afterwards no network is needed: the programs, the modules that hold charts and definitions, a PostgreSQL with TLS.
"""

import sys
import time

from sandbox.control_plane.binaries import postgres
from sandbox.control_plane.binaries.build import build_all, cache_directory, data_module
from sandbox.control_plane.binaries.go import GoError
from sandbox.control_plane.binaries.recipes import DATA_MODULES


def main() -> None:
    """Ends with 1 and the reason when something cannot be had, the compiler's words among them."""
    started = time.monotonic()
    try:
        for name, path in build_all(_say).items():
            print(f"{name}: {path}")  # noqa: T201
        for name, (module, version) in DATA_MODULES.items():
            print(f"{name}'s charts and definitions: {data_module(module, version)}")  # noqa: T201
        print(f"postgres: {postgres.find(cache_directory(), _say)}")  # noqa: T201
    except (GoError, postgres.PostgresError) as error:
        sys.exit(f"the control plane's programs cannot be had: {error}")
    _say(f"programs ready after {time.monotonic() - started:.0f} s, kept in {cache_directory()}")


def _say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
