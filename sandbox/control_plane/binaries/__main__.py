"""`python -m sandbox.control_plane.binaries`: builds what is missing and prints where everything is."""

import sys
import time

from sandbox.control_plane.binaries.build import build_all, cache_directory
from sandbox.control_plane.binaries.go import GoError


def main() -> None:
    """Ends with 1 and the compiler's words when a build fails."""
    started = time.monotonic()
    try:
        for name, path in build_all(_say).items():
            print(f"{name}: {path}")  # noqa: T201
    except GoError as error:
        sys.exit(f"the control plane's programs cannot be built: {error}")
    _say(f"programs ready after {time.monotonic() - started:.0f} s, kept in {cache_directory()}")


def _say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
