"""R12: clocks that are off: clients' by ten years, a process's by an hour; Neo4j's clock is the one that counts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import redis

from graph import jobs, keys
from graph.connection import Graph
from graph.event_shapes import FUTURE_S
from graph.server.process import free_ports
from graph.settings import Settings
from tests.faults import marked
from tests.faults.client import Client
from tests.faults.conftest import FULL, Report
from tests.faults.shop import Cypher, Event, Stream, found, judge
from tests.workers.processes import api_command, beside, process, until, worker_command
from tests.workers.streams import NAME, add, event, is_done, letters, likes
from workers.tasks import WAITED_S

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900 if FULL else 280), pytest.mark.usefixtures("empty")]

SEED = 20_261_122
HOUR_S = 3_600
AHEAD, BEHIND = ((HOUR_S, -HOUR_S), (-HOUR_S, HOUR_S)) if FULL else ((HOUR_S,), (-HOUR_S,))
"""Both ways; the short form takes the way that hurts: what expires too early, or seems to lie in the future."""
YEARS = timedelta(days=3_652)
EVENTS = 500 if FULL else 60
LEASE_S = 6.0
TTL_S, AFTER_S = 3.0, 2.0
DONE_S = 120.0
WHEN = """
MATCH (j:KithJob {jobId: $id}) WITH datetime.realtime() AS now, j
RETURN [each IN [j.createdAt, j.startedAt, j.finishedAt] | duration.inSeconds(each, now).seconds] AS ages
"""
SWEPT = "MATCH (s:KithSchema) RETURN duration.inSeconds(s.sweptAt, datetime.realtime()).seconds AS age"
STAMPED = """
MATCH ()-[r]->() WHERE r.ingestedAt IS NOT NULL
RETURN max(abs(duration.inSeconds(r.ingestedAt, datetime.realtime()).seconds)) AS age
"""


@contextmanager
def api_off(settings: Settings, broker_url: str, home: Path, off_s: float) -> Iterator[int]:
    """Run the API by a clock that is off; yield its port."""
    (port,) = free_ports(1)
    chosen = beside(settings, home, broker_url=broker_url, signing_key="k" * 40)
    with process(["tests.faults.off", str(off_s), *api_command(port)], chosen, home / "api.log"):
        client = Client(port, "")
        client.insist("GET", "/live")
        yield port


def at(event_: Event, moment: datetime) -> Event:
    return event_ | {"occurredAt": moment.isoformat()}


@pytest.mark.parametrize("off_s", [0, *BEHIND])
def test_r12_times_that_clients_send(
    settings: Settings, graph: Graph, cypher: Cypher, broker_url: str, report: Report, tmp_path: Path, off_s: int
) -> None:
    report.seed = SEED
    stream = Stream("c", np.random.default_rng(SEED))
    first = stream.batch(EVENTS)
    good = list(first)
    bearer = f"Bearer {keys.create(graph, ['ingest'])}"
    with api_off(settings, broker_url, tmp_path, off_s) as port:
        client = Client(port, bearer)
        client.deliver(first)
        now = datetime.now(UTC)
        refused = {
            "far future": now + YEARS,
            "far past": now - YEARS,
            "too far ahead": now + timedelta(seconds=FUTURE_S + 60),
            "older than the ledger": now - timedelta(days=settings.ledger_days, seconds=60),
        }
        for moment in refused.values():
            bad = [at(one, moment) | {"eventId": f"bad:{one['eventId']}"} for one in first]
            answer = client.insist("POST", "/v1/events", bad, good=(422,))
            assert [each["problem"]["errors"][0]["pointer"] for each in answer["rejected"]] == ["/occurredAt"] * EVENTS
            mixed = stream.batch(2)
            answer = client.insist("POST", "/v1/events", [bad[0], *mixed], good=(202,))
            assert (answer["accepted"] + answer["duplicates"], [each["index"] for each in answer["rejected"]]) == (
                2,
                [0],
            )
            good += mixed
        ahead = at(stream.batch(1)[0], now + timedelta(seconds=FUTURE_S - 60))
        client.insist("POST", "/v1/events", ahead, good=(202,))
        good.append(ahead)
    report.attempted = EVENTS + len(refused) * (EVENTS + 3) + 1
    report.acknowledged = len(good)
    report.unexpected = len(client.wrong)
    judge(report, cypher, good)
    assert (report.lost, report.duplicated, report.unexpected) == (0, 0, 0), client.wrong[:3]
    assert cypher(STAMPED)[0]["age"] < HOUR_S / 2


@pytest.mark.parametrize("off_s", AHEAD)
def test_r12_a_worker_whose_clock_is_an_hour_off(
    settings: Settings,
    graph: Graph,
    cypher: Cypher,
    broker_url: str,
    broker: redis.Redis,
    report: Report,
    tmp_path: Path,
    off_s: int,
) -> None:
    chosen = beside(settings, tmp_path, broker_url=broker_url)
    marked.create_nodes(cypher, 50)
    marked.write(chosen.artifacts, 1, 50)
    wait_s = timedelta(seconds=WAITED_S + 1)
    with ExitStack() as running:
        off, log = ["tests.faults.off", str(off_s)], chosen.logs / "worker.log"
        running.enter_context(process([*off, *worker_command("default")], chosen, log))
        running.enter_context(process(["kith.stack.role", "beat"], chosen, chosen.logs / "beat.log"))
        # Nothing but the sweeper tells the worker of these two; of one another worker holds the lease.
        lost, taken = (jobs.create(graph, "publish", {"modelVersion": "m1"})["jobId"] for _ in range(2))
        cypher("MATCH (j:KithJob) SET j.enqueuedAt = j.enqueuedAt - $wait", wait=wait_s)
        held_s = time.monotonic()
        assert jobs.claim(graph, taken, "elsewhere#1#1", LEASE_S) is not None
        until(lambda: jobs.get(graph, lost)["state"] == "done", DONE_S)
        began_s = time.monotonic()
        until(lambda: jobs.get(graph, taken)["attempts"] == 2 or time.monotonic() - began_s > DONE_S, DONE_S + 1)
        taken_over_s = time.monotonic() - held_s
        until(lambda: jobs.get(graph, taken)["state"] == "done", DONE_S)
    report.attempted, report.acknowledged, report.recovered = 2, 2, 2
    given = [jobs.get(graph, each) for each in (lost, taken)]
    report.lost = sum(job["state"] != "done" for job in given)
    report.duplicated = int([job["attempts"] for job in given] != [1, 2])
    ages = [age for job in given for age in cypher(WHEN, id=job["jobId"])[0]["ages"]]
    report.unexpected = sum(not -1 <= age < HOUR_S / 2 for age in ages)
    said = log.read_text()
    assert (report.lost, report.duplicated, report.unexpected) == (0, 0, 0), (given, ages)
    assert taken_over_s > LEASE_S
    assert "Traceback" not in said
    assert '"level":"CRITICAL"' not in said
    assert -1 <= cypher(SWEPT)[0]["age"] < HOUR_S / 2


@pytest.mark.parametrize("off_s", BEHIND)
def test_r12_a_consumer_of_the_event_stream_an_hour_off(
    settings: Settings, cypher: Cypher, broker_url: str, broker: redis.Redis, report: Report, tmp_path: Path, off_s: int
) -> None:
    chosen = beside(settings, tmp_path, broker_url=broker_url, event_stream=NAME)
    given = likes(EVENTS)
    late = event("like", "late", userId="u1", itemId="i1")
    late["occurredAt"] = (datetime.now(UTC) + timedelta(seconds=FUTURE_S + 60)).isoformat()
    ids = add(broker, [*given, late])
    log = chosen.logs / "worker-stream.log"
    with process(["tests.faults.off", str(off_s), "workers.stream"], chosen, log):
        until(lambda: is_done(broker))
    report.attempted, report.acknowledged = len(ids), len(given)
    there = found(cypher)
    report.lost = sum(not there["Event", each["eventId"]] for each in given)
    report.unexpected = there["Event", "late"]
    assert (report.lost, report.unexpected) == (0, 0)
    assert [(letter["entryId"], "future" in letter["reason"]) for letter in letters(broker)] == [(ids[-1], True)]
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("off_s", BEHIND)
def test_r12_no_expired_key_is_accepted(
    settings: Settings, graph: Graph, broker_url: str, report: Report, tmp_path: Path, off_s: int
) -> None:
    with api_off(settings, broker_url, tmp_path, off_s) as port:
        expired = keys.create(graph, ["read"], ttl_s=0.001)
        lasting = keys.create(graph, ["read"])
        Client(port, f"Bearer {lasting}").insist("GET", "/v1/models")
        short, made_s = keys.create(graph, ["read"], ttl_s=TTL_S), time.monotonic()
        answers: list[tuple[float, int]] = []
        while time.monotonic() - made_s < TTL_S + AFTER_S:
            asked_s = time.monotonic() - made_s
            answers.append((asked_s, status(port, short)))
        report.attempted = len(answers) + 2
        report.acknowledged = sum(code == 200 for _, code in answers)
        report.unexpected = sum(code == 200 and asked_s > TTL_S for asked_s, code in answers)
        report.unexpected += (status(port, expired), status(port, lasting)) != (401, 200)
    assert report.unexpected == 0, answers
    assert {code for _, code in answers} == {200, 401}


def status(port: int, key: str) -> int:
    """Ask once with the key."""
    client = Client(port, f"Bearer {key}")
    client.insist("GET", "/v1/models", good=(200, 401))
    return 200 if client.statuses[200] else 401
