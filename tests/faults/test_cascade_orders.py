"""R5: shares and reshares in any order, with duplicates and parents that come later, end in the same graph."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from graph import cascades
from graph.connection import Graph
from graph.digest import digest
from graph.events import ingest
from graph.settings import Settings
from tests.faults.conftest import FULL, Report
from tests.graph.cascade_model import expected
from tests.graph.test_cascade_numbers import all_counted, near, stored
from tests.graph.test_events import NOW_S, event

pytestmark = [pytest.mark.timeout(3_600 if FULL else 280), pytest.mark.usefixtures("empty")]

Cypher = Callable[..., list[dict[str, Any]]]
Event = dict[str, Any]

SEED = 20_261_124
ORDERS, LEAST_ORDERS = (500, 500) if FULL else (60, 8)
BUDGET_S = 3_000.0 if FULL else 15.0
"""The short form ends after this time, but not before `LEAST_ORDERS`."""
WRITERS = 3
"""Threads that write at once, in every second order; the others are written by one and replay exactly."""
SHAPES: dict[str, tuple[int | None, ...]] = {
    "alone": (None,),
    "star": (None, *[0] * 5),
    "path": (None, *range(5)),
    "binary": (None, 0, 0, 1, 1, 2, 2),
    "broom": (None, 0, 1, 2, 2, 2),
    "comb": (None, 0, 0, 1, 1, 3, 3),
}
"""Trees as the parent of each share, by position."""
BY_HAND = {
    # size, depth, width, structural virality: the sum of distances over ordered pairs, divided by n(n - 1)
    "alone": (1, 0, 1, 0.0),
    "star": (6, 1, 5, 2 - 2 / 6),
    "path": (6, 5, 1, 7 / 3),
    "binary": (7, 2, 4, 96 / 42),
    "broom": (6, 3, 3, 56 / 30),
}
PLACES = """MATCH (s:Share) OPTIONAL MATCH (s)-[:RESHARE_OF]->(p:Share)
RETURN s.shareId AS share, p.shareId AS parent, s.rootShareId AS root, s.depth AS depth"""
LEFT_OVER = """MATCH (n) WHERE n:KithPending OR n:KithTouch OR n.waitsFor IS NOT NULL OR n.placeholder IS NOT NULL
  OR (n:Share AND NOT EXISTS { (:User)-[:SHARED]->(n)-[:OF_ITEM]->(:Item) })
RETURN count(n) AS n"""


def made_up(chance: random.Random) -> list[Event]:
    """Return every event once: the trees of `SHAPES`, recipients told later, opens, purchases, refunds."""
    events: list[Event] = []
    for name, parents in SHAPES.items():
        for at, parent in enumerate(parents):
            share_id, user = f"{name}{at}", f"u{chance.randrange(12)}"
            above = {} if parent is None else {"parentShareId": f"{name}{parent}"}
            share = event("share", share_id, chance.randrange(60), userId=user, itemId=name, **above)
            events.append(share)
            if chance.random() < 0.3:
                sent = {"shareId": share_id, "recipientIds": [f"u{chance.randrange(12)}", "eve"]}
                events.append({**share, "eventId": f"sent:{share_id}", **sent})
            if chance.random() < 0.5:
                events.append(event("open", f"open:{share_id}", chance.randrange(60), userId="eve", shareId=share_id))
            if chance.random() < 0.4:
                paid = {"valueMinor": chance.randrange(1, 1_000), "currency": "EUR", "shareId": share_id}
                bought = f"buy:{share_id}"
                events.append(event("purchase", bought, chance.randrange(60), userId="bob", itemId=name, **paid))
                for number in range(chance.randrange(3)):
                    back = {"purchaseEventId": bought, "valueMinor": chance.randrange(1, paid["valueMinor"] + 1)}
                    events.append(event("refund", f"back{number}:{share_id}", **back))
    return events


def batches(events: list[Event], chance: random.Random) -> Iterator[list[Event]]:
    """Cut a random order of the events, a third of them twice or more, into batches of random sizes."""
    order = events + chance.choices(events, k=len(events) // 3)
    chance.shuffle(order)
    while order:
        size = min(chance.choice((1, 2, 5, 20, 60)), len(order))
        yield order[:size]
        del order[:size]


def deliver(graph: Graph, settings: Settings, events: list[Event], number: int, report: Report) -> None:
    """Write one order of the events; the cascades are counted at random points of it."""
    chance = random.Random(f"{SEED}:{number}")
    cut = list(batches(events, chance))
    points = {chance.randrange(len(cut)) for _ in range(len(cut) // 3)}

    def write(at: int) -> int:
        if at in points:
            cascades.count(graph, settings)
        outcome = ingest(graph, settings, cut[at], now_s=NOW_S)
        assert outcome.rejected == []
        assert outcome.accepted + outcome.duplicates == len(cut[at])
        return outcome.accepted

    with ThreadPoolExecutor(WRITERS if number % 2 else 1) as pool:
        accepted = sum(pool.map(write, range(len(cut))))
    report.attempted += sum(map(len, cut))
    report.acknowledged += accepted
    report.lost += max(len(events) - accepted, 0)
    report.duplicated += max(accepted - len(events), 0)
    all_counted(graph, settings)


def test_the_numbers_known_by_hand_are_those_of_the_model() -> None:
    roots = expected(made_up(random.Random(SEED)))["roots"]
    names = ("cascadeSize", "cascadeDepth", "cascadeWidth", "structuralVirality")
    for name, by_hand in BY_HAND.items():
        assert tuple(roots[f"{name}0"][each] for each in names) == pytest.approx(by_hand), name


def test_any_order_ends_in_the_same_graph(graph: Graph, settings: Settings, cypher: Cypher, report: Report) -> None:
    report.seed = SEED
    events = made_up(random.Random(SEED))
    truth = near(expected(events))
    parents = {f"{name}{at}": above for name, tree in SHAPES.items() for at, above in enumerate(tree)}
    hashes: dict[str, int] = {}
    began = time.monotonic()
    for number in range(ORDERS):
        if number >= LEAST_ORDERS and time.monotonic() - began > BUDGET_S:
            break
        cypher("MATCH (n) WHERE NOT n:KithSchema DETACH DELETE n")
        deliver(graph, settings, events, number, report)
        hashes.setdefault(digest(graph), number)
        assert len(hashes) == 1, f"order {number} ends otherwise than order 0"
        if number % 10 == 0:
            assert near(stored(cypher)) == truth
            assert cypher(LEFT_OVER) == [{"n": 0}]
            check_places(cypher, parents)
        report.recovered += 1
    print(f"orders={report.recovered} events={len(events)} seconds={time.monotonic() - began:.1f}")
    assert (report.lost, report.duplicated) == (0, 0)
    assert report.recovered >= LEAST_ORDERS


def check_places(cypher: Cypher, parents: dict[str, int | None]) -> None:
    """Compare parent, root and depth of each share with the trees that were told."""
    rows = {row["share"]: row for row in cypher(PLACES)}
    assert rows.keys() == parents.keys()
    for share, row in rows.items():
        name = share.rstrip("0123456789")
        above = parents[share]
        assert row["parent"] == (None if above is None else f"{name}{above}")
        assert row["root"] == f"{name}0"
        assert row["depth"] == (0 if above is None else rows[f"{name}{above}"]["depth"] + 1)
