"""/metrics of a real API server with two processes: one sum, no raw path, an answer also while Neo4j is away."""

from __future__ import annotations

import dataclasses
import http.client
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from graph import jobs, keys, monitor
from graph.connection import Graph
from graph.publication import publish
from graph.server.process import free_ports
from graph.settings import Settings
from tests.docs.test_metrics_document import DOCUMENT, ROW
from tests.faults.test_fork_safety import children_of
from tests.graph.test_publication import Cypher, model
from tests.workers.processes import Server, answers, api_command, api_server, process, until
from tests.workers.streams import NAME, add, likes
from workers import queue
from workers.event_stream import EventStream

PROFILE = "/v1/users/{user_id}/profile"
SLOW_S = 4.5


class Answer(NamedTuple):
    status: int
    text: str


def ask(port: int, path: str, headers: dict[str, str] | None = None, verb: str = "GET") -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(verb, path, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.read().decode())
    finally:
        connection.close()


def sample(text: str, name: str, **labels: str) -> float | None:
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            if each.name == name and labels.items() <= each.labels.items():
                return each.value
    return None


@pytest.fixture(scope="module")
def server(
    settings: Settings, graph: Graph, broker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    chosen = dataclasses.replace(settings, event_stream=NAME)
    with api_server(chosen, broker_url, tmp_path_factory.mktemp("api")) as running:
        yield running


def count(port: int, status: int) -> float:
    text = ask(port, "/metrics").text
    return sample(text, "kith_requests_total", route=PROFILE, method="GET", status=str(status)) or 0.0


def test_every_process_tells_the_sum_of_all(server: Server, graph: Graph) -> None:
    bearer = {"Authorization": f"Bearer {keys.create(graph, ['read'])}"}
    for number in range(60):
        assert ask(server.port, f"/v1/users/canary-{number}/profile", bearer).status == 404
    for _ in range(10):
        assert ask(server.port, "/v1/users/canary/profile").status == 401
    assert ask(server.port, "/canary-nowhere", bearer).status == 404
    assert ask(server.port, "/live", verb="CANARY").status == 405
    assert [count(server.port, 404) for _ in range(8)] == [60] * 8
    text = ask(server.port, "/metrics").text
    assert count(server.port, 401) == 10
    assert sample(text, "kith_request_seconds_count", route=PROFILE, method="GET") == 70
    assert sample(text, "kith_request_seconds_bucket", route=PROFILE, method="GET", le="+Inf") == 70
    assert sample(text, "kith_requests_total", route="unmatched", method="GET", status="404") == 1
    assert sample(text, "kith_requests_total", method="other") == 1
    assert sample(text, "kith_requests_in_flight") == 1
    assert "canary" not in text.lower()
    # Each process warms Neo4j's plans up beside its first requests.
    until(lambda: sample(ask(server.port, "/metrics").text, "kith_neo4j_sessions_in_use") == 0)
    told = {place.name for place in (server.settings.home / "run/metrics").glob("counter_*.db")}
    assert told == {"counter_0.db", "counter_1.db"}


def test_what_a_killed_process_counted_stays(server: Server) -> None:
    before = count(server.port, 404)
    victims = children_of(server.pid)
    for victim in victims[:1]:
        os.kill(victim, signal.SIGKILL)
    until(lambda: len(children_of(server.pid)) == len(victims) and victims[0] not in children_of(server.pid))
    until(lambda: answers(f"http://127.0.0.1:{server.port}/live"))
    for _ in range(6):
        assert count(server.port, 404) == before
    text = ask(server.port, "/metrics").text
    assert sample(text, "kith_requests_in_flight") == 1
    assert len(list((server.settings.home / "run/metrics").glob("counter_*.db"))) == 2


def test_the_state_of_jobs_queues_and_publication(server: Server, graph: Graph, cypher: Cypher) -> None:
    cypher("UNWIND range(0, 5) AS k CREATE (:User {userId: 'u' + k, consent: ['personalisation']})")
    cypher("UNWIND range(0, 3) AS k CREATE (:Item {itemId: 'i' + k})")
    publish(graph, dataclasses.replace(server.settings, read_timeout_s=0.2), model("v1"))
    waiting = jobs.create(graph, "train", {})
    cypher("MATCH (j:KithJob {jobId: $id}) SET j.createdAt = datetime() - duration('PT100S')", id=waiting["jobId"])
    lost = jobs.create(graph, "publish", {})
    assert jobs.claim(graph, lost["jobId"], "someone", 0.01) is not None
    cypher("CREATE (:KithSizeModel {key: 'live', learnedAt: datetime() - duration('PT100S')})")
    cypher("CREATE (:KithAlert {alertId: 'a', kind: 'unusualCascade', code: 'burst', raisedAt: datetime()})")
    cypher("CREATE (:KithPending {pendingId: 'p', waitsFor: 'share:s', createdAt: datetime() - duration('PT100S')})")
    cypher("CREATE (:KithSequence {key: 'expired', count: 7})")
    monitor.note_sweep(graph)
    queue.enqueue_training(server.settings, waiting["jobId"])
    with redis.Redis.from_url(server.settings.broker) as broker:
        add(broker, likes(3))
        stream = EventStream(broker, NAME, "a")
        stream.prepare()
        stream.read(1, 1_000)
        stream.count({"accepted": 7})
    time.sleep(0.1)
    text = ask(server.port, "/metrics").text
    assert sample(text, "kith_neo4j_up") == sample(text, "kith_broker_up") == 1
    assert sample(text, "kith_jobs", kind="train", state="queued") == 1
    assert sample(text, "kith_jobs", kind="publish", state="running") == 1
    assert sample(text, "kith_jobs", kind="publish", state="failed") == 0
    assert sample(text, "kith_jobs_lease_expired") == 1
    assert sample(text, "kith_alerts", kind="unusualCascade", code="burst") == 1
    assert sample(text, "kith_pending_events_expired_total") == 7
    assert sample(text, "kith_pending_events") == 1
    for age in ("kith_cascade_model_age_seconds", "kith_pending_oldest_seconds"):
        assert 100 <= (sample(text, age) or 0) < 130
    assert 100 <= (sample(text, "kith_queue_oldest_job_seconds", queue="train") or 0) < 130
    assert sample(text, "kith_queue_oldest_job_seconds", queue="default") == 0
    assert sample(text, "kith_queue_messages", queue="train") == 1
    assert sample(text, "kith_stream_entries_waiting") == 2
    assert sample(text, "kith_stream_entries_pending") == 1
    assert 0 <= (sample(text, "kith_stream_oldest_seconds") or -1) < 60
    assert sample(text, "kith_stream_dead_letters") == 0
    assert sample(text, "kith_stream_entries_total", outcome="accepted") == 7
    assert sample(text, "kith_stream_entries_total", outcome="trimmed") == 0
    assert sample(text, "kith_publication_seq") == 1
    assert sample(text, "kith_published_model_info", model_version="v1") == 1
    assert 0 <= (sample(text, "kith_model_published_age_seconds") or -1) < 60
    assert (sample(text, "kith_model_trained_age_seconds") or 0) > 0
    assert (sample(text, "kith_model_full_training_age_seconds") or 0) > 0
    assert sample(text, "kith_publication_writing") == 0
    assert 0 <= (sample(text, "kith_last_sweep_age_seconds") or -1) < 60
    assert sample(text, "kith_ledger_events") == 0
    families = {family.name for family in text_string_to_metric_families(text)}
    documented = {name.removesuffix("_total") for name, _ in ROW.findall(DOCUMENT.read_text(encoding="utf-8"))}
    assert families == documented
    ages = re.findall(r"kith_requests_total\{[^}]*route=\"([^\"]+)\"", text)
    assert all(route == "unmatched" or "{" in route or route in ("/ready", "/live", "/metrics") for route in ages)


def test_only_who_asks_directly_from_here_needs_no_key(server: Server, graph: Graph) -> None:
    assert ask(server.port, "/metrics").status == 200
    for passed_on in (
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
        {"Via": "1.1 proxy"},
        {"Host": "kith.example"},
        {"Authorization": "Bearer kith_0123456789abcdef_" + "0" * 64},
        {"Authorization": "Bearer nonsense"},
    ):
        assert ask(server.port, "/metrics", passed_on).status == 401, passed_on
    outside = {"X-Forwarded-For": "203.0.113.9"}
    for scope, status in (("ingest", 403), ("read", 200), ("admin", 200)):
        bearer = {"Authorization": f"Bearer {keys.create(graph, [scope])}"}
        assert ask(server.port, "/metrics", bearer | outside).status == status


@pytest.mark.parametrize("silent", [False, True], ids=["refused", "silent"])
def test_without_neo4j_and_broker_the_scrape_still_answers(settings: Settings, tmp_path: Path, silent: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hole:
        # A server that takes connections and never says a word, or a port that nobody listens on.
        dead = hole.getsockname()[1] if silent else free_ports(1)[0]
        (port,) = free_ports(1)
        given = dataclasses.replace(
            settings,
            home=tmp_path,
            neo4j_uri=f"bolt://127.0.0.1:{dead}",
            neo4j_password="p",
            broker_url=f"redis://127.0.0.1:{dead}/0",
            signing_key="k" * 32,
        )
        with process(api_command(port), given, tmp_path / "api.log"):
            until(lambda: answers(f"http://127.0.0.1:{port}/live"))
            for _ in range(3):
                began = time.monotonic()
                status, text = ask(port, "/metrics")
                assert time.monotonic() - began < SLOW_S
                assert status == 200
                assert sample(text, "kith_neo4j_up") == sample(text, "kith_broker_up") == 0
                assert sample(text, "kith_requests_in_flight") == 1
                assert sample(text, "kith_publication_seq") is None
