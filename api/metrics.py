"""What the API counts about its own requests; docs/metrics.md says what each number means.

Routes are named by their template and methods by a known word, so that no caller can make the list of numbers grow or
put an id into it.
"""

from __future__ import annotations

import logging
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess, values

from api.metrics_files import Place

log = logging.getLogger("kith.api")

BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
ABOUT = {
    "kith_requests": "Requests answered, by route template, method and status.",
    "kith_request_seconds": "Time from the first line of a request to its answer, by route template and method.",
    "kith_requests_in_flight": "Requests that are being answered now.",
    "kith_streams_open": "Streams of server-sent events that are open now.",
    "kith_served_lists": "Served lists handed to the broker (sent), or not kept because too many waited (dropped).",
    "kith_neo4j_sessions_in_use": "Sessions with Neo4j that the API holds now.",
}
"""Every metric of this module with its help; counters show themselves as `NAME_total`."""


class RequestMetrics:
    """The counters of this process; `render` adds up those of all processes of the API."""

    def __init__(self, folder: Path) -> None:
        """Begin to count in the folder; where that cannot be written, in this process alone."""
        self._place: Place | None = None
        try:
            self._place = Place(folder)
        except OSError as error:
            values.ValueClass = values.MutexValue
            log.warning("metrics of this process are not added to the others': %s", error)
        self._registry = CollectorRegistry()
        self._requests = self._counter("kith_requests", ("route", "method", "status"))
        self._seconds = Histogram(
            "kith_request_seconds",
            ABOUT["kith_request_seconds"],
            ("route", "method"),
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self.served = self._counter("kith_served_lists", ("outcome",))
        for outcome in ("sent", "dropped"):  # shown from the start, at 0
            self.served.labels(outcome)
        self.in_flight = self._gauge("kith_requests_in_flight")
        self.streams = self._gauge("kith_streams_open")
        self.sessions = self._gauge("kith_neo4j_sessions_in_use")

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(route, method, status).inc()
        self._seconds.labels(route, method).observe(seconds)

    def render(self) -> bytes:
        """Return the sum over all processes in Prometheus's text form."""
        if self._place is None:
            return generate_latest(self._registry)
        self._place.forget_the_dead()
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, path=str(self._place.folder))
        return generate_latest(registry)

    def _counter(self, name: str, labels: tuple[str, ...]) -> Counter:
        return Counter(name, ABOUT[name], labels, registry=self._registry)

    def _gauge(self, name: str) -> Gauge:
        return Gauge(name, ABOUT[name], multiprocess_mode="livesum", registry=self._registry)
