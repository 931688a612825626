"""How fast a folder gets into an empty graph: the bulk load against batched Cypher with several writers.

Both read the same Parquet folder (users, items, friends, follows, interactions with their ledger), from its first byte
to all indexes online. Cypher: the ordinary import into a running, empty Neo4j, with 2 or 4 writers, whichever is
faster. Bulk: everything that `kith import --bulk` does, the server's start for the indexes and its stop included.
Plain: `UNWIND`, two `MATCH`, one `CREATE` from rows in memory, without reading, judging or a ledger: less than is asked
for, but the fastest that Cypher does.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from graph import bulk, files, schema
from graph.connection import Graph, connect
from graph.digest import digest
from graph.server import neo4j
from graph.settings import CONSENT_PURPOSES, Settings

SIZES = {"small": 20_000, "full": 1_000_000, "huge": 10_000_000}
"""Relationships, about: a friendship that is drawn twice is one."""
MEASURED_AT_MOST = 1_000_000
"""Cypher is measured on a folder of so many and its rate taken for the larger one."""
WRITERS = (2, 4)
TRIED_ON = 20_000
"""The number of writers that is faster on so many relationships is the one that Cypher is measured with."""
PLAIN_ROWS, PLAIN_BATCH = 200_000, 2_000
TIMEOUT_S = 3_600.0
START_MS = 1_700_000_000_000


def run(settings: Settings, size: str = "small") -> dict[str, Any]:
    """Load a generated folder both ways, each into a Neo4j of its own, and return the figures.

    Args:
        settings: `cache` is where the stores lie meanwhile.
        size: `small` (2x10^4 relationships), `full` (10^6) or `huge` (10^7).

    Returns:
        `bulk_per_s cypher_per_s` (relationships per second), `ratio`, `writers` (of the faster import), `plain_per_s`
        and `ratio_to_plain`, `relationships`, `cypher_relationships` (what Cypher was measured on: its rate is carried
        over where that is less), `same_hash` (null where they loaded different folders), `bulk_s`.

    Raises:
        ValueError: there is no such size.
    """
    if size not in SIZES:
        raise ValueError(f"size is {size!r}; choose {', '.join(SIZES)}")
    count, measured = SIZES[size], min(SIZES[size], MEASURED_AT_MOST)
    settings.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-load-", dir=settings.cache) as place:
        own = replace(settings, neo4j_uri="", neo4j_password="", consent_default=CONSENT_PURPOSES)
        folder = write_folder(Path(place) / "folder", count)
        part = folder if measured == count else write_folder(Path(place) / "part", measured)
        trial = part if measured == TRIED_ON else write_folder(Path(place) / "trial", TRIED_ON)
        cypher = [_cypher(replace(own, home=Path(place) / f"cypher-{n}"), trial, n) for n in WRITERS]
        best = max(cypher, key=lambda one: one["per_s"])
        if trial is not part:
            best = _cypher(replace(own, home=Path(place) / "cypher"), part, best["writers"])
        quick = _bulk(replace(own, home=Path(place) / "bulk"), folder, with_hash=part is folder)
    plain = max(one["plain_per_s"] for one in (*cypher, best))
    return {
        "bulk_per_s": round(quick["per_s"]),
        "cypher_per_s": round(best["per_s"]),
        "ratio": round(quick["per_s"] / best["per_s"], 2),
        "writers": best["writers"],
        "plain_per_s": round(plain),
        "ratio_to_plain": round(quick["per_s"] / plain, 2),
        "relationships": quick["relationships"],
        "cypher_relationships": best["relationships"],
        "same_hash": quick["hash"] == best["hash"] if part is folder else None,
        "bulk_s": round(quick["seconds"], 1),
    }


def write_folder(folder: Path, relationships: int) -> Path:
    """Write a folder of about so many relationships as Parquet: 75 % interactions, 15 % friends, 10 % follows."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    users, items = max(relationships // 20, 50), max(relationships // 50, 20)

    def ids(prefix: str, numbers: np.ndarray) -> pa.Array:
        return pa.array(np.char.add(prefix, numbers.astype(str)))

    def at(rows: int) -> pa.Array:
        return pa.array(START_MS + generator.integers(0, 10**10, rows), pa.timestamp("ms", "UTC"))

    def pairs(rows: int) -> dict[str, Any]:
        first = generator.integers(0, users, rows)
        second = (first + generator.integers(1, users, rows)) % users
        low, high = np.minimum(first, second), np.maximum(first, second)
        low, high = np.divmod(np.unique(low * users + high), users)
        return {"userId": ids("user", low), "friendId": ids("user", high), "since": at(len(low))}

    acts = relationships * 3 // 4
    kinds = np.array(["like", "comment", "save", "addToCart", "purchase"])
    drawn = generator.choice(5, acts, p=[0.6, 0.1, 0.1, 0.1, 0.1])
    tables = {
        "users": {"userId": ids("user", np.arange(users)), "age": generator.integers(18, 90, users)},
        "items": {"itemId": ids("item", np.arange(items)), "category": ids("category", np.arange(items) % 20)},
        "friends": pairs(relationships * 15 // 100),
        "follows": pairs(relationships // 10),
        "interactions": {
            "eventId": ids("event", np.arange(acts)),
            "userId": ids("user", generator.integers(0, users, acts)),
            "itemId": ids("item", (generator.random(acts) ** 2 * items).astype(np.int64)),
            "type": kinds[drawn],
            "occurredAt": at(acts),
            "valueMinor": pa.array(np.full(acts, 1999), mask=drawn != 4),
            "currency": pa.array(np.full(acts, "EUR"), mask=drawn != 4),
        },
    }
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return folder


@contextmanager
def _started(settings: Settings) -> Iterator[tuple[Settings, Graph]]:
    with neo4j.running(neo4j.on_free_ports(settings)) as own, connect(own) as graph:
        yield own, graph


def _cypher(settings: Settings, folder: Path, writers: int) -> dict[str, Any]:
    with _started(settings) as (own, graph):
        schema.apply(graph)
        began = time.perf_counter()
        files.import_folder(graph, own, folder, writers=writers)
        graph.auto("schema.await_indexes", timeout_s=TIMEOUT_S, seconds=int(TIMEOUT_S))
        seconds = time.perf_counter() - began
        count = graph.read("bulk.counts", timeout_s=TIMEOUT_S)[0]["relationships"]
        found = digest(graph)
        plain = _plain(graph, folder, writers)
    return {
        "per_s": count / seconds, "relationships": count, "hash": found, "writers": writers, "plain_per_s": plain,
    }  # fmt: skip


def _plain(graph: Graph, folder: Path, writers: int) -> float:
    """Return how many relationships a second plain Cypher adds between users and items that are there."""
    table = pq.read_table(folder / "interactions.parquet", columns=["userId", "itemId"]).slice(0, PLAIN_ROWS)
    rows = [[user, item, n, START_MS] for n, (user, item) in enumerate(zip(*table.to_pydict().values(), strict=True))]
    batches = [rows[start : start + PLAIN_BATCH] for start in range(0, len(rows), PLAIN_BATCH)]
    began = time.perf_counter()
    with ThreadPoolExecutor(writers) as pool:
        for _ in pool.map(lambda batch: graph.write("benchmark.write_plainly", rows=batch), batches):
            pass
    return len(rows) / (time.perf_counter() - began)


def _bulk(settings: Settings, folder: Path, *, with_hash: bool) -> dict[str, Any]:
    settings.home.mkdir()
    began = time.perf_counter()
    bulk.load_folder(settings, folder)
    seconds = time.perf_counter() - began
    with _started(settings) as (_, graph):
        schema.check(graph)
        count = graph.read("bulk.counts", timeout_s=TIMEOUT_S)[0]["relationships"]
        if states := {row["state"] for row in graph.read("schema.list_indexes")} - {"ONLINE"}:
            raise ValueError(f"an index is {states}")
        found = digest(graph) if with_hash else None
    return {"per_s": count / seconds, "seconds": seconds, "relationships": count, "hash": found}


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(run(Settings.load(), *sys.argv[1:2])).decode() + "\n")
