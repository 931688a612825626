"""The event stream under faults: consumers killed, Neo4j and the broker away or killed; every event once, none lost."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from neo4j import GraphDatabase

from graph.connection import Graph, connect
from graph.digest import digest
from graph.events import ingest
from graph.schema import apply
from graph.server import neo4j as server
from graph.server import process as server_process
from graph.server.process import free_ports
from graph.settings import Settings
from kith.stack import broker as valkey
from kith.stack import checks
from tests.faults.conftest import FULL, Report
from tests.workers.processes import beside, process, until
from tests.workers.streams import NAME, add, consuming, counts, event, is_done, letters, likes, pending
from workers import intake
from workers.event_stream import GROUP

pytestmark = [pytest.mark.timeout(3_600 if FULL else 280), pytest.mark.usefixtures("empty")]

Cypher = Callable[..., list[dict[str, Any]]]
SEED = 20_261_122
EVENTS = 20_000 if FULL else 2_000
BROKER_KILLS = 10 if FULL else 1
DEATHS = 0 if FULL else intake.MOST_DEATHS - 1
"""Deaths that the poison has behind it when the test begins."""
ENDED_S = 10.0


@pytest.fixture
def chosen(settings: Settings, broker_url: str, tmp_path: Path) -> Settings:
    return beside(settings, tmp_path, broker_url=broker_url, event_stream=NAME)


@contextlib.contextmanager
def consumer(chosen: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Run the consumer as a process of its own."""
    with process(["workers.stream"], chosen, chosen.logs / "worker-stream.log") as running:
        yield running


def judge(report: Report, cypher: Cypher, given: list[dict[str, Any]]) -> None:
    """Count what is lost and what is there twice of these likes, which are all acknowledged."""
    rows = cypher("MATCH ()-[r:LIKED]->() RETURN r.eventId AS id, count(*) AS n")
    there = {row["id"]: row["n"] for row in rows}
    report.attempted = report.acknowledged = len(given)
    report.lost = sum(each["eventId"] not in there for each in given)
    report.duplicated = sum(there.values()) - len(there)
    report.unexpected = len(there.keys() - {each["eventId"] for each in given})


def clean(report: Report) -> bool:
    return (report.lost, report.duplicated, report.unexpected) == (0, 0, 0)


def test_killed_between_commit_and_acknowledgement(
    chosen: Settings, graph: Graph, cypher: Cypher, broker: redis.Redis, report: Report
) -> None:
    given = likes(EVENTS)
    add(broker, given)
    # The broker itself refuses the acknowledgement until the consumer is dead.
    broker.execute_command("ACL", "SETUSER", "default", "-xack")
    try:
        with consumer(chosen) as first:
            until(lambda: cypher("MATCH (e:Event) RETURN count(e) AS n")[0]["n"] == EVENTS)
            first.kill()
            first.wait()
    finally:
        broker.execute_command("ACL", "SETUSER", "default", "+xack")
    assert pending(broker) == EVENTS
    once = digest(graph)
    with consumer(chosen):
        until(lambda: is_done(broker))
    judge(report, cypher, given)
    report.recovered = counts(broker)["duplicate"]
    assert clean(report)
    assert counts(broker) == {"duplicate": EVENTS}
    assert digest(graph) == once


@contextlib.contextmanager
def held(settings: Settings, user: str) -> Iterator[None]:
    """Hold a user in a transaction that does not end, so that whoever writes about them waits."""
    driver = GraphDatabase.driver(settings.bolt_uri, auth=("neo4j", settings.password()))
    with driver, driver.session() as session, session.begin_transaction() as transaction:
        transaction.run("CREATE (:User {userId: $user})", user=user).consume()
        yield
        transaction.rollback()


def deliveries(broker: redis.Redis, entry_id: str) -> int:
    """Return how often the entry was handed out."""
    return sum(row["times_delivered"] for row in broker.xpending_range(NAME, GROUP, entry_id, entry_id, 1))


def test_poison_that_ends_its_consumers_is_given_up_alone(
    chosen: Settings, cypher: Cypher, broker: redis.Redis, report: Report
) -> None:
    poison = event("like", "poison", userId="poison", itemId="i0")
    given = [*likes(2, "a"), *likes(2, "b")]
    ids = add(broker, [*given[:2], poison, *given[2:]])
    broker.xgroup_create(NAME, GROUP, id="0")
    if DEATHS:
        broker.xreadgroup(GROUP, "gone", {NAME: ">"})
        broker.xclaim(NAME, GROUP, "gone", 0, ids, idle=90_000, retrycount=intake.SUSPICIOUS, justid=True)
        broker.hset(f"{NAME}:trials", ids[2], DEATHS)
    together = 0 if DEATHS else intake.SUSPICIOUS
    with held(chosen, "poison"):
        for number in range(together):
            with consumer(chosen) as running:
                until(lambda number=number: deliveries(broker, ids[2]) == number + 1)
                running.kill()
                running.wait()
        for number in range(DEATHS, intake.MOST_DEATHS):
            with consumer(chosen) as running:
                until(lambda number=number: broker.hget(f"{NAME}:trials", ids[2]) == str(number + 1).encode())
                running.kill()
                running.wait()
        with consumer(chosen):
            until(lambda: is_done(broker))
    assert [each["entryId"] for each in letters(broker)] == [ids[2]]
    assert f"ended {intake.MOST_DEATHS} times" in letters(broker)[0]["reason"]
    judge(report, cypher, given)
    assert clean(report)


class Gate:
    """A port that leads to another one while it is open."""

    def __init__(self, target: int) -> None:
        (self.port,) = free_ports(1)
        self._target = target
        self._sockets: list[socket.socket] = []

    def open(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port))
        self._sockets = [listener]
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65_536):
                sink.sendall(part)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def test_while_neo4j_cannot_be_reached_everything_waits(
    chosen: Settings, cypher: Cypher, broker: redis.Redis, report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate(int(chosen.neo4j_uri.rpartition(":")[2]))
    through = dataclasses.replace(chosen, neo4j_uri=f"bolt://127.0.0.1:{gate.port}")
    given = likes(EVENTS)
    caplog.set_level(logging.INFO, "kith.workers")
    gate.open()
    with connect(through, retry_s=1.0) as graph, consuming(through, graph):
        add(broker, given[: EVENTS // 2])
        until(lambda: is_done(broker))
        gate.shut()
        add(broker, given[EVENTS // 2 :])
        until(lambda: pending(broker) > 0)
        time.sleep(30.0 if FULL else 2.0)
        assert counts(broker) == {"accepted": EVENTS // 2}
        assert letters(broker) == []
        gate.open()
        until(lambda: is_done(broker))
    gate.shut()
    judge(report, cypher, given)
    assert clean(report)
    assert sum(counts(broker).values()) == EVENTS
    said = [record.getMessage() for record in caplog.records if record.name == "kith.workers"]
    assert said == ["waiting for Neo4j: UnavailableError", "Neo4j is there again"]


def test_a_broker_that_is_killed_and_comes_back(
    chosen: Settings, graph: Graph, cypher: Cypher, report: Report, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    own = dataclasses.replace(chosen, broker_url="", broker_port=port)
    report.seed = SEED
    chance = random.Random(SEED)
    given = likes(EVENTS)

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "valkey.log").open("ab") as log:
            running = subprocess.Popen(valkey.command(own), stdout=log, stderr=log)
        until(lambda: checks.ping(str(port)))
        return running

    running = start()
    try:
        with redis.Redis.from_url(own.broker) as client:
            add(client, given)
            with consuming(own, graph):
                for _ in range(BROKER_KILLS):
                    time.sleep(chance.uniform(0.05, 0.4))
                    running.kill()
                    running.wait()
                    running = start()
                until(lambda: is_done(client))
            judge(report, cypher, given)
            report.recovered = counts(client).get("duplicate", 0)
            assert letters(client) == []
    finally:
        server_process.stop(running)
    assert clean(report)


def mortals(broker: redis.Redis) -> dict[bytes, int]:
    """Return how many entries each consumer but the one that lives holds."""
    with contextlib.suppress(redis.ResponseError):
        return {
            each["name"]: each["pending"] for each in broker.xinfo_consumers(NAME, GROUP) if each["name"] != b"lives"
        }
    return {}


@pytest.mark.long
def test_consumers_killed_again_and_again_beside_one_that_lives(
    chosen: Settings, graph: Graph, cypher: Cypher, broker: redis.Redis, report: Report
) -> None:
    report.seed = SEED
    chance = random.Random(SEED)
    given = likes(30_000)
    with consuming(chosen, graph, "lives"):
        for start in range(0, len(given), 1_000):
            with consumer(chosen) as running:
                until(lambda: mortals(broker) != {})
                add(broker, given[start : start + 1_000])
                time.sleep(chance.uniform(0.0, 0.3))
                running.kill()
                running.wait()
            report.recovered += sum(mortals(broker).values())
            until(lambda: is_done(broker))
            for name in mortals(broker):
                broker.xgroup_delconsumer(NAME, GROUP, name)
    judge(report, cypher, given)
    assert clean(report)
    assert letters(broker) == []
    assert report.recovered > 0


@pytest.mark.long
def test_asked_to_end_in_the_middle_of_a_batch_it_ends_within_ten_seconds(
    chosen: Settings, cypher: Cypher, broker: redis.Redis, report: Report
) -> None:
    given = [event("like", f"h{k}", userId="held", itemId="i0") for k in range(10)]
    with held(chosen, "held"):
        add(broker, given)
        with consumer(chosen) as running:
            until(lambda: pending(broker) == len(given))
            time.sleep(1)
            running.send_signal(signal.SIGTERM)
            assert running.wait(ENDED_S) == 0
        assert pending(broker) == len(given)
    with consumer(chosen) as running:
        until(lambda: is_done(broker))
        running.send_signal(signal.SIGTERM)
        assert running.wait(ENDED_S) == 0
    judge(report, cypher, given)
    assert clean(report)
    assert counts(broker) == {"accepted": len(given)}


@pytest.mark.long
def test_neo4j_restarted_ten_times_each_way(
    neo4j: Settings, broker_url: str, broker: redis.Redis, tmp_path: Path
) -> None:
    own = server.on_free_ports(dataclasses.replace(neo4j, home=tmp_path / "own"))
    own = dataclasses.replace(own, broker_url=broker_url, event_stream=NAME)
    arguments = server.prepare(own)

    def start() -> subprocess.Popen[bytes]:
        child = server_process.start(own, arguments)
        server_process.wait_until_ready(own, child)
        return child

    chance = random.Random(SEED)
    given = likes(20_000)
    running = start()
    try:
        with connect(own) as graph:
            apply(graph)
        with consumer(own):
            for number in range(20):
                add(broker, given[number * 1_000 : (number + 1) * 1_000])
                time.sleep(chance.uniform(0.0, 1.0))
                running.send_signal(signal.SIGTERM if number % 2 else signal.SIGKILL)
                running.wait()
                running = start()
            until(lambda: is_done(broker))
        with connect(own) as graph:
            by_stream = digest(graph)
            assert graph.read("monitor.state")[0]["ledgerEvents"] == len(given)
            assert letters(broker) == []
            for start_at in range(0, len(given), 5_000):
                again = ingest(graph, own, given[start_at : start_at + 5_000])
                assert (again.accepted, again.duplicates) == (0, 5_000)
            assert digest(graph) == by_stream
    finally:
        server_process.stop(running)
