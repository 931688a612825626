"""The excerpt of who sent what to whom around a user and an item, on a graph known by heart."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from graph import entities, events, share_history
from graph.connection import Graph
from graph.errors import NotFoundError
from graph.settings import Settings
from tests.graph import small_shop
from tests.graph.small_shop import event

DAY_S = 86_400
FIRST_S = int(time.time()) - 20 * DAY_S


def day(number: int) -> str:
    """The first day is 1."""
    return datetime.fromtimestamp(FIRST_S + (number - 1) * DAY_S, UTC).isoformat()


@pytest.fixture(autouse=True, scope="module")
def shop(graph: Graph, settings: Settings) -> None:
    """Ann (friends ben, cat, dan) and others send items about, a day apart."""
    small_shop.fill(graph, settings)
    given: list[dict[str, Any]] = [
        event("s1", "share", "ann", day(1), itemId="i01", recipientIds=["ben", "eve"]),
        event("s2", "share", "cat", day(2), itemId="i02", recipientIds=["ann"]),
        event("s3", "share", "eve", day(3), itemId="i03", recipientIds=["fay"]),
        event("s4", "share", "fay", day(4), itemId="i30", recipientIds=["gil"]),
        event("s5", "share", "gil", day(5), itemId="i05", recipientIds=["fay"]),
        event("s6", "share", "dan", day(6), itemId="i06"),
        event("o1", "open", "eve", day(2), shareId="s1"),
    ]
    assert not events.ingest(graph, settings, given).rejected


def rows(history: share_history.ShareHistory) -> list[tuple[str, str, str, float, bool]]:
    columns = (history.sender, history.item, history.recipient, history.at_s.tolist(), history.opened.tolist())
    return list(zip(*columns, strict=True))


def test_it_holds_the_users_the_partners_and_the_items_shares_newest_first(graph: Graph) -> None:
    history = share_history.read(graph, "ann", "i30")
    found = rows(history)
    # s5 is neither ann's, nor a partner's, nor of the item; s6 went to nobody in particular
    assert sorted(found[3:]) == [
        ("ann", "i01", "ben", FIRST_S, False),
        ("ann", "i01", "eve", FIRST_S, True),
    ]
    assert found[:3] == [
        ("fay", "i30", "gil", FIRST_S + 3 * DAY_S, False),
        ("eve", "i03", "fay", FIRST_S + 2 * DAY_S, False),
        ("cat", "i02", "ann", FIRST_S + DAY_S, False),
    ]
    assert history.friends == {"ben": 1.0, "cat": 3.0, "dan": 1.0}
    assert next(iter(history.friends)) == "cat"
    assert len(history) == 5
    # The newest share of either direction comes first: ann's only one and cat's only one, then friends without any.
    assert history.partners == ("ben", "cat", "eve", "dan")


def test_another_item_brings_its_own_shares(graph: Graph) -> None:
    assert ("gil", "i05", "fay") in [row[:3] for row in rows(share_history.read(graph, "ann", "i05"))]


def test_who_is_alone_has_an_empty_history(graph: Graph, settings: Settings) -> None:
    entities.upsert_users(graph, settings, [{"userId": "lone", "consent": small_shop.EVERYTHING}])
    history = share_history.read(graph, "lone", "i20")
    assert (len(history), history.partners, history.friends) == (0, (), {})
    assert history.at_s.dtype == float


def test_unknown_users_and_items_are_not_found(graph: Graph) -> None:
    with pytest.raises(NotFoundError, match="no user nobody"):
        share_history.read(graph, "nobody", "i00")
    with pytest.raises(NotFoundError, match="no item nothing"):
        share_history.read(graph, "ann", "nothing")


def test_a_share_without_a_time_stands_last(graph: Graph, cypher: Any) -> None:
    cypher("MATCH (s:Share {shareId: 's2'}) SET s.occurredAt = null")
    last = rows(share_history.read(graph, "ann", "i30"))[-1]
    cypher("MATCH (s:Share {shareId: 's2'}) SET s.occurredAt = datetime($at)", at=day(2))
    assert last[:3] == ("cat", "i02", "ann")
    assert math.isnan(last[3])


def test_the_newest_are_found_among_more_than_are_looked_at(
    graph: Graph, cypher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neo4j gives the relationships of a node's latest transactions first; the limits rest on that."""
    for first in range(1, 700, 100):
        cypher(
            """MATCH (i:Item {itemId: 'i33'}) MERGE (a:User {userId: 'hub', consent: ['sharing']})
            MERGE (b:User {userId: 'spoke', consent: ['sharing']}) WITH a, b, i
            UNWIND range($first, $first + 99) AS n
            CREATE (a)-[:SHARED]->(s:Share {shareId: 'hub' + n, occurredAt: datetime({epochSeconds: $begin + n})})
            CREATE (s)-[:OF_ITEM]->(i), (s)-[:SENT_TO]->(b)""",
            first=first,
            begin=FIRST_S,
        )
    newest = [FIRST_S + n for n in (700, 699, 698, 697, 696)]
    for name, most in (("most_looked_at", 250), ("most_looked_at_each", 250), ("most_own", 5), ("most_of_partner", 5)):
        monkeypatch.setitem(share_history.LIMITS, name, most)
    for user in ("hub", "spoke"):
        assert share_history.read(graph, user, "i20").at_s.tolist() == newest
    monkeypatch.setitem(share_history.LIMITS, "most_of_item", 3)
    assert share_history.read(graph, "lone", "i33").at_s.tolist() == newest[:3]


def test_every_limit_holds(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(share_history.LIMITS, "most_events", 2)
    assert len(share_history.read(graph, "ann", "i30")) == 2
    monkeypatch.setitem(share_history.LIMITS, "most_partners", 1)
    assert len(share_history.read(graph, "ann", "i30").partners) == 1
    monkeypatch.setitem(share_history.LIMITS, "most_events", 100)
    monkeypatch.setitem(share_history.LIMITS, "most_recipients", 1)
    assert len([row for row in rows(share_history.read(graph, "ann", "i20")) if row[0] == "ann"]) == 1


def test_who_does_not_agree_to_sharing_or_blocked_is_not_in_it(graph: Graph, settings: Settings) -> None:
    events.ingest(graph, settings, [event("b1", "block", "ben", day(7), friendId="ann")])
    entities.set_consent(graph, "eve", ["personalisation"])
    history = share_history.read(graph, "ann", "i30")
    assert history.partners == ("cat", "dan")
    assert set(history.friends) == {"cat", "dan"}
    assert "eve" not in {*history.sender, *history.recipient}
    entities.set_consent(graph, "ann", ["personalisation", "analytics"])
    nothing = share_history.read(graph, "ann", "i30")
    assert (len(nothing), nothing.partners, nothing.friends) == (0, (), {})
