"""Events on a real Neo4j: every type's effect, once each, in any order, with several writers."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from graph import pending
from graph.connection import Graph
from graph.digest import digest
from graph.events import MAX_EVENTS, ingest
from graph.settings import Settings

Cypher = Callable[..., list[dict[str, Any]]]

NOW_S = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()


def at(minute: int) -> str:
    """Return an ISO time of the day before NOW_S."""
    return f"2026-05-31T10:{minute:02d}:00Z"


def event(kind: str, event_id: str, minute: int = 0, **fields: Any) -> dict[str, Any]:
    """Return an event of the contract."""
    return {"eventId": event_id, "type": kind, "occurredAt": at(minute), **fields}


pytestmark = pytest.mark.usefixtures("empty")


@pytest.fixture
def send(graph: Graph, settings: Settings) -> Callable[..., Any]:
    """Ingest events at NOW_S."""

    def run(*events: Any, **options: Any) -> Any:
        return ingest(graph, settings, list(events), now_s=NOW_S, **options)

    return run


@pytest.mark.parametrize(
    ("kind", "relationship", "fields", "properties"),
    [
        ("like", "LIKED", {"channel": "app"}, {"channel": "app"}),
        ("comment", "COMMENTED", {"properties": {"words": 7}}, {"words": 7}),
        ("save", "SAVED", {}, {}),
        ("addToCart", "ADDED_TO_CART", {"campaignId": "c1"}, {"campaignId": "c1"}),
        ("hide", "HIDDEN", {}, {}),
        ("rate", "RATED", {"rating": 4}, {"rating": 4.0}),
        ("click", "CLICKED", {"recommendationId": "r1"}, {"recommendationId": "r1"}),
        (
            "purchase",
            "PURCHASED",
            {"valueMinor": 1999, "currency": "EUR", "shareId": "s1"},
            {"valueMinor": 1999, "currency": "EUR", "shareId": "s1"},
        ),
    ],
)
def test_an_interaction_is_one_relationship(
    send: Callable[..., Any],
    cypher: Cypher,
    kind: str,
    relationship: str,
    fields: dict[str, Any],
    properties: dict[str, Any],
) -> None:
    outcome = send(event(kind, "e1", 5, userId="ada", itemId="cup", **fields))
    assert (outcome.accepted, outcome.duplicates, outcome.rejected) == (1, 0, [])
    rows = cypher(
        "MATCH (u:User)-[r]->(i:Item) RETURN u.userId AS u, i.itemId AS i, type(r) AS t, properties(r) AS p, "
        "r.occurredAt = datetime($at) AS timed, r.ingestedAt IS NOT NULL AS stamped",
        at=at(5),
    )
    assert len(rows) == 1
    found = rows[0]
    assert (found["u"], found["i"], found["t"]) == ("ada", "cup", relationship)
    assert found["timed"] and found["stamped"]
    rest = {name: value for name, value in found["p"].items() if name not in ("occurredAt", "ingestedAt")}
    assert rest == {"eventId": "e1", **properties}
    ledger = cypher("MATCH (e:Event) RETURN e.eventId AS id, size(e.bodyHash) AS hash, e.imported AS imported")
    assert ledger == [{"id": "e1", "hash": 32, "imported": None}]


def test_views_are_folded(send: Callable[..., Any], cypher: Cypher) -> None:
    send(event("view", "v1", 20, userId="ada", itemId="cup"), event("view", "v2", 10, userId="ada", itemId="cup"))
    send(event("view", "v3", 30, userId="ada", itemId="cup"), event("view", "v1", 20, userId="ada", itemId="cup"))
    assert cypher(
        "MATCH (:User {userId: 'ada'})-[v:VIEWED]->(:Item {itemId: 'cup'}) "
        "RETURN v.count AS n, toString(v.firstAt) AS first, toString(v.lastAt) AS last"
    ) == [{"n": 3, "first": "2026-05-31T10:10:00Z", "last": "2026-05-31T10:30:00Z"}]


def test_unknown_users_and_items_become_stubs_with_the_default_consent(
    graph: Graph, settings: Settings, cypher: Cypher
) -> None:
    ingest(
        graph,
        replace(settings, consent_default=("sharing",)),
        [event("like", "e1", userId="ada", itemId="cup")],
        now_s=NOW_S,
    )
    assert cypher("MATCH (u:User) RETURN u.stub AS stub, u.consent AS consent") == [
        {"stub": True, "consent": ["sharing"]}
    ]
    assert cypher("MATCH (i:Item) RETURN i.stub AS stub") == [{"stub": True}]


def test_unknown_ids_are_refused_where_the_setting_says_so(
    graph: Graph, settings: Settings, send: Callable[..., Any], cypher: Cypher
) -> None:
    send(event("like", "e0", userId="ada", itemId="cup"))
    strict = replace(settings, unknown_ids="refuse")
    events = [
        event("like", "e1", userId="ada", itemId="cup"),
        event("like", "e2", userId="bob", itemId="cup"),
        event("like", "e3", userId="ada", itemId="mug"),
        event("friend", "e4", userId="ada", friendId="bob"),
        event("share", "e5", userId="ada", itemId="cup", recipientIds=["bob"]),
    ]
    outcome = ingest(graph, strict, events, now_s=NOW_S)
    assert outcome.accepted == 1
    assert [(one.index, one.status, one.problem["errors"][0]["pointer"]) for one in outcome.rejected] == [
        (1, 422, "/userId"),
        (2, 422, "/itemId"),
        (3, 422, "/friendId"),
        (4, 422, "/recipientIds"),
    ]
    assert cypher("MATCH (e:Event) RETURN count(*) AS n") == [{"n": 2}]


def test_the_same_event_again_is_a_duplicate_and_another_body_a_conflict(
    send: Callable[..., Any], cypher: Cypher
) -> None:
    first = event("rate", "e1", userId="ada", itemId="cup", rating=4)
    same = {**first, "rating": 4.0, "occurredAt": "2026-05-31T12:00:00+02:00", "channel": None}
    other = {**first, "rating": 5}
    outcome = send(first, same, other)
    assert (outcome.accepted, outcome.duplicates) == (1, 1)
    assert [(one.index, one.status) for one in outcome.rejected] == [(2, 409)]
    outcome = send(other, same)
    assert (outcome.accepted, outcome.duplicates) == (0, 1)
    assert [(one.index, one.status) for one in outcome.rejected] == [(0, 409)]
    assert outcome.rejected[0].problem["errors"] == [
        {"pointer": "/eventId", "detail": "is already there with another body"}
    ]
    assert cypher("MATCH ()-[r:RATED]->() RETURN r.rating AS rating") == [{"rating": 4.0}]


def test_it_stays_a_duplicate_after_its_effect_was_deleted(send: Callable[..., Any], cypher: Cypher) -> None:
    like = event("like", "e1", userId="ada", itemId="cup")
    send(like)
    cypher("MATCH ()-[r:LIKED]->() DELETE r")
    assert send(like).duplicates == 1
    assert cypher("MATCH ()-[r:LIKED]->() RETURN r") == []


def test_a_share_with_recipients_and_a_reshare(send: Callable[..., Any], cypher: Cypher) -> None:
    send(
        event("share", "s1", userId="ada", itemId="cup", recipientIds=["bob", "cem", "bob", "ada"], channel="app"),
        event("share", "e2", 1, userId="bob", itemId="cup", shareId="s2", parentShareId="s1"),
    )
    send(event("share", "s3", 2, userId="cem", itemId="cup", parentShareId="s2"))
    assert cypher(
        "MATCH (u:User)-[:SHARED]->(s:Share)-[:OF_ITEM]->(i:Item) OPTIONAL MATCH (s)-[:RESHARE_OF]->(p) "
        "RETURN u.userId AS u, s.shareId AS s, i.itemId AS i, s.rootShareId AS root, s.depth AS depth, "
        "p.shareId AS parent, s.channel AS channel ORDER BY s"
    ) == [
        {"u": "ada", "s": "s1", "i": "cup", "root": "s1", "depth": 0, "parent": None, "channel": "app"},
        {"u": "bob", "s": "s2", "i": "cup", "root": "s1", "depth": 1, "parent": "s1", "channel": None},
        {"u": "cem", "s": "s3", "i": "cup", "root": "s1", "depth": 2, "parent": "s2", "channel": None},
    ]
    sent = cypher("MATCH (s:Share)-[:SENT_TO]->(u) RETURN s.shareId AS s, u.userId AS u ORDER BY u")
    assert sent == [{"s": "s1", "u": "bob"}, {"s": "s1", "u": "cem"}]


def test_a_share_id_belongs_to_one_user_and_item(send: Callable[..., Any], cypher: Cypher) -> None:
    send(event("share", "e1", userId="ada", itemId="cup", shareId="s1"))
    outcome = send(
        event("share", "e2", userId="bob", itemId="cup", shareId="s1"),
        event("share", "e3", userId="ada", itemId="cup", shareId="s1", recipientIds=["cem"]),
    )
    assert outcome.accepted == 1
    assert [(one.index, one.status) for one in outcome.rejected] == [(0, 409)]
    assert cypher("MATCH (s:Share)-[:SENT_TO]->(u) RETURN u.userId AS u") == [{"u": "cem"}]
    assert cypher("MATCH ()-[:SHARED]->(s) RETURN count(s) AS n") == [{"n": 1}]


def test_a_cascade_in_every_order_is_the_same(send: Callable[..., Any], graph: Graph, cypher: Cypher) -> None:
    events = [
        event("share", "s1", userId="ada", itemId="cup", recipientIds=["bob"]),
        event("share", "s2", 1, userId="bob", itemId="cup", parentShareId="s1"),
        event("share", "s3", 2, userId="cem", itemId="cup", parentShareId="s2"),
        event("share", "s4", 3, userId="dee", itemId="cup", parentShareId="s2"),
        event("open", "o1", 4, userId="eve", shareId="s3", channel="mail"),
    ]
    hashes = set()
    for number, order in enumerate(itertools.permutations(events)):
        if number % 6:
            continue
        cypher("MATCH (n) WHERE NOT n:KithSchema DETACH DELETE n")
        for one in order:
            assert send(one).accepted == 1
        hashes.add(digest(graph))
    assert len(hashes) == 1
    assert cypher("MATCH (p:KithPending) RETURN p") == []
    assert cypher("MATCH (s:Share) RETURN s.shareId AS s, s.depth AS d, s.rootShareId AS r ORDER BY s") == [
        {"s": "s1", "d": 0, "r": "s1"},
        {"s": "s2", "d": 1, "r": "s1"},
        {"s": "s3", "d": 2, "r": "s1"},
        {"s": "s4", "d": 2, "r": "s1"},
    ]
    assert cypher("MATCH (u)-[o:OPENED]->(s) RETURN u.userId AS u, s.shareId AS s, o.channel AS c") == [
        {"u": "eve", "s": "s3", "c": "mail"}
    ]


def test_a_share_whose_parent_is_missing_is_a_root_until_it_comes(send: Callable[..., Any], cypher: Cypher) -> None:
    send(event("share", "s2", userId="bob", itemId="cup", parentShareId="s1"))
    assert cypher("MATCH (s:Share) RETURN s.rootShareId AS r, s.depth AS d") == [{"r": "s2", "d": 0}]
    assert cypher("MATCH (p:KithPending) RETURN p.waitsFor AS w") == [{"w": "share:s1"}]


def test_shares_in_a_circle_stay_finite(send: Callable[..., Any], cypher: Cypher) -> None:
    circle = [
        event("share", "s1", userId="ada", itemId="cup", parentShareId="s2"),
        event("share", "s2", userId="bob", itemId="cup", parentShareId="s1"),
    ]
    send(circle[0])
    send(circle[1])
    assert cypher("MATCH (a)-[:RESHARE_OF]->(b) RETURN a.shareId AS a, b.shareId AS b") == [{"a": "s2", "b": "s1"}]
    cypher("MATCH (n) WHERE NOT n:KithSchema DETACH DELETE n")
    assert send(*circle).accepted == 2
    assert cypher("MATCH (:Share)-[r:RESHARE_OF]->() RETURN count(r) AS n") == [{"n": 1}]
    assert cypher("MATCH (p:KithPending) RETURN count(p) AS n") == [{"n": 0}]


def test_refunds_sum_up_in_any_order(send: Callable[..., Any], cypher: Cypher) -> None:
    send(event("refund", "r1", purchaseEventId="p1", valueMinor=30))
    send(event("purchase", "p1", userId="ada", itemId="cup", valueMinor=100, currency="EUR"))
    send(
        event("refund", "r2", purchaseEventId="p1", valueMinor=20),
        event("refund", "r2", purchaseEventId="p1", valueMinor=20),
    )
    assert cypher("MATCH ()-[p:PURCHASED]->() RETURN p.refundedMinor AS back") == [{"back": 50}]
    assert cypher("MATCH (p:KithPending) RETURN p") == []


TIES = [
    event("friend", "f1", 10, userId="bob", friendId="ada", strength=2),
    event("unfriend", "f2", 20, userId="ada", friendId="bob"),
    event("follow", "w1", 10, userId="bob", friendId="ada"),
    event("unfollow", "w2", 20, userId="bob", friendId="ada"),
    event("follow", "w3", 30, userId="bob", friendId="ada"),
]


def test_friendship_is_stored_once_smaller_id_first(send: Callable[..., Any], cypher: Cypher) -> None:
    send(TIES[0], event("friend", "f3", 5, userId="ada", friendId="bob", strength=9))
    assert cypher(
        "MATCH (a)-[f:FRIEND]->(b) RETURN a.userId AS a, b.userId AS b, f.strength AS s, toString(f.since) AS since"
    ) == [{"a": "ada", "b": "bob", "s": 2.0, "since": "2026-05-31T10:10:00Z"}]
    send(event("friend", "f4", userId="cem", friendId="ada"))
    assert cypher("MATCH (:User)-[f:FRIEND]->(:User {userId: 'cem'}) RETURN f.strength AS s") == [{"s": 1.0}]


@pytest.mark.parametrize("seed", range(6))
def test_of_start_and_end_of_a_tie_the_later_wins(send: Callable[..., Any], cypher: Cypher, seed: int) -> None:
    order = TIES[:]
    random.Random(seed).shuffle(order)
    for one in order:
        send(one)
    assert cypher("MATCH (a)-[r]->(b) RETURN a.userId AS a, type(r) AS t, b.userId AS b, toString(r.since) AS s") == [
        {"a": "bob", "t": "FOLLOWS", "b": "ada", "s": "2026-05-31T10:30:00Z"}
    ]


def test_ties_of_one_batch(send: Callable[..., Any], cypher: Cypher) -> None:
    assert send(*TIES).accepted == 5
    assert cypher("MATCH ()-[r]->() RETURN type(r) AS t") == [{"t": "FOLLOWS"}]


def test_a_block_is_one_way_and_kept_once(send: Callable[..., Any], cypher: Cypher) -> None:
    send(event("block", "b1", 9, userId="bob", friendId="ada"))
    send(event("block", "b2", 3, userId="bob", friendId="ada"))
    assert cypher("MATCH (a)-[r:BLOCKED]->(b) RETURN a.userId AS a, b.userId AS b, toString(r.occurredAt) AS t") == [
        {"a": "bob", "b": "ada", "t": "2026-05-31T10:03:00Z"}
    ]


def test_each_event_is_judged_alone(send: Callable[..., Any], cypher: Cypher) -> None:
    outcome = send(
        event("like", "e1", userId="ada", itemId="cup"),
        "no object",
        event("like", "e2", userId="", itemId="cup"),
        event("dance", "e3", userId="ada"),
        {"eventId": "e4", "type": "like", "userId": "ada", "itemId": "cup", "occurredAt": "2026-06-01T12:06:00Z"},
        {"eventId": "e5", "type": "like", "userId": "ada", "itemId": "cup", "occurredAt": "2026-01-01T00:00:00Z"},
    )
    assert outcome.accepted == 1
    assert [(one.index, one.problem["errors"][0]["pointer"]) for one in outcome.rejected] == [
        (1, ""),
        (2, "/userId"),
        (3, "/type"),
        (4, "/occurredAt"),
        (5, "/occurredAt"),
    ]
    assert all(one.status == 422 for one in outcome.rejected)
    assert cypher("MATCH ()-[r]->() RETURN count(r) AS n") == [{"n": 1}]


def test_imported_events_may_be_old_and_without_time_and_are_marked(send: Callable[..., Any], cypher: Cypher) -> None:
    old = {"eventId": "e1", "type": "like", "userId": "ada", "itemId": "cup", "occurredAt": "1999-01-01T00:00:00Z"}
    timeless = {"eventId": "e2", "type": "view", "userId": "ada", "itemId": "cup"}
    assert send(old, timeless, imported=True).accepted == 2
    assert cypher("MATCH (e:Event) RETURN DISTINCT e.imported AS i") == [{"i": True}]
    assert cypher("MATCH ()-[v:VIEWED]->() RETURN v.count AS n, v.lastAt AS at") == [{"n": 1, "at": None}]
    assert send({**timeless, "type": "unfriend", "friendId": "bob"}, imported=True).accepted == 0


def test_the_same_events_from_eight_writers_take_effect_once(graph: Graph, settings: Settings, cypher: Cypher) -> None:
    batch = [
        event("view", "v1", userId="ada", itemId="cup"),
        event("like", "l1", userId="ada", itemId="cup"),
        event("purchase", "p1", userId="ada", itemId="cup", valueMinor=5, currency="EUR"),
        event("refund", "r1", purchaseEventId="p1", valueMinor=2),
        event("share", "s1", userId="ada", itemId="cup", recipientIds=["bob"]),
        event("share", "s2", userId="bob", itemId="cup", parentShareId="s1"),
        event("open", "o1", userId="bob", shareId="s1"),
        event("friend", "f1", userId="bob", friendId="ada"),
    ]

    def write(seed: int) -> tuple[int, int]:
        shuffled = batch[:]
        random.Random(seed).shuffle(shuffled)
        outcome = ingest(graph, settings, shuffled, now_s=NOW_S)
        assert outcome.rejected == []
        return outcome.accepted, outcome.duplicates

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(write, range(16)))
    assert sum(accepted for accepted, _ in results) == len(batch)
    assert sum(duplicates for _, duplicates in results) == 15 * len(batch)
    assert cypher("MATCH ()-[r]->() RETURN type(r) AS t, count(*) AS n ORDER BY t") == [
        {"t": t, "n": 1} for t in ("FRIEND", "LIKED")
    ] + [{"t": "OF_ITEM", "n": 2}] + [{"t": t, "n": 1} for t in ("OPENED", "PURCHASED", "RESHARE_OF", "SENT_TO")] + [
        {"t": "SHARED", "n": 2},
        {"t": "VIEWED", "n": 1},
    ]
    assert cypher("MATCH ()-[p:PURCHASED]->() RETURN p.refundedMinor AS b") == [{"b": 2}]


def test_views_of_one_pair_from_eight_writers_are_all_counted(graph: Graph, settings: Settings, cypher: Cypher) -> None:
    def write(writer: int) -> int:
        views = [event("view", f"w{writer}-{n}", n, userId="ada", itemId="cup") for n in range(10)]
        return sum(ingest(graph, settings, [view], now_s=NOW_S).accepted for view in views)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(8))) == 80
    assert cypher("MATCH ()-[v:VIEWED]->() RETURN v.count AS n") == [{"n": 80}]


def test_a_parent_and_its_reshares_at_the_same_time(graph: Graph, settings: Settings, cypher: Cypher) -> None:
    for round_ in range(10):
        parent = event("share", f"p{round_}", userId="ada", itemId="cup")
        children = [
            event("share", f"c{round_}-{n}", userId=f"u{n}", itemId="cup", parentShareId=f"p{round_}") for n in range(3)
        ]
        opened = event("open", f"o{round_}", userId="bob", shareId=f"p{round_}")
        with ThreadPoolExecutor(5) as pool:
            list(pool.map(lambda one: ingest(graph, settings, [one], now_s=NOW_S), [*children, parent, opened]))
    assert cypher("MATCH (p:KithPending) RETURN count(p) AS n") == [{"n": 0}]
    assert cypher("MATCH (c:Share)-[:RESHARE_OF]->(p) WHERE c.rootShareId = p.shareId RETURN count(c) AS n") == [
        {"n": 30}
    ]
    assert cypher("MATCH ()-[o:OPENED]->() RETURN count(o) AS n") == [{"n": 10}]


@pytest.mark.parametrize("seed", range(3))
def test_a_chain_from_eight_writers_in_any_order_hangs_together(
    graph: Graph, settings: Settings, cypher: Cypher, seed: int
) -> None:
    chain = [event("share", "s0", userId="u0", itemId="cup")]
    chain += [event("share", f"s{n}", userId=f"u{n}", itemId="cup", parentShareId=f"s{n - 1}") for n in range(1, 40)]
    random.Random(seed).shuffle(chain)
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda one: ingest(graph, settings, [one], now_s=NOW_S), chain))
    assert [outcome.accepted for outcome in outcomes] == [1] * 40
    assert cypher("MATCH (s:Share) WHERE s.waitsFor IS NOT NULL RETURN count(s) AS n") == [{"n": 0}]
    found = cypher("MATCH (s:Share) RETURN s.shareId AS s, s.rootShareId AS r, s.depth AS d ORDER BY d")
    assert found == [{"s": f"s{n}", "r": "s0", "d": n} for n in range(40)]


def test_a_reshare_of_the_thousandth_reshare_is_refused(send: Callable[..., Any], cypher: Cypher) -> None:
    chain = [event("share", "s0", userId="ada", itemId="cup")]
    chain += [event("share", f"s{n}", userId="ada", itemId="cup", parentShareId=f"s{n - 1}") for n in range(1, 1_003)]
    outcome = send(*chain)
    assert outcome.accepted == 1_001
    assert [(one.index, one.status, one.problem["errors"][0]["pointer"]) for one in outcome.rejected] == [
        (1_001, 422, "/parentShareId"),
        (1_002, 422, "/parentShareId"),
    ]
    assert cypher("MATCH (s:Share) RETURN max(s.depth) AS d, count(s) AS n") == [{"d": 1_000, "n": 1_001}]


def test_a_tree_that_comes_to_hang_too_deep_stays_a_cascade_of_its_own(
    send: Callable[..., Any], cypher: Cypher
) -> None:
    send(event("share", "b0", userId="ada", itemId="cup", parentShareId="a1000"))
    send(event("share", "b1", userId="ada", itemId="cup", parentShareId="b0"))
    chain = [event("share", "a0", userId="ada", itemId="cup")]
    chain += [event("share", f"a{n}", userId="ada", itemId="cup", parentShareId=f"a{n - 1}") for n in range(1, 1_001)]
    assert send(*chain).accepted == 1_001
    assert cypher("MATCH (s:Share) WHERE s.shareId STARTS WITH 'b' RETURN DISTINCT s.rootShareId AS r") == [{"r": "b0"}]
    assert cypher("MATCH (p:KithPending) RETURN count(p) AS n") == [{"n": 0}]


def test_no_more_events_wait_than_the_limit(
    send: Callable[..., Any], cypher: Cypher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "MOST_WAITING", 2)
    orphans = [event("share", f"s{n}", userId="ada", itemId="cup", parentShareId=f"p{n}") for n in range(3)]
    assert send(*orphans[:2]).accepted == 2
    outcome = send(orphans[2], event("like", "l1", userId="ada", itemId="cup"))
    assert outcome.accepted == 1
    assert [(one.index, one.status) for one in outcome.rejected] == [(0, 422)]
    assert "too many events wait" in outcome.rejected[0].problem["detail"]
    assert cypher("MATCH (s:Share {shareId: 's2'}) RETURN s") == []
    assert send(event("share", "p0", userId="bob", itemId="cup")).accepted == 1
    assert send(orphans[2]).accepted == 1


def test_too_many_events_are_refused_whole(graph: Graph, settings: Settings) -> None:
    with pytest.raises(ValueError, match=str(MAX_EVENTS)):
        ingest(graph, settings, [{}] * (MAX_EVENTS + 1))


def test_without_a_clock_given_the_servers_counts(graph: Graph, settings: Settings) -> None:
    now = datetime.fromtimestamp(time.time(), UTC).isoformat()
    like = {"eventId": "e1", "type": "like", "userId": "ada", "itemId": "cup", "occurredAt": now}
    assert ingest(graph, settings, [like]).accepted == 1
