"""Model versions that can be told apart row by row, and readers that look for two of them in one answer.

Version `m<number>` writes its number into every score and draws its vectors from a generator of its own, so an answer
that holds two marks, or a vector of another version, is mixed.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from neo4j import GraphDatabase

from engine.artifact import write_artifact
from engine.types import Artifact, RankedLists
from graph.settings import Settings

SEED = 20_260_801
ITEMS, DIMENSIONS = 30, 16
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
CREATE_USERS = """
UNWIND range($low, $high - 1) AS k CREATE (:User {userId: 'u' + k, consent: ['personalisation', 'sharing']})
"""
CREATE_ITEMS = "UNWIND range(0, $n - 1) AS k CREATE (:Item {itemId: 'i' + k})"
LIVE_ROWS = """
MATCH (n:Published {key: 'live'})
WITH n.live[0] AS slot, toInteger(n.live[1]) AS build
MATCH (u:User)
WITH slot, build, u, u['build_' + slot] = build AS valid
RETURN count(u) AS users, sum(CASE WHEN valid THEN 1 ELSE 0 END) AS valid,
       collect(DISTINCT u['influenceScore_' + slot]) AS marks
"""
SAMPLE = """
MATCH (n:Published {key: 'live'})
WITH n.live[0] AS slot
MATCH (u:User) WHERE u.userId IN $ids
RETURN u.userId AS id, u['embedding_' + slot] AS embedding
"""
CREATE_BATCH = 5_000


def create_nodes(cypher: Any, users: int) -> None:
    """Put users `u0`... who agree to everything and 30 items into the graph."""
    for low in range(0, users, CREATE_BATCH):
        cypher(CREATE_USERS, low=low, high=min(low + CREATE_BATCH, users))
    cypher(CREATE_ITEMS, n=ITEMS)


def vectors(number: int, users: int) -> np.ndarray:
    """Return (users + ITEMS, DIMENSIONS) float32 unit rows, the number's own."""
    drawn = np.random.default_rng((SEED, number)).normal(size=(users + ITEMS, DIMENSIONS)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def model(number: int, users: int, *, lists: bool = True) -> Artifact:
    """Return version `m<number>`; without lists it holds embeddings and scores only."""
    drawn, marked = vectors(number, users), np.full(users, number, dtype=np.float32)

    def ranked(rows: int, length: int, targets: int) -> RankedLists:
        length = length if lists else 0
        target = (np.arange(rows)[:, None] + np.arange(length)[None, :]).astype(np.int32) % targets
        return RankedLists(target, np.full((rows, length), number, dtype=np.float32))

    return Artifact(
        model_version=f"m{number}", snapshot_id="s", trained_at_s=0, code_version="t",
        user_ids=np.array([f"u{k}" for k in range(users)], dtype=object),
        item_ids=np.array([f"i{k}" for k in range(ITEMS)], dtype=object),
        user_embedding=drawn[:users], item_embedding=drawn[users:],
        influence_score=marked, influence_percentile=marked, influence_error=marked,
        recommended=ranked(users, 10, ITEMS), similar=ranked(ITEMS, 5, ITEMS), influences=ranked(users, 5, users),
        metrics={},
    )  # fmt: skip


def write(folder: Path, number: int, users: int) -> None:
    """Write version `m<number>` without lists as a model folder of that name."""
    made = model(number, users, lists=False)
    tables = {
        "user_embedding": made.user_embedding,
        "item_embedding": made.item_embedding,
        "influence_score": made.influence_score,
        "influence_percentile": made.influence_percentile,
        "influence_error": made.influence_error,
        "recommended_reasons": np.zeros((users, 0, 2), dtype=np.uint8),
    }
    for name in ("recommended", "similar", "influences"):
        lists: RankedLists = getattr(made, name)
        tables[f"{name}_target"], tables[f"{name}_score"] = lists.target, lists.score
    write_artifact(
        folder / made.model_version,
        model_version=made.model_version,
        snapshot_id=made.snapshot_id,
        code_version=made.code_version,
        user_ids=made.user_ids,
        item_ids=made.item_ids,
        tables=tables,
        weights={"none": np.zeros(1, dtype=np.float32)},
        metrics={},
    )


def faults_of_live(cypher: Any, number: int, users: int) -> tuple[int, int]:
    """Return how many rows of the live version are lost, and whether it is mixed (0 or 1), all rows looked at."""
    row = cypher(LIVE_ROWS)[0]
    wanted = vectors(number, users)
    ids = [f"u{k}" for k in range(0, users, max(users // 200, 1))]
    wrong = sum(
        bool(np.abs(wanted[int(found["id"][1:])] - np.array(found["embedding"], dtype=np.float32)).max() > 1e-6)
        for found in cypher(SAMPLE, ids=ids)
    )
    return users - row["valid"], int(row["marks"] != [float(number)] or wrong > 0)


@dataclass
class Tally:
    """What a reader saw."""

    reads: int = 0
    misses: int = 0
    """Answers without a valid row: slot and build read on two sides of a flip; served like a newcomer's, not mixed."""
    mixed: list[str] = field(default_factory=list)
    backwards: list[str] = field(default_factory=list)
    sequences: set[int] = field(default_factory=set)


def read_on(settings: Settings, users: int, stop: threading.Event, tally: Tally, seed: int) -> None:
    """Read by property and by vector in turn, as fast as it goes, until told to stop; every answer is judged."""
    generator = np.random.default_rng((SEED, seed))
    last = 0
    with (
        GraphDatabase.driver(
            settings.bolt_uri, auth=("neo4j", settings.password()), notifications_min_severity="OFF"
        ) as driver,
        driver.session() as session,
    ):
        while not stop.is_set():
            by_vector = bool(generator.integers(2))
            if by_vector:
                given: dict[str, Any] = {"vector": generator.normal(size=DIMENSIONS).tolist()}
            else:
                given = {"ids": [f"u{k}" for k in generator.choice(users, 30, replace=False)]}
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
            elif problem := (_vector_problem(row, users) if by_vector else _property_problem(row)):
                tally.mixed.append(f"{row['version']}: {problem}")


def _property_problem(row: Any) -> str | None:
    number = int(row["version"][1:])
    if row["marks"] != [float(number)] or row["valid"] != row["users"]:
        return f"marks {row['marks']}, {row['valid']} of {row['users']} rows valid"
    return None if row["scores"] in ([[float(number)] * 10], [[]]) else f"{len(row['scores'])} lists of scores"


def _vector_problem(row: Any, users: int) -> str | None:
    number = int(row["version"][1:])
    if row["marks"] != [float(number)] or row["valid"] != row["found"] or row["found"] != 5:
        return f"marks {row['marks']}, {row['valid']} of {row['found']} neighbours valid"
    mine = vectors(number, users)[:users]
    far = [
        vector for vector in row["embeddings"] if np.abs(mine - np.array(vector, dtype=np.float32)).max(1).min() > 1e-6
    ]
    return f"{len(far)} vectors of another version" if far else None
