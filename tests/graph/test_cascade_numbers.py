"""The numbers of cascades on a real Neo4j, against a model that does nothing incrementally."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from graph import cascades, schema
from graph.cascade_repair import recompute
from graph.connection import Graph
from graph.digest import digest
from graph.events import ingest
from graph.settings import Settings
from tests.graph.cascade_model import expected
from tests.graph.test_events import NOW_S, event

Cypher = Callable[..., list[dict[str, Any]]]
Event = dict[str, Any]

pytestmark = pytest.mark.usefixtures("empty")

ROOTS = """MATCH (s:Share) WHERE s.cascadeSize IS NOT NULL
RETURN s {.shareId, .cascadeSize, .cascadeDepth, .cascadeWidth, .levelSizes, .structuralVirality, .uniqueUsers, .opens,
  .conversions, .revenueMinor, lastActivityAt: s.lastActivityAt.epochMillis} AS root"""


def stored(cypher: Cypher) -> dict[str, Any]:
    """Return what the graph says, in the shape of the model."""
    roots = {row["root"].pop("shareId"): row["root"] for row in cypher(ROOTS)}
    rows = cypher("MATCH (s:Share)-[c:CONVERTED]->() RETURN c.eventId AS e, s.shareId AS s, c.creditMinor AS n")
    return {"roots": roots, "credits": {(row["e"], row["s"]): row["n"] for row in rows}}


def all_counted(graph: Graph, settings: Settings) -> None:
    """Count until nothing is left."""
    while cascades.count(graph, settings):
        pass


def near(found: dict[str, Any]) -> dict[str, Any]:
    """Round what is not a whole number."""
    roots = {
        one: {**numbers, "structuralVirality": round(numbers["structuralVirality"], 9)}
        for one, numbers in found["roots"].items()
    }
    return {**found, "roots": roots}


def made_up(seed: int, shares: int = 24) -> list[Event]:
    """Return events of a few cascades: reshares, opens, purchases in chains, refunds."""
    generator = random.Random(seed)
    events: list[Event] = []
    for number in range(shares):
        given = {} if number < 3 else {"parentShareId": f"s{generator.randrange(number)}"}
        user = f"u{generator.randrange(9)}"
        events.append(event("share", f"s{number}", generator.randrange(60), userId=user, itemId="cup", **given))
        if generator.random() < 0.5:
            opened = f"s{generator.randrange(number + 1)}"
            events.append(event("open", f"o{number}", generator.randrange(60), userId=user, shareId=opened))
        if generator.random() < 0.4:
            paid = {"valueMinor": generator.randrange(1000), "currency": "EUR", "shareId": f"s{number}"}
            events.append(event("purchase", f"p{number}", generator.randrange(60), userId="b", itemId="cup", **paid))
            if generator.random() < 0.5:
                back = {"purchaseEventId": f"p{number}", "valueMinor": generator.randrange(1, paid["valueMinor"] + 2)}
                events.append(event("refund", f"r{number}", **back))
    return events


@pytest.mark.parametrize(
    ("shape", "depth", "width", "virality"),
    [
        ("star", 1, 9, 2 - 2 / 10),
        ("path", 9, 1, 11 / 3),
    ],
)
def test_virality_of_a_star_and_a_path_of_ten(
    graph: Graph, settings: Settings, cypher: Cypher, shape: str, depth: int, width: int, virality: float
) -> None:
    events = [event("share", "s0", userId="u0", itemId="cup")]
    events += [
        event("share", f"s{n}", n, userId=f"u{n}", itemId="cup", parentShareId=f"s{0 if shape == 'star' else n - 1}")
        for n in range(1, 10)
    ]
    ingest(graph, settings, events, now_s=NOW_S)
    all_counted(graph, settings)
    ((_, root),) = stored(cypher)["roots"].items()
    assert (root["cascadeSize"], root["cascadeDepth"], root["cascadeWidth"]) == (10, depth, width)
    assert root["structuralVirality"] == pytest.approx(virality)


@pytest.mark.parametrize("model", ["last", "first", "linear"])
@pytest.mark.parametrize("seed", range(4))
def test_numbers_are_those_of_the_model_in_any_order(
    graph: Graph, settings: Settings, cypher: Cypher, seed: int, model: str
) -> None:
    chosen = replace(settings, attribution=model)
    events = made_up(seed)
    truth = near(expected(events, model))
    hashes = set()
    for order in range(3):
        cypher("MATCH (n) WHERE NOT n:KithSchema DETACH DELETE n")
        shuffled = events[:]
        generator = random.Random(order)
        if order:
            generator.shuffle(shuffled)
        while shuffled:
            batch = [shuffled.pop(0) for _ in range(min(len(shuffled), generator.randrange(1, 6)))]
            assert ingest(graph, chosen, batch, now_s=NOW_S).rejected == []
            if generator.random() < 0.4:
                cascades.count(graph, chosen)
        all_counted(graph, chosen)
        assert near(stored(cypher)) == truth
        hashes.add(digest(graph))
    assert len(hashes) == 1


def test_recompute_finds_nothing_where_all_is_counted(graph: Graph, settings: Settings) -> None:
    ingest(graph, settings, made_up(11), now_s=NOW_S)
    found = recompute(graph, settings)
    assert (found.cascades, found.shares, found.differences, found.busy) == (3, 24, 0, 0)


def test_recompute_says_and_repairs_what_is_wrong(graph: Graph, settings: Settings, cypher: Cypher) -> None:
    events = made_up(12)
    ingest(graph, settings, events, now_s=NOW_S)
    all_counted(graph, settings)
    before = digest(graph)
    cypher("MATCH (s:Share {shareId: 's0'}) SET s.cascadeSize = s.cascadeSize + 1, s.opens = 77")
    cypher("MATCH (s:Share {shareId: 's5'}) SET s.subtreeSize = 99, s.rootShareId = 'elsewhere'")
    cypher("MATCH (:Share)-[c:CONVERTED]->() WITH c ORDER BY c.eventId LIMIT 1 SET c.creditMinor = c.creditMinor + 3")
    found = recompute(graph, settings)
    assert {(one["shareId"], one["name"]) for one in found.told} >= {
        ("s0", "cascadeSize"),
        ("s0", "opens"),
        ("s5", "subtreeSize"),
        ("s5", "rootShareId"),
    }
    assert found.differences == 5
    assert digest(graph) == before
    assert near(stored(cypher)) == near(expected(events))
    assert recompute(graph, settings).differences == 0


def test_cascades_that_were_never_counted_are(graph: Graph, settings: Settings, cypher: Cypher) -> None:
    events = made_up(13)
    ingest(graph, settings, events, now_s=NOW_S)
    cypher("MATCH (t:KithTouch) DELETE t")
    assert recompute(graph, settings).differences > 24
    assert near(stored(cypher)) == near(expected(events))


def test_shares_from_before_notes_were_left_are_counted(graph: Graph, settings: Settings, cypher: Cypher) -> None:
    events = made_up(14)
    ingest(graph, settings, events, now_s=NOW_S)
    cypher("MATCH (t:KithTouch) DELETE t")
    cypher("MATCH (s:KithSchema) SET s.version = 1")
    assert schema.apply(graph) == 1
    all_counted(graph, settings)
    assert near(stored(cypher)) == near(expected(events))
    schema.apply(graph)
    assert cypher("MATCH (t:KithTouch) RETURN count(t) AS n") == [{"n": 0}]
