"""R8 in short form: readers during publications, some publishers killed; 0 mixed answers, the sequence only grows.

Every version writes the same mark (its number) into each score and points each user's vector its own way, so one
answer that holds two marks, or a neighbour of another version, is a mixed answer.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from neo4j import GraphDatabase

from engine.types import Artifact, RankedLists
from graph import publication, slots
from graph.connection import Graph, connect
from graph.settings import Settings

USERS, ITEMS, DIMENSIONS = 120, 30, 16
PUBLICATIONS, KILLED_EVERY = 7, 3
READ_TIMEOUT_S = 1.0
SEED = 20_260_801
SEEN_BY_PROPERTY = """
MATCH (n:Published {key: 'live'})
WITH n.live AS live
WITH {slot: live[0], build: toInteger(live[1]), modelVersion: live[2], publicationSeq: toInteger(live[3])} AS p
MATCH (u:User) WHERE u.userId IN $ids
WITH p, u, CASE p.slot WHEN 'a' THEN u.build_a ELSE u.build_b END = p.build AS valid
RETURN p.publicationSeq AS seq, p.modelVersion AS version, count(*) AS users,
       collect(DISTINCT CASE p.slot WHEN 'a' THEN u.influenceScore_a ELSE u.influenceScore_b END) AS marks,
       collect(DISTINCT CASE p.slot WHEN 'a' THEN u.recommendedScores_a ELSE u.recommendedScores_b END) AS scores,
       sum(CASE WHEN valid THEN 1 ELSE 0 END) AS valid
"""
SEEN_BY_VECTOR = """
CYPHER 25
MATCH (n:Published {key: 'live'})
WITH n.live AS live
WITH {slot: live[0], build: toInteger(live[1]), modelVersion: live[2], publicationSeq: toInteger(live[3])} AS p
CALL (p) {
  WITH p WHERE p.slot = 'a'
  MATCH (v:User) SEARCH v IN (VECTOR INDEX user_embedding_a FOR $vector LIMIT 5) SCORE AS score
  RETURN v.influenceScore_a AS mark, v.build_a = p.build AS valid, v.embedding_a AS embedding
UNION ALL
  WITH p WHERE p.slot = 'b'
  MATCH (v:User) SEARCH v IN (VECTOR INDEX user_embedding_b FOR $vector LIMIT 5) SCORE AS score
  RETURN v.influenceScore_b AS mark, v.build_b = p.build AS valid, v.embedding_b AS embedding
}
RETURN p.publicationSeq AS seq, p.modelVersion AS version, collect(DISTINCT mark) AS marks, count(*) AS found,
       sum(CASE WHEN valid THEN 1 ELSE 0 END) AS valid, collect(embedding) AS embeddings
"""


@dataclass
class Tally:
    """What the readers saw."""

    reads: int = 0
    misses: int = 0
    """Answers without a valid row: slot and build read on two sides of a flip; served like a newcomer's, not mixed."""
    mixed: list[str] = field(default_factory=list)
    backwards: list[str] = field(default_factory=list)
    sequences: set[int] = field(default_factory=set)


def model(number: int) -> Artifact:
    """Version `m<number>`: every score is the number, every vector comes from the number's own generator."""
    vectors = np.random.default_rng((SEED, number)).normal(size=(USERS + ITEMS, DIMENSIONS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    marked = np.full(USERS, number, dtype=np.float32)

    def ranked(rows: int, length: int, targets: int) -> RankedLists:
        target = (np.arange(rows)[:, None] + np.arange(length)[None, :]).astype(np.int32) % targets
        return RankedLists(target, np.full((rows, length), number, dtype=np.float32))

    return Artifact(
        model_version=f"m{number}", snapshot_id="s", trained_at_s=0, code_version="t",
        user_ids=np.array([f"u{k}" for k in range(USERS)], dtype=object),
        item_ids=np.array([f"i{k}" for k in range(ITEMS)], dtype=object),
        user_embedding=vectors[:USERS], item_embedding=vectors[USERS:],
        influence_score=marked, influence_percentile=marked,
        recommended=ranked(USERS, 10, ITEMS), similar=ranked(ITEMS, 5, ITEMS), influences=ranked(USERS, 5, USERS),
        metrics={},
    )  # fmt: skip


def publish_slowly(settings: Settings, number: int) -> None:
    """What a publisher process does: many small batches, so that a kill lands between them."""
    slots.BATCH_ROWS = 10
    slots.LEASE_S = 2.0
    with connect(settings) as graph:
        publication.publish(graph, settings, model(number), canonical=False)


def read_on(settings: Settings, stop: threading.Event, tally: Tally, seed: int) -> None:
    generator = np.random.default_rng((SEED, seed))
    address, password = settings.bolt_uri, settings.password()
    last = 0
    with (
        GraphDatabase.driver(address, auth=("neo4j", password), notifications_min_severity="OFF") as driver,
        driver.session() as session,
    ):
        while not stop.is_set():
            by_vector = bool(generator.integers(2))
            if by_vector:
                given: dict[str, Any] = {"vector": generator.normal(size=DIMENSIONS).tolist()}
            else:
                given = {"ids": [f"u{k}" for k in generator.choice(USERS, 30, replace=False)]}
            row = session.run(SEEN_BY_VECTOR if by_vector else SEEN_BY_PROPERTY, given).single()
            if row is None:
                continue
            tally.reads += 1
            tally.sequences.add(row["seq"])
            if row["seq"] < last:
                tally.backwards.append(f"{last} -> {row['seq']}")
            last = row["seq"]
            if row["valid"] == 0:
                tally.misses += 1
            elif problem := (vector_problem(row) if by_vector else property_problem(row)):
                tally.mixed.append(f"{row['version']}: {problem}")


def property_problem(row: Any) -> str | None:
    number = int(row["version"][1:])
    if row["marks"] != [float(number)] or row["valid"] != row["users"]:
        return f"marks {row['marks']}, {row['valid']} of {row['users']} rows valid"
    return None if row["scores"] == [[float(number)] * 10] else f"{len(row['scores'])} lists of scores"


def vector_problem(row: Any) -> str | None:
    number = int(row["version"][1:])
    if row["marks"] != [float(number)] or row["valid"] != row["found"] or row["found"] != 5:
        return f"marks {row['marks']}, {row['valid']} of {row['found']} neighbours valid"
    mine = model(number).user_embedding
    far = [
        vector for vector in row["embeddings"] if np.abs(mine - np.array(vector, dtype=np.float32)).max(1).min() > 1e-6
    ]
    return f"{len(far)} vectors of another version" if far else None


@pytest.fixture
def quick(settings: Settings, tmp_path: Path) -> Settings:
    return replace(settings, read_timeout_s=READ_TIMEOUT_S, home=tmp_path, neo4j_password=settings.password())


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_readers_see_one_version_whatever_happens_to_publishers(
    graph: Graph, quick: Settings, cypher: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    consent = ["personalisation", "sharing"]
    cypher("UNWIND range(0, $n - 1) AS k CREATE (:User {userId: 'u' + k, consent: $c})", n=USERS, c=consent)
    cypher("UNWIND range(0, $n - 1) AS k CREATE (:Item {itemId: 'i' + k})", n=ITEMS)
    publish_slowly(quick, 1)
    stop, tallies = threading.Event(), [Tally() for _ in range(3)]
    readers = [threading.Thread(target=read_on, args=(quick, stop, tally, k)) for k, tally in enumerate(tallies)]
    for reader in readers:
        reader.start()
    generator, spawn, killed = np.random.default_rng(SEED), multiprocessing.get_context("spawn"), 0
    try:
        for number in range(2, PUBLICATIONS + 2):
            publisher = spawn.Process(target=publish_slowly, args=(quick, number))
            publisher.start()
            if number % KILLED_EVERY == 0:
                wait_until_writing(cypher, f"{number}")
                time.sleep(float(generator.random()))
                os.kill(publisher.pid or 0, signal.SIGKILL)
                killed += 1
            publisher.join()
        live = publication.published(graph)
        assert live is not None
        back = publication.rollback(graph, quick, canonical=False)
        time.sleep(1.0)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    mixed, backwards = [m for t in tallies for m in t.mixed], [b for t in tallies for b in t.backwards]
    with capsys.disabled():
        sequences = sorted(set().union(*(t.sequences for t in tallies)))
        print(
            f"\nR8 seed={SEED} publications={PUBLICATIONS} killed={killed} reads={sum(t.reads for t in tallies)} "
            f"misses={sum(t.misses for t in tallies)} mixed={len(mixed)} backwards={len(backwards)} "
            f"sequences={sequences}"
        )
    assert mixed == []
    assert backwards == []
    assert killed == len([n for n in range(2, PUBLICATIONS + 2) if n % KILLED_EVERY == 0])
    assert back["publicationSeq"] == live["publicationSeq"] + 1
    assert back["modelVersion"] != live["modelVersion"]
    assert back["publicationSeq"] in sequences


def wait_until_writing(cypher: Any, what: str) -> None:
    """Wait until a publisher holds the slot."""
    deadline = time.monotonic() + 60
    while not cypher("MATCH (w:KithPublication) WHERE w.writerUntil > datetime.realtime() RETURN w"):
        assert time.monotonic() < deadline, f"publisher {what} never began"
        time.sleep(0.05)
