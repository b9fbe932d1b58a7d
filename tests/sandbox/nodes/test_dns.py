"""Cluster DNS names become local addresses, and nothing else changes."""

import pytest

from sandbox.nodes import dns

PORTS = {("conductor.dbos.svc.cluster.local", 8090): 41001, ("conductor.dbos.svc", 8090): 41001}


def resolve(host: str, port: int) -> tuple[str, int]:
    """A port that tells which one was asked for."""
    return "127.0.0.1", PORTS.get((host, port), 30000 + port)


def sole_port(namespace: str, service: str) -> int | None:
    """Only Conductor's Service is known, and has one port."""
    return 8090 if (namespace, service) == ("dbos", "conductor") else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ws://conductor.dbos.svc.cluster.local:8090/", "ws://127.0.0.1:41001/"),
        ("conductor.dbos.svc.cluster.local:8090", "127.0.0.1:41001"),
        ("conductor.dbos.svc:8090", "127.0.0.1:41001"),
        ("http://dbos-app.dbos.svc.cluster.local/metrics/q?a=b", "http://127.0.0.1:30080/metrics/q?a=b"),
        ("https://dex.auth.svc.cluster.local/keys", "https://127.0.0.1:30443/keys"),
        ("postgresql://u:p%40w@pg.dbos.svc.cluster.local/db", "postgresql://u:p%40w@127.0.0.1:35432/db"),
        (
            "--url=http://a.b.svc.cluster.local:1 --url=http://c.d.svc:2",
            "--url=http://127.0.0.1:30001 --url=http://127.0.0.1:30002",
        ),
        ("conductor.dbos.svc.cluster.local", "127.0.0.1:41001"),
        ("unknown.dbos.svc.cluster.local", "unknown.dbos.svc.cluster.local"),
        ("pod-0.conductor.dbos.svc.cluster.local:8090", "pod-0.conductor.dbos.svc.cluster.local:8090"),
        ("http://conductor.dbos.svc.example.com:8090/", "http://conductor.dbos.svc.example.com:8090/"),
        ("host=127.0.0.1 port=5432", "host=127.0.0.1 port=5432"),
    ],
)
def test_a_service_name_is_replaced_by_where_the_service_answers(text: str, expected: str) -> None:
    assert dns.rewrite(text, resolve, sole_port) == expected


def test_only_a_services_full_name_is_a_service() -> None:
    assert dns.service_of("conductor.dbos.svc.cluster.local") == ("dbos", "conductor")
    assert dns.service_of("conductor.dbos.svc") == ("dbos", "conductor")
    assert dns.service_of("db.example.com") is None
