"""Events that have waited too long, on a real Neo4j: what is dropped, what stays, and who comes at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from graph import cascades, monitor, pending
from graph.cascade_repair import recompute
from graph.connection import Graph
from graph.events import ingest
from graph.files import import_folder
from graph.settings import Settings
from tests.graph.test_events import NOW_S, event

Cypher = Callable[..., list[dict[str, Any]]]

pytestmark = pytest.mark.usefixtures("empty")

AGE = "MATCH (p:KithPending) SET p.createdAt = datetime.realtime() - duration({days: $days, minutes: 1})"
ORPHANS = [
    event("share", "child", userId="bob", itemId="cup", parentShareId="late"),
    event("share", "below", userId="cem", itemId="cup", parentShareId="child"),
    event("open", "o1", 5, userId="dan", shareId="late"),
    event("purchase", "p1", 6, userId="dan", itemId="cup", valueMinor=500, currency="EUR", shareId="late"),
    event("refund", "r1", 7, purchaseEventId="p9", valueMinor=100),
]
LATE = [
    event("share", "late", userId="ada", itemId="cup"),
    event("purchase", "p9", 2, userId="eve", itemId="cup", valueMinor=900, currency="EUR"),
]


def waiting(cypher: Cypher) -> int:
    return cypher("MATCH (p:KithPending) RETURN count(p) AS n")[0]["n"]


def test_what_has_waited_too_long_is_dropped_and_the_reshare_stays_a_root(
    graph: Graph, settings: Settings, cypher: Cypher
) -> None:
    assert ingest(graph, settings, ORPHANS, now_s=NOW_S).accepted == 5
    cypher(AGE, days=29)
    assert pending.expire(graph, 30) == 0
    assert waiting(cypher) == 4
    cypher(AGE, days=30)
    assert 30 * 86_400 < monitor.state(graph, timeout_s=10)["pendingS"] < 31 * 86_400
    assert pending.expire(graph, 30) == 4
    assert (waiting(cypher), pending.expire(graph, 30)) == (0, 0)
    state = monitor.state(graph, timeout_s=10)
    assert (state["pendingEvents"], state["expiredEvents"], state["pendingS"]) == (0, 4, None)
    assert cypher("MATCH (s:Share) WHERE s.waitsFor IS NOT NULL OR s.placeholder RETURN s") == []
    assert ingest(graph, settings, ORPHANS, now_s=NOW_S).duplicates == 5
    assert waiting(cypher) == 0


def test_what_comes_later_still(graph: Graph, settings: Settings, cypher: Cypher) -> None:
    ingest(graph, settings, ORPHANS, now_s=NOW_S)
    cypher(AGE, days=30)
    pending.expire(graph, 30)
    assert ingest(graph, settings, LATE, now_s=NOW_S).accepted == 2
    while cascades.count(graph, settings):
        pass
    roots = cypher(
        "MATCH (s:Share) WHERE s.cascadeSize IS NOT NULL RETURN s.shareId AS s, s.cascadeSize AS n ORDER BY s"
    )
    assert roots == [{"s": "child", "n": 2}, {"s": "late", "n": 1}]
    assert cypher("MATCH ()-[o:OPENED]->() RETURN o") == []
    assert cypher("MATCH ()-[p:PURCHASED {eventId: 'p9'}]->() RETURN p.refundedMinor AS back") == [{"back": None}]
    credit = cypher("MATCH (s:Share)-[c:CONVERTED]->(u) RETURN s.shareId AS s, c.creditMinor AS n, u.userId AS u")
    assert credit == [{"s": "late", "n": 500, "u": "dan"}]
    assert recompute(graph, settings).differences == 0


def test_one_transaction_drops_so_many_and_the_oldest_first(
    graph: Graph, settings: Settings, cypher: Cypher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "MOST_EXPIRED", 3)
    opens = [event("open", f"o{n}", userId="ada", shareId=f"s{n}") for n in range(5)]
    ingest(graph, settings, opens, now_s=NOW_S)
    older = "duration({days: 40 + toInteger(substring(p.pendingId, 1))})"
    cypher(f"MATCH (p:KithPending) SET p.createdAt = datetime.realtime() - {older}")
    assert pending.expire(graph, 30) == 3
    left = cypher("MATCH (p:KithPending) RETURN p.pendingId AS p ORDER BY p")
    assert left == [{"p": "o0"}, {"p": "o1"}]
    assert (pending.expire(graph, 30), pending.expire(graph, 30)) == (2, 0)


@pytest.mark.parametrize("seed", [0, 3])
def test_parents_that_come_while_their_children_are_dropped(
    graph: Graph, settings: Settings, cypher: Cypher, seed: int
) -> None:
    # Each child is either hung below its parent or free of it, counted as dropped exactly then, and nobody fails.
    children = [event("share", f"c{n:02}", userId=f"u{n}", itemId="cup", parentShareId=f"p{n:02}") for n in range(12)]
    parents = [event("share", f"p{n:02}", userId="ada", itemId="cup") for n in range(12)]
    more = [event("share", f"d{n:02}", userId="bob", itemId="cup", parentShareId=f"c{n:02}") for n in range(12)]
    ingest(graph, settings, children, now_s=NOW_S)
    cypher(AGE, days=30)
    with ThreadPoolExecutor(4) as pool:
        drops = [pool.submit(pending.expire, graph, 30) for _ in range(2)]
        works = [pool.submit(ingest, graph, settings, [parents[n], more[(n + seed) % 12]], NOW_S) for n in range(12)]
        assert [work.result().accepted for work in works] == [2] * 12
        dropped = sum(drop.result() for drop in drops)
    hung = cypher("MATCH (c:Share)-[:RESHARE_OF]->(p) WHERE c.shareId STARTS WITH 'c' RETURN count(c) AS n")[0]["n"]
    assert hung + dropped == 12
    assert waiting(cypher) == 0
    assert monitor.state(graph, timeout_s=10)["expiredEvents"] in (dropped, dropped or None)
    assert cypher("MATCH (s:Share) WHERE s.waitsFor IS NOT NULL RETURN s") == []
    wrong = "MATCH (s:Share)-[:RESHARE_OF]->(p) WHERE s.rootShareId <> p.rootShareId RETURN s.shareId AS s"
    assert cypher(wrong) == []


def test_rows_of_an_import_wait_like_events(graph: Graph, settings: Settings, cypher: Cypher, tmp_path: Path) -> None:
    (tmp_path / "shares.csv").write_text(
        "shareId,userId,itemId,occurredAt,parentShareId\nkid,ada,cup,2020-01-01,gone\n"
    )
    (tmp_path / "opens.csv").write_text("eventId,userId,shareId,occurredAt\no1,bob,gone,2020-01-02\n")
    assert import_folder(graph, settings, tmp_path).accepted == 2
    assert waiting(cypher) == 2
    assert pending.expire(graph, 30) == 0  # since when they wait is when they were imported, not what their rows say
    cypher(AGE, days=30)
    assert pending.expire(graph, 30) == 2
    assert cypher("MATCH (s:Share) RETURN s.rootShareId AS r, s.waitsFor AS w") == [{"r": "kid", "w": None}]
