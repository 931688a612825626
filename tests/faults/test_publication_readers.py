"""R8: readers during publications, some publishers killed; 0 mixed answers, the sequence only grows."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graph import publication, slots
from graph.connection import Graph, connect
from graph.settings import Settings
from tests.faults.conftest import FULL, Report
from tests.faults.marked import SEED, Tally, create_nodes, model, read_on

USERS = 120
PUBLICATIONS, KILLED_EVERY, READS = (50, 5, 100_000) if FULL else (4, 3, 0)
READERS = 3
READ_TIMEOUT_S = 1.0
LIMIT_S = 1_800.0


def publish_slowly(settings: Settings, number: int) -> None:
    """What a publisher process does: many small batches, so that a kill lands between them."""
    slots.BATCH_ROWS = 10
    slots.LEASE_S = 2.0
    with connect(settings) as graph:
        publication.publish(graph, settings, model(number, USERS), canonical=False)


@pytest.fixture
def quick(settings: Settings, tmp_path: Path) -> Settings:
    return replace(settings, read_timeout_s=READ_TIMEOUT_S, home=tmp_path, neo4j_password=settings.password())


@pytest.mark.slow
@pytest.mark.timeout(LIMIT_S + 60 if FULL else 280)
def test_readers_see_one_version_whatever_happens_to_publishers(
    graph: Graph, quick: Settings, cypher: Any, report: Report
) -> None:
    create_nodes(cypher, USERS)
    publish_slowly(quick, 1)
    stop, tallies = threading.Event(), [Tally() for _ in range(READERS)]
    readers = [threading.Thread(target=read_on, args=(quick, USERS, stop, t, k)) for k, t in enumerate(tallies)]
    for reader in readers:
        reader.start()
    try:
        killed = publish_and_kill(quick, cypher)
        live = publication.published(graph)
        assert live is not None
        back = publication.rollback(graph, quick, canonical=False)
        deadline = time.monotonic() + LIMIT_S
        time.sleep(1.0)
        while sum(tally.reads for tally in tallies) < READS:
            assert time.monotonic() < deadline, "too few reads in time"
            time.sleep(0.5)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    mixed, backwards = [m for t in tallies for m in t.mixed], [b for t in tallies for b in t.backwards]
    sequences = sorted(set().union(*(tally.sequences for tally in tallies)))
    report.seed, report.attempted, report.recovered = SEED, PUBLICATIONS, killed
    report.acknowledged = sum(tally.reads for tally in tallies)
    report.lost, report.unexpected = sum(tally.misses for tally in tallies), len(mixed) + len(backwards)
    assert mixed == []
    assert backwards == []
    assert killed == len([n for n in range(2, PUBLICATIONS + 2) if n % KILLED_EVERY == 0])
    assert back["publicationSeq"] == live["publicationSeq"] + 1
    assert back["modelVersion"] != live["modelVersion"]
    assert back["publicationSeq"] in sequences


def publish_and_kill(settings: Settings, cypher: Any) -> int:
    """Publish version after version, each in a process of its own, and kill some; return how many."""
    generator, spawn, killed = np.random.default_rng(SEED), multiprocessing.get_context("spawn"), 0
    for number in range(2, PUBLICATIONS + 2):
        publisher = spawn.Process(target=publish_slowly, args=(settings, number))
        publisher.start()
        if number % KILLED_EVERY == 0:
            wait_until_writing(cypher, f"{number}")
            time.sleep(float(generator.random()))
            os.kill(publisher.pid or 0, signal.SIGKILL)
            killed += 1
        publisher.join()
    return killed


def wait_until_writing(cypher: Any, what: str) -> None:
    """Wait until a publisher holds the slot."""
    deadline = time.monotonic() + 60
    while not cypher("MATCH (w:KithPublication) WHERE w.writerUntil > datetime.realtime() RETURN w"):
        assert time.monotonic() < deadline, f"publisher {what} never began"
        time.sleep(0.05)
