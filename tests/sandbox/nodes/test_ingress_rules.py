"""Requests are routed and rewritten as ingress-nginx does, for the guide's rules and for host rules."""

import pytest

from sandbox.nodes.api import Object
from sandbox.nodes.ingress_rules import PREFIX, Rules, is_ours


def path(pattern: str, service: str, kind: str = "ImplementationSpecific") -> Object:
    """One path of a rule, with port 80 named `http`."""
    return {"path": pattern, "pathType": kind, "backend": {"service": {"name": service, "port": {"name": "http"}}}}


def ingress(paths: list[Object], host: str | None = None, annotations: dict[str, str] | None = None) -> Object:
    """An Ingress with one rule in the namespace dbos."""
    rule: Object = {"http": {"paths": paths}} | ({"host": host} if host else {})
    metadata = {"name": "i", "namespace": "dbos", "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"ingressClassName": "nginx", "rules": [rule]}}


REGEX = {PREFIX + "use-regex": "true", PREFIX + "rewrite-target": "/$2", PREFIX + "proxy-read-timeout": "3600"}
GUIDE = [path("/()(.*)", "console"), path("/conductor(/|$)(.*)", "conductor"), path("/app(/|$)(.*)", "dbos-app")]
GUIDE_WITH_DEX = [path("/()(dex/.*)", "dex"), *GUIDE]


@pytest.mark.parametrize(
    ("target", "service", "sent"),
    [
        ("/conductor", "conductor", "/"),
        ("/conductor/", "conductor", "/"),
        ("/conductor/v1/workflows?limit=1&a=%2F", "conductor", "/v1/workflows?limit=1&a=%2F"),
        ("/Conductor/healthz", "conductor", "/healthz"),
        ("/conductors", "console", "/conductors"),
        ("/app/healthz", "dbos-app", "/healthz"),
        ("/app/workflow/a%20b", "dbos-app", "/workflow/a%20b"),
        ("/", "console", "/"),
        ("/health", "console", "/health"),
        ("//health", "console", "/health"),
        ("/dex/auth?x=1", "dex", "/dex/auth?x=1"),
    ],
)
def test_the_guides_paths_reach_the_guides_backends(target: str, service: str, sent: str) -> None:
    found = Rules([ingress(GUIDE_WITH_DEX, annotations=REGEX)]).find("localhost:41000", target)
    assert found is not None
    assert (found.backend.service, found.path, found.read_timeout) == (service, sent, 3600.0)


def test_hosts_are_servers_of_their_own() -> None:
    rules = Rules(
        [
            ingress([path("/", "console", "Prefix")], host="console.example.com"),
            ingress([path("/api", "conductor", "Prefix"), path("/api/x", "exact", "Exact")], host="*.api.example.com"),
            ingress([path("/", "fallback", "Prefix")]),
        ]
    )

    def service(host: str, target: str) -> str | None:
        found = rules.find(host, target)
        return found.backend.service if found else None

    assert service("Console.example.com", "/x") == "console"
    assert service("a.api.example.com", "/api/y") == "conductor"
    assert service("a.api.example.com", "/api/x") == "exact"
    assert service("a.api.example.com", "/apix") is None
    assert service("other.example.com", "/x") == "fallback"


def test_the_longest_prefix_wins_and_paths_are_sent_unchanged_without_a_rewrite() -> None:
    rules = Rules([ingress([path("/", "root", "Prefix"), path("/a%", "odd"), path("/a", "a", "Prefix")])])
    found = rules.find("localhost", "/a/b%20c?q")
    assert found is not None
    assert (found.backend.service, found.path, found.read_timeout) == ("a", "/a/b%20c?q", 60.0)


def test_a_path_that_is_no_regular_expression_is_reported_and_harms_no_other() -> None:
    rules = Rules([ingress([path("/a(", "a"), path("/b", "b")], annotations={PREFIX + "use-regex": "true"})])
    assert rules.broken == ["/a("]
    assert rules.find("localhost", "/b") is not None


def test_an_ingress_belongs_to_the_controller_of_its_class_only() -> None:
    mine = ingress(GUIDE)
    assert is_ours(mine, {"nginx"}, "nginx")
    assert not is_ours(mine, {"internal"}, "internal")
    del mine["spec"]["ingressClassName"]
    assert not is_ours(mine, {"nginx"}, "nginx")
    mine["metadata"]["annotations"]["kubernetes.io/ingress.class"] = "nginx"
    assert is_ours(mine, set(), "nginx")
