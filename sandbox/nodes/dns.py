"""Cluster DNS for processes that have no cluster: names of Services become addresses on this machine.

`ws://conductor.dbos.svc.cluster.local:8090/` -> `ws://127.0.0.1:41235/`. This is done to environment
values, commands and arguments when a container starts: there is no resolver of our own on a person's machine, and
127.0.0.1 has room for each port only once.
"""

import re
from collections.abc import Callable

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(
    rf"(?P<scheme>[a-z][a-z0-9+.-]*://(?:[^\s/@]*@)?)?"
    rf"(?<![\w.-])(?P<host>{_LABEL}\.{_LABEL}\.svc(?:\.cluster\.local)?)"
    rf"(?::(?P<port>\d+))?(?!\.?[\w-])",
    re.IGNORECASE,
)
_HOST = re.compile(rf"(?P<service>{_LABEL})\.(?P<namespace>{_LABEL})\.svc(?:\.cluster\.local)?\.?", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443, "postgresql": 5432, "postgres": 5432}

Resolve = Callable[[str, int], tuple[str, int]]
SolePort = Callable[[str, str], int | None]


def service_of(host: str) -> tuple[str, str] | None:
    """(namespace, service) of a Service's full name, None for every other host."""
    match = _HOST.fullmatch(host)
    return (match["namespace"].lower(), match["service"].lower()) if match else None


def rewrite(text: str, resolve: Resolve, sole_port: SolePort) -> str:
    """`text` with every Service name in it replaced by the address where it answers.

    A name without port gets its URL scheme's, else the Service's only port (`sole_port(namespace, service)`);
    when that is not known either, the name stays.
    """

    def replace(match: re.Match[str]) -> str:
        port = int(match["port"]) if match["port"] else _port(match["scheme"], match["host"], sole_port)
        if port is None:
            return match[0]
        host, local = resolve(match["host"], port)
        return f"{match['scheme'] or ''}{host}:{local}"

    return _NAME.sub(replace, text)


def _port(scheme: str | None, host: str, sole_port: SolePort) -> int | None:
    if scheme and (port := _DEFAULT_PORTS.get(scheme.partition(":")[0].lower())):
        return port
    service = service_of(host)
    return sole_port(*service) if service else None
