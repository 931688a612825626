"""R2: Neo4j stopped and killed while clients send events through the API; each acknowledged event is there once."""

from __future__ import annotations

import random
import signal
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from graph import keys
from graph.connection import Graph
from graph.server import neo4j as server
from graph.server import process
from graph.settings import Settings
from tests.conftest import for_neo4j
from tests.faults.client import GIVEN_UP_S, Client, at_work, stream_of
from tests.faults.conftest import FULL, Report
from tests.faults.shop import Cypher, Stream, judge
from tests.workers.processes import api_server, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3_600 if FULL else 280)]

SEED = 20_261_122
CLIENTS, BATCH, PAUSE_S = 4, 10, 0.1
EVENTS = 20_000 if FULL else 600
RESTARTS = (signal.SIGTERM, signal.SIGKILL) * (10 if FULL else 1)
ANSWER_S, FIRST_SUCCESS_S = 5.0, 30.0


class OwnNeo4j:
    """A Neo4j of this module's own, to be ended and started again."""

    def __init__(self, home: Path) -> None:
        self.settings = for_neo4j(home)
        self._command = server.prepare(self.settings, show=False)
        self.child: subprocess.Popen[bytes] = self._start()

    def again(self, number: signal.Signals) -> float:
        """End it by the signal, start it, and return when Bolt opened, as the monotonic clock says."""
        self.child.send_signal(number)
        self.child.wait()
        self.child = self._start()
        return time.monotonic()

    def _start(self) -> subprocess.Popen[bytes]:
        child = process.start(self.settings, self._command)
        process.wait_until_ready(self.settings, child)
        return child


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnNeo4j]:
    running = OwnNeo4j(tmp_path_factory.mktemp("kith"))
    try:
        server.first_query(running.settings)
        yield running
    finally:
        process.stop(running.child)


@pytest.fixture(scope="module")
def neo4j(own: OwnNeo4j) -> Settings:
    """In the place of the Neo4j that all modules share."""
    return own.settings


def test_r2_neo4j_restarted_while_events_come_in(
    own: OwnNeo4j, graph: Graph, cypher: Cypher, broker_url: str, report: Report, tmp_path: Path
) -> None:
    report.seed = SEED
    chance, waits_s = random.Random(SEED), []
    bearer = f"Bearer {keys.create(graph, ['ingest'])}"
    with api_server(own.settings, broker_url, tmp_path) as api:
        clients = [Client(api.port, bearer) for _ in range(CLIENTS)]
        streams = [Stream(f"c{k}", np.random.default_rng((SEED, k))) for k in range(CLIENTS)]
        turns = [stream_of(client, stream, BATCH) for client, stream in zip(clients, streams, strict=True)]
        with at_work(turns, PAUSE_S):
            for number in RESTARTS:
                time.sleep(chance.uniform(0.5, 1.5))
                waits_s.append(seconds_until_taken(own.again(number), clients))
            until(lambda: sum(client.acknowledged for client in clients) >= EVENTS, GIVEN_UP_S)
    # A read that is tried again, so that connections which broke meanwhile are not left for the hash.
    ledger = graph.read("monitor.state")[0]["ledgerEvents"]
    report.attempted = sum(len(client.sent) for client in clients)
    report.acknowledged = sum(client.acknowledged for client in clients)
    judge(report, cypher, [event for client in clients for event in client.sent])
    report.unexpected += sum(len(client.wrong) for client in clients)
    report.recovered = len(waits_s)
    slowest_s = max(client.slowest_s for client in clients)
    statuses = sum((client.statuses for client in clients), Counter[int]())
    print(
        f"R2 first success after Bolt: median {statistics.median(waits_s):.1f} s, longest {max(waits_s):.1f} s of "
        f"{len(waits_s)}; slowest answer {slowest_s:.2f} s; answers {dict(statuses)}; "
        f"taken twice {sum(client.duplicates for client in clients)}"
    )
    assert (report.lost, report.duplicated, report.unexpected) == (0, 0, 0), [client.wrong[:3] for client in clients]
    assert ledger == report.acknowledged == report.attempted
    assert slowest_s <= ANSWER_S
    assert max(waits_s) <= FIRST_SUCCESS_S


def seconds_until_taken(opened_s: float, clients: list[Client]) -> float:
    """Return how long after this moment the first batch was acknowledged; waits until each client had its turn."""
    firsts: list[float] = []

    def all_had_their_turn() -> bool:
        taken = [client.taken_s for client in clients if client.taken_s > opened_s]
        firsts.extend(taken[:1] if not firsts else [])
        return len(taken) == len(clients)

    until(all_had_their_turn, GIVEN_UP_S)
    return firsts[0] - opened_s
