"""A Neo4j of the benchmarks' own, prepared once in the cache: no shop's graph is touched or measured."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from graph import schema
from graph.connection import Graph, connect
from graph.server import neo4j
from graph.settings import CONSENT_PURPOSES, Settings

BATCH_NODES = 5000
BATCH_USERS = 500


@dataclass(frozen=True, slots=True)
class Size:
    """How large a prepared graph is."""

    users: int
    items: int
    purchases_each: int


SIZES = {
    "tiny": Size(5_000, 2_500, 20),
    "small": Size(10_000, 5_000, 20),
    "full": Size(50_000, 20_000, 20),
    "huge": Size(500_000, 200_000, 20),
}


@contextlib.contextmanager
def prepared(settings: Settings, size: str) -> Iterator[tuple[Graph, Settings, Size]]:
    """Start the benchmarks' Neo4j, fill it the first time, and yield connection, settings and size.

    Raises:
        LocalServerError: Neo4j did not start.
        ValueError: there is no such size.
    """
    if size not in SIZES:
        raise ValueError(f"size is {size!r}; choose {', '.join(SIZES)}")
    own = neo4j.on_free_ports(
        replace(
            settings,
            home=settings.cache / f"bench-{size}",
            neo4j_uri="",
            neo4j_password="",
            consent_default=CONSENT_PURPOSES,
        )
    )
    with neo4j.running(own), connect(own) as graph:
        schema.apply(graph)
        _fill(graph, SIZES[size])
        yield graph, own, SIZES[size]


def _fill(graph: Graph, size: Size) -> None:
    found = graph.read("benchmark.purchase_count", timeout_s=600.0)[0]["relationships"]
    if found == size.users * size.purchases_each:
        return
    if found:
        raise ValueError("the prepared graph is incomplete: delete the folder bench-* in KITH_CACHE and run again")
    create_nodes(graph, size.users, size.items)
    for low in range(0, size.users, BATCH_USERS):
        given = {"low": low, "high": low + BATCH_USERS, "each": size.purchases_each, "items": size.items}
        graph.write("benchmark.purchases", **given)


def create_nodes(graph: Graph, users: int, items: int) -> None:
    """Create users and items without relationships."""
    for name, count in (("users", users), ("items", items)):
        for low in range(0, count, BATCH_NODES):
            graph.write(f"benchmark.{name}", low=low, high=min(low + BATCH_NODES, count))


def alternate(ways: dict[str, Callable[[], Any]], rounds: int, warm: int = 1) -> dict[str, float]:
    """Run every way `warm` times unmeasured, then all of them in turn `rounds` times; return each one's median seconds.

    In turn, so that what else the machine does falls on all of them alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(-warm, rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if turn >= 0:
                seconds[name].append(time.perf_counter() - began)
    return {name: median(taken) for name, taken in seconds.items()}
