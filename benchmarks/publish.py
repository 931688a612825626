"""How fast embeddings get into the graph: the product's slot write against lists as parameters.

Both write 64 floats to every user, searchable by an online vector index when the transaction ends. Lists: the usual
way, 5,000 rows per transaction, one property. Product: what `graph.slots` does (500 rows per transaction, Bolt
vectors, the writer's lock and consent checked in each batch, build number and influence score beside the embedding).
Beside one whole publication a process of its own reads recommendations at a steady pace; so does it without one. The
product sees the reader and makes room for it (`graph.pace`), so that publication takes longer than it would alone.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.store import Size, alternate, prepared
from engine.types import Artifact, RankedLists
from graph import publication, queries, slots
from graph.connection import Graph, connect
from graph.settings import Settings

ROUNDS = 3
DIMENSIONS = 64
ALONE_S, PACE_S = 8.0, 0.02
"""How long is read before and again after a publication, and the time from one read to the next."""
WARM_READS = 200
LIST_BATCH_ROWS = 5000
"""The batch size usually advised; `lists_small_per_s` says what the product's 500 would do for lists."""
RECOMMENDED, NEIGHBOURS = 200, 20
READ_USERS, READ_ITEMS = 2_000, 1_000
"""Nodes of the version that is published beside readers."""


def run(settings: Settings, size: str = "small") -> dict[str, Any]:
    """Measure on the benchmarks' own Neo4j and return the figures.

    Args:
        settings: `cache` is where the prepared graph lies.
        size: `small` or `full`.

    Returns:
        `nodes_per_s` (product), `lists_per_s`, `lists_small_per_s` (medians), `ratio` (product to lists), and of one
        whole publication with lists of 200 and 20: `version_nodes_per_s` (until it is live), `canonical_s`, and what
        readers of recommendations wait meanwhile: `read_p99_ms`, `read_p99_publishing_ms`, `read_p99_ratio`.
    """
    generator = np.random.default_rng(0)
    with prepared(settings, size) as (own, own_settings, chosen):
        bare = _artifact(chosen, generator, lists=False)
        seconds = alternate(
            {
                "product": lambda: _product(own, own_settings, bare, generator),
                "lists": lambda: _lists(own, chosen.users, generator, LIST_BATCH_ROWS),
                "lists_small": lambda: _lists(own, chosen.users, generator, slots.BATCH_ROWS),
            },
            ROUNDS,
            warm=2,
        )
        part = replace(chosen, users=READ_USERS, items=READ_ITEMS)
        whole = _artifact(part, generator, lists=True)
        publication.publish(own, own_settings, whole)
        with reading(own_settings, READ_USERS) as before:
            time.sleep(ALONE_S)
        with reading(own_settings, READ_USERS) as beside:
            report = publication.publish(own, own_settings, whole)
        with reading(own_settings, READ_USERS) as after:
            time.sleep(ALONE_S)
    alone = before + after
    return {
        "nodes_per_s": round(chosen.users / seconds["product"]),
        "lists_per_s": round(chosen.users / seconds["lists"]),
        "lists_small_per_s": round(chosen.users / seconds["lists_small"]),
        "ratio": round(seconds["lists"] / seconds["product"], 2),
        "version_nodes_per_s": round((report.users + report.items) / report.write_s),
        "canonical_s": round(report.canonical_s, 1),
        "read_p99_ms": round(_p99_ms(alone), 1),
        "read_p99_publishing_ms": round(_p99_ms(beside), 1),
        "read_p99_ratio": round(_p99_ms(beside) / _p99_ms(alone), 2),
        "reads": len(alone),
        "reads_publishing": len(beside),
    }


@contextlib.contextmanager
def reading(settings: Settings, users: int) -> Iterator[list[float]]:
    """Read recommendations at a steady pace in a process of its own; the list holds every read's seconds at the end."""
    spawn = multiprocessing.get_context("spawn")
    stop, told = spawn.Event(), spawn.Queue()
    reader = spawn.Process(target=_read_on, args=(settings, users, stop, told), daemon=True)
    reader.start()
    seconds: list[float] = []
    told.get(timeout=60)
    try:
        yield seconds
    finally:
        stop.set()
        seconds += told.get(timeout=60)
        reader.join()


def _read_on(settings: Settings, users: int, stop: Any, told: Any) -> None:
    generator, seconds = np.random.default_rng(1), []
    with connect(settings) as graph:
        for warm in range(WARM_READS):
            _read(graph, warm)
        told.put("ready")
        while not stop.is_set():
            began = time.perf_counter()
            _read(graph, int(generator.integers(users)))
            seconds.append(time.perf_counter() - began)
            time.sleep(max(0.0, PACE_S - seconds[-1]))
    told.put(seconds)


def _read(graph: Graph, user: int) -> None:
    queries.recommendation_inputs(graph, f"user{user}", now_s=int(time.time()), timeout_s=30)


def _p99_ms(seconds: list[float]) -> float:
    return 1000 * float(np.percentile(seconds, 99))


def _product(graph: Graph, settings: Settings, artifact: Artifact, generator: np.random.Generator) -> None:
    artifact.user_embedding[:] = _unit(len(artifact.user_ids), generator)
    writer = slots.begin(graph, settings, None, wait_s=0.0)
    with slots.abandoned_on_error(graph, writer):
        slots.write_slot(graph, writer, artifact, lambda fraction, doing: None)
        slots.abandon(graph, writer)


def _lists(graph: Graph, users: int, generator: np.random.Generator, batch_rows: int) -> None:
    vectors = _unit(users, generator)
    for start in range(0, users, batch_rows):
        stop = min(start + batch_rows, users)
        rows = [{"id": f"user{k}", "embedding": vectors[k].tolist()} for k in range(start, stop)]
        graph.write("benchmark.write_lists", rows=rows)


def _unit(count: int, generator: np.random.Generator) -> NDArray[np.float32]:
    vectors = generator.normal(size=(count, DIMENSIONS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _artifact(size: Size, generator: np.random.Generator, *, lists: bool) -> Artifact:
    """Return a model with random content; without lists it has no items either."""
    items = size.items if lists else 0

    def ranked(rows: int, length: int, targets: int, reasons: bool = False) -> RankedLists:
        length = length if lists else 0
        target = generator.integers(0, max(targets, 1), (rows, length)).astype(np.int32)
        score = np.sort(generator.random((rows, length)).astype(np.float32))[:, ::-1].copy()
        codes = generator.integers(0, 5, (rows, length, 2)).astype(np.uint8) if reasons else None
        return RankedLists(target, score, codes)

    return Artifact(
        model_version="bench",
        snapshot_id="bench",
        trained_at_s=0,
        code_version="bench",
        user_ids=np.array([f"user{k}" for k in range(size.users)], dtype=object),
        item_ids=np.array([f"item{k}" for k in range(items)], dtype=object),
        user_embedding=_unit(size.users, generator),
        item_embedding=_unit(items, generator),
        influence_score=1 + generator.random(size.users).astype(np.float32),
        influence_percentile=100 * generator.random(size.users).astype(np.float32),
        influence_error=generator.random(size.users).astype(np.float32),
        recommended=ranked(size.users, RECOMMENDED, size.items, reasons=True),
        similar=ranked(items, NEIGHBOURS, size.items),
        influences=ranked(size.users, NEIGHBOURS, size.users),
        metrics={},
    )


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(run(Settings.load(), *sys.argv[1:2])).decode() + "\n")
