"""Prometheus metrics: what the service did since it started, and the ledger's state at the moment of the scrape."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from workflows.ledger import Ledger

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_INSTALLATIONS = 100
"""Most installations whose phases are shown one by one; more would make the scrape dear."""


class Metrics:
    """One registry per application, so that two of them in one process (tests) do not share counters."""

    def __init__(self, ledger: Ledger, workers: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "podium_http_requests",
            "HTTP requests by route and status.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "podium_http_request_seconds",
            "Time to answer an HTTP request, seconds; for event streams, how long they were open.",
            ["route"],
            registry=self._registry,
        )
        self._registry.register(_LedgerCollector(ledger, workers))

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def render(self) -> bytes:
        """The text that Prometheus scrapes; reads the ledger."""
        return bytes(generate_latest(self._registry))


class _LedgerCollector:
    """Reads the ledger at each scrape, so restarts and other processes' work are in it."""

    def __init__(self, ledger: Ledger, workers: Callable[[], int]) -> None:
        self._ledger, self._workers = ledger, workers

    def describe(self) -> list[GaugeMetricFamily]:
        """Empty: registering must not read the database."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        states = GaugeMetricFamily("podium_installations", "Installations by state.", labels=["state"])
        for state, count in self._ledger.counts().items():
            states.add_metric([state], count)
        yield states
        yield GaugeMetricFamily("podium_workers", "Processes that execute operations now.", value=self._workers())
        durations = GaugeMetricFamily(
            "podium_phase_duration_seconds",
            "How long a phase's last attempt took, seconds.",
            labels=["installation", "phase", "state"],
        )
        for installation in self._ledger.installations(limit=_INSTALLATIONS):
            for phase in installation.operation.phases:
                if phase.started_at and phase.finished_at:
                    seconds = (phase.finished_at - phase.started_at).total_seconds()
                    durations.add_metric([installation.name, phase.name, phase.state], seconds)
        yield durations
