"""What `/metrics` says of the parts behind the API, read when it is asked: graph, jobs, queues.

The two reads have a short time each and run beside the request: a server that is silent costs the scrape `LIMIT_S`,
and the numbers that are missing then are missing, with `kith_neo4j_up` or `kith_broker_up` at 0.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLateError
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from graph import monitor
from graph.connection import Graph
from graph.errors import GraphError
from graph.jobs import STATES
from graph.settings import Settings
from workers import queue
from workers.queue import QueueUnavailableError, ServedState, StreamState

log = logging.getLogger("kith.api")

LIMIT_S = 2.0
KINDS = {kind: queue.queue_of(kind) for kind in ("train", "publish", "plan")}
"""Kinds of jobs and the queue each waits in."""
ABOUT = {
    "kith_neo4j_up": "1 if Neo4j answered this scrape within two seconds; at 0 what the graph knows is missing here.",
    "kith_broker_up": "1 if the broker answered this scrape within two seconds; at 0 the queues are missing here.",
    "kith_scrape_seconds": "How long this scrape waited for the part.",
    "kith_publication_seq": "Number of the published version; it only grows.",
    "kith_published_model_info": "1, with the name of the published model version.",
    "kith_model_trained_age_seconds": "Since the published model was trained.",
    "kith_model_full_training_age_seconds": "Since the snapshot of the full training that the model stems from.",
    "kith_model_published_age_seconds": "Since the published model was made the live one.",
    "kith_publication_writing": "1 while somebody writes the idle slot.",
    "kith_publication_writer_overdue_seconds": "Since the lease of the slot's writer ended; 0 while it lasts.",
    "kith_last_sweep_age_seconds": "Since a sweeper did its round; it should never pass 90.",
    "kith_ledger_events": "Events in the ledger.",
    "kith_pending_events": "Events that wait for what they refer to.",
    "kith_pending_oldest_seconds": "Since the event that waits longest was taken; 0 without one.",
    "kith_pending_events_expired": "Events that were dropped because they waited for longer than KITH_WAIT_DAYS.",
    "kith_cascades_uncounted_notes": "Notes of changed cascades that are not counted yet.",
    "kith_cascades_uncounted_seconds": "Since a note that is not counted yet was left; 0 without one.",
    "kith_cascade_model_age_seconds": "Since the model of how cascades grow was learned; missing without one.",
    "kith_alerts": "Alerts by kind and code, as long as they are kept.",
    "kith_jobs": "Jobs by kind and state, as long as they are kept.",
    "kith_jobs_lease_expired": "Jobs said to be running whose worker has been silent for longer than its lease.",
    "kith_queue_oldest_job_seconds": "Since the oldest job that waits in the queue was asked for; 0 when none waits.",
    "kith_queue_messages": "Messages that wait in the queue of the broker.",
    "kith_queue_unacknowledged_messages": "Messages that workers hold and have not finished.",
    "kith_served_entries_waiting": "Entries of served lists on the broker that are not in files yet.",
    "kith_served_entries_trimmed": "Entries of served lists that the broker dropped before anybody kept them.",
    "kith_stream_entries_waiting": "Entries of the event stream that nobody has taken yet.",
    "kith_stream_entries_pending": "Entries of the event stream that a consumer took and has not acknowledged.",
    "kith_stream_oldest_seconds": "Since the oldest entry that is not acknowledged was added; 0 without one.",
    "kith_stream_dead_letters": "Entries of the event stream that could not be taken, as long as they are kept.",
    "kith_stream_entries": "Entries of the event stream that are done with, by what became of them.",
}
"""Every metric of this module with its help."""


class StateMetrics(Collector):
    """Reads the state of graph and broker; one reading of each at a time, also when a server is silent."""

    def __init__(self, graph: Callable[[], Graph], settings: Settings) -> None:
        self._graph = graph
        self._settings = settings
        self._readers = {part: ThreadPoolExecutor(1, f"kith-{part}") for part in ("neo4j", "broker")}
        self._pending: dict[str, Future[Any]] = {}

    def render(self) -> bytes:
        """Return the state in Prometheus's text form."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def close(self) -> None:
        """End the reading threads once they are idle."""
        for reader in self._readers.values():
            reader.shutdown(wait=False, cancel_futures=True)

    def collect(self) -> Iterable[Metric]:
        """Read, and yield what could be read."""
        waited = _family("kith_scrape_seconds", ["source"])
        for part, read, show in (
            ("neo4j", self._read_graph, _graph_families),
            ("broker", self._read_broker, _broker_families),
        ):
            began = time.monotonic()
            found = self._within(part, read)
            waited.add_metric([part], time.monotonic() - began)
            yield _single(f"kith_{part}_up", 0 if found is None else 1)
            if found is not None:
                yield from show(found)
        yield waited

    def _read_graph(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        graph = self._graph()
        return monitor.state(graph, timeout_s=LIMIT_S), monitor.job_counts(graph, timeout_s=LIMIT_S)

    def _read_broker(self) -> tuple[tuple[dict[str, int], int], ServedState, StreamState | None]:
        return queue.lengths(self._settings), queue.served(self._settings), queue.event_stream(self._settings)

    def _within(self, part: str, read: Callable[[], Any]) -> Any:
        """Return what `read` returns, None when it fails, takes too long, or the last one has not come back yet."""
        if (last := self._pending.get(part)) is not None and not last.done():
            return None
        future = self._pending[part] = self._readers[part].submit(read)
        try:
            return future.result(LIMIT_S)
        except (GraphError, QueueUnavailableError, TooLateError) as error:
            log.warning("metrics without %s: %s", part, type(error).__name__)
            return None


def _graph_families(found: tuple[dict[str, Any], list[dict[str, Any]]]) -> Iterator[Metric]:
    state, jobs = found
    for name, value in {
        "kith_publication_seq": state["publicationSeq"],
        "kith_model_trained_age_seconds": state["trainedAgeS"],
        "kith_model_full_training_age_seconds": state["fullTrainingAgeS"],
        "kith_model_published_age_seconds": state["publishedAgeS"],
        "kith_publication_writing": int(state["writing"]),
        "kith_publication_writer_overdue_seconds": max(state["writerOverdueS"] or 0.0, 0.0),
        "kith_last_sweep_age_seconds": state["sweptAgeS"],
        "kith_ledger_events": state["ledgerEvents"],
        "kith_pending_events": state["pendingEvents"],
        "kith_pending_oldest_seconds": state["pendingS"] or 0.0,
        "kith_cascades_uncounted_notes": state["uncountedNotes"],
        "kith_cascades_uncounted_seconds": state["uncountedS"] or 0.0,
        "kith_cascade_model_age_seconds": state["sizeModelAgeS"],
        "kith_jobs_lease_expired": sum(row["expired"] for row in jobs if row["state"] == "running"),
    }.items():
        if value is not None:
            yield _single(name, value)
    yield CounterMetricFamily(
        "kith_pending_events_expired", ABOUT["kith_pending_events_expired"], value=state["expiredEvents"] or 0
    )
    alerts = _family("kith_alerts", ["kind", "code"])
    for row in state["alerts"]:
        alerts.add_metric([row["kind"], row["code"]], row["alerts"])
    yield alerts
    if state["modelVersion"]:
        named = _family("kith_published_model_info", ["model_version"])
        named.add_metric([state["modelVersion"]], 1)
        yield named
    yield from _job_families({(row["kind"], row["state"]): row for row in jobs})


def _job_families(jobs: dict[tuple[str, str], dict[str, Any]]) -> Iterator[Metric]:
    counts = _family("kith_jobs", ["kind", "state"])
    for kind in sorted({*KINDS, *(kind for kind, _ in jobs)}):
        for state in STATES:
            counts.add_metric([kind, state], jobs.get((kind, state), {"jobs": 0})["jobs"])
    yield counts
    oldest = dict.fromkeys(KINDS.values(), 0.0)
    for (kind, state), row in jobs.items():
        if state == "queued":
            waits_in = KINDS.get(kind, queue.DEFAULT_QUEUE)
            oldest[waits_in] = max(oldest[waits_in], row["oldestS"])
    ages = _family("kith_queue_oldest_job_seconds", ["queue"])
    for name, age_s in oldest.items():
        ages.add_metric([name], age_s)
    yield ages


def _broker_families(found: tuple[tuple[dict[str, int], int], ServedState, StreamState | None]) -> Iterator[Metric]:
    (lengths, unacknowledged), served, stream = found
    waiting = _family("kith_queue_messages", ["queue"])
    for name, length in lengths.items():
        waiting.add_metric([name], length)
    yield waiting
    yield _single("kith_queue_unacknowledged_messages", unacknowledged)
    yield _single("kith_served_entries_waiting", served.entries)
    yield CounterMetricFamily("kith_served_entries_trimmed", ABOUT["kith_served_entries_trimmed"], value=served.trimmed)
    if stream is not None:
        yield from _stream_families(stream)


def _stream_families(stream: StreamState) -> Iterator[Metric]:
    if stream.waiting is not None:
        yield _single("kith_stream_entries_waiting", stream.waiting)
    yield _single("kith_stream_entries_pending", stream.pending)
    yield _single("kith_stream_oldest_seconds", stream.oldest_s)
    yield _single("kith_stream_dead_letters", stream.dead_letters)
    done = CounterMetricFamily("kith_stream_entries", ABOUT["kith_stream_entries"], labels=["outcome"])
    for outcome, entries in stream.counts.items():
        done.add_metric([outcome], entries)
    yield done


def _family(name: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, ABOUT[name], labels=labels)


def _single(name: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, ABOUT[name], value=value)
