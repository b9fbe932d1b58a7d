"""Is a control plane up? For whoever has started one: CLUSTER_DIR/ready holds the process id of the one that is."""

import http.client
import socket
import ssl
from pathlib import Path


def answers(port: int, path: str, authority: Path) -> bool:
    """Whether https://127.0.0.1:`port``path` answers with 200."""
    context = ssl.create_default_context(cafile=str(authority))
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=2.0, context=context)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def listens(port: int) -> bool:
    """Whether 127.0.0.1:`port` accepts connections."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def mark(directory: Path, process: int) -> None:
    """Tells that the control plane with that process id is ready."""
    (directory / "ready").write_text(str(process))


def unmark(directory: Path) -> None:
    """Takes it back."""
    (directory / "ready").unlink(missing_ok=True)


def is_ready(directory: Path, process: int) -> bool:
    """Whether the control plane with that process id has said that it is ready."""
    path = directory / "ready"
    return path.exists() and path.read_text() == str(process)
