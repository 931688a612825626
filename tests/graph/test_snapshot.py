"""The export against a small graph known by hand, an independent reading row by row, and writers at work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.artifact import read_snapshot, write_snapshot
from engine.types import INTERACTION_TYPES, NO_TIME, GraphSnapshot
from graph import entities, events, snapshot
from graph.connection import Graph
from graph.settings import Settings
from graph.snapshot import SubgraphOptions

Cypher = Callable[..., list[dict[str, Any]]]

SMALL = """
CREATE (a:User {userId: 'a', consent: $all, age: 30, city: 'Rome', createdAt: datetime('2024-01-01T00:00:00Z')})
CREATE (b:User {userId: 'b', consent: $all, age: 41, embedding: [0.1], influenceScore_a: 2.0, build_a: 1})
CREATE (c:User {userId: 'c', consent: ['personalisation'], city: 'Oslo', active: true})
CREATE (d:User {userId: 'd', consent: ['sharing']})
CREATE (x:Item {itemId: 'x', category: 'books', priceMinor: 100, rating: 4.5, tags: ['t'], available: true})
CREATE (y:Item {itemId: 'y', category: 'toys', available: false})
CREATE (a)-[:LIKED {occurredAt: datetime('2024-02-01T00:00:00Z')}]->(x), (a)-[:PURCHASED {valueMinor: 5}]->(y)
CREATE (a)-[:VIEWED {count: 7, firstAt: datetime('2024-01-05'), lastAt: datetime('2024-01-06')}]->(x)
CREATE (b)-[:RATED {rating: 3.5, occurredAt: datetime('2024-03-01T00:00:00Z')}]->(x), (b)-[:RATED]->(y)
CREATE (c)-[:LIKED]->(y), (d)-[:LIKED]->(x)
CREATE (b)-[:FRIEND {since: datetime('2023-01-01'), strength: 0.5}]->(a), (a)-[:FRIEND]->(c), (a)-[:FRIEND]->(d)
CREATE (b)-[:FOLLOWS]->(a), (c)-[:FOLLOWS]->(a)
CREATE (a)-[:SHARED]->(s:Share {shareId: 's1', depth: 0, channel: 'mail',
  occurredAt: datetime('2024-02-02T00:00:00Z')})-[:OF_ITEM]->(x)
CREATE (b)-[:SHARED]->(t:Share {shareId: 's0', depth: 1, occurredAt: datetime('2024-02-03T00:00:00Z')})-[:OF_ITEM]->(x)
CREATE (c)-[:SHARED]->(v:Share {shareId: 's2', depth: 1})-[:OF_ITEM]->(x)
CREATE (t)-[:RESHARE_OF]->(s), (v)-[:RESHARE_OF]->(s)
CREATE (s)-[:SENT_TO]->(b), (s)-[:SENT_TO]->(c), (b)-[:OPENED {occurredAt: datetime('2024-02-02T01:00:00Z')}]->(s)
"""
ALL = ["personalisation", "sharing", "analytics"]
JAN_5, FEB_1 = 1704412800, 1706745600


@pytest.fixture
def small(empty: None, cypher: Cypher, graph: Graph, settings: Settings) -> GraphSnapshot:
    cypher(SMALL, all=ALL)
    cypher("MATCH (n) SET n.ingestedAt = datetime() - duration({minutes: 1})")
    cypher("MATCH ()-[r]->() SET r.ingestedAt = datetime() - duration({minutes: 1})")
    return snapshot.export(graph, settings)


def interactions(taken: GraphSnapshot) -> set[tuple[str, str, str, int, int, float | None]]:
    edges = taken.interactions
    return {
        (
            taken.users.ids[edges.source[k]],
            INTERACTION_TYPES[edges.columns["type"][k]],
            taken.items.ids[edges.target[k]],
            int(edges.columns["occurred_at_s"][k]),
            int(edges.columns["count"][k]),
            None if np.isnan(edges.columns["rating"][k]) else float(edges.columns["rating"][k]),
        )
        for k in range(len(edges))
    }


def test_an_empty_graph_is_an_empty_snapshot(empty: None, graph: Graph, settings: Settings, tmp_path: Path) -> None:
    taken = snapshot.export(graph, settings)
    assert (len(taken.users), len(taken.items), len(taken.interactions), len(taken.shares)) == (0, 0, 0, 0)
    write_snapshot(taken, tmp_path / "s")
    assert read_snapshot(tmp_path / "s").snapshot_id == taken.snapshot_id


def test_nodes_and_attributes(small: GraphSnapshot) -> None:
    assert small.users.ids.tolist() == ["a", "b", "c"]
    assert small.items.ids.tolist() == ["x", "y"]
    users, items = small.users.columns, small.items.columns
    assert set(users) == {"age", "city", "createdAt", "active"}
    np.testing.assert_array_equal(users["age"], [30.0, 41.0, np.nan])
    assert users["city"].tolist() == ["Rome", "", "Oslo"]
    assert users["createdAt"].tolist() == [1704067200, NO_TIME, NO_TIME]
    assert set(items) == {"category", "priceMinor", "rating", "available"}
    np.testing.assert_array_equal(items["priceMinor"], [100.0, np.nan])
    assert (items["available"].dtype, items["available"].tolist()) == (np.dtype(bool), [True, False])


def test_interactions(small: GraphSnapshot) -> None:
    assert interactions(small) == {
        ("a", "LIKED", "x", FEB_1, 1, None),
        ("a", "PURCHASED", "y", NO_TIME, 1, None),
        ("a", "VIEWED", "x", JAN_5 + 86400, 7, None),
        ("b", "RATED", "x", 1709251200, 1, 3.5),
        ("b", "RATED", "y", NO_TIME, 1, None),
        ("c", "LIKED", "y", NO_TIME, 1, None),
    }


def test_ties_and_shares_need_consent_to_sharing(small: GraphSnapshot) -> None:
    friends = small.friends
    assert list(zip(friends.source.tolist(), friends.target.tolist(), strict=True)) == [(0, 1)]
    assert friends.columns["strength"].tolist() == [0.5]
    assert friends.columns["since_s"].tolist() == [1672531200]
    assert list(zip(small.follows.source.tolist(), small.follows.target.tolist(), strict=True)) == [(1, 0)]
    assert small.share_ids.tolist() == ["s0", "s1"]
    assert small.shares.source.tolist() == [1, 0]
    assert small.shares.target.tolist() == [0, 0]
    assert small.shares.columns["parent"].tolist() == [1, -1]
    assert small.shares.columns["depth"].tolist() == [1, 0]
    assert small.shares.columns["channel"].tolist() == ["", "mail"]
    assert small.shares.columns["occurred_at_s"].tolist() == [FEB_1 + 2 * 86400, FEB_1 + 86400]
    assert (small.sends.source.tolist(), small.sends.target.tolist()) == ([1], [1])
    assert (small.opens.source.tolist(), small.opens.target.tolist()) == ([1], [1])
    assert small.opens.columns["occurred_at_s"].tolist() == [FEB_1 + 86400 + 3600]


def test_through_the_folder_and_back(small: GraphSnapshot, tmp_path: Path) -> None:
    write_snapshot(small, tmp_path / "s")
    back = read_snapshot(tmp_path / "s")
    assert (back.snapshot_id, back.watermark_s) == (small.snapshot_id, small.watermark_s)
    assert f"s{small.watermark_s}-" in small.snapshot_id
    assert small.snapshot_id.rsplit("-d", 1)[1].isdigit()
    assert interactions(back) == interactions(small)
    for table in ("friends", "follows", "shares", "sends", "opens"):
        mine, theirs = getattr(small, table), getattr(back, table)
        np.testing.assert_array_equal(mine.source, theirs.source)
        np.testing.assert_array_equal(mine.target, theirs.target)
        for key, column in mine.columns.items():
            np.testing.assert_array_equal(column, theirs.columns[key])
            assert column.dtype == theirs.columns[key].dtype


def test_numbers_are_unique_and_kept(small: GraphSnapshot, cypher: Cypher, graph: Graph, settings: Settings) -> None:
    before = {row["id"]: row["ix"] for row in cypher("MATCH (u:User) RETURN u.userId AS id, u.ix AS ix")}
    assert sorted(before.values()) == sorted(set(before.values()))
    cypher("UNWIND range(1, 50) AS k CREATE (:User {userId: 'n' + k, consent: []})")
    snapshot.export(graph, settings)
    after = {row["id"]: row["ix"] for row in cypher("MATCH (u:User) RETURN u.userId AS id, u.ix AS ix")}
    assert len(set(after.values())) == len(before) + 50
    assert {key: after[key] for key in before} == before


def test_what_was_written_again_stays_by_its_first_stamp(
    small: GraphSnapshot, cypher: Cypher, graph: Graph, settings: Settings
) -> None:
    again = "SET n.firstIngestedAt = n.ingestedAt, n.ingestedAt = datetime()"
    cypher(f"MATCH (n:User {{userId: 'a'}}) {again}")
    cypher("MATCH ()-[n:VIEWED]->() " + again)
    assert interactions(snapshot.export(graph, settings)) == interactions(small)


@pytest.mark.parametrize(
    ("options", "users", "items", "kept"),
    [
        (SubgraphOptions(since="2024-02-01"), "abc", "xy", {("a", "LIKED", "x"), ("b", "RATED", "x")}),
        (SubgraphOptions(category="toys"), "abc", "y",
         {("a", "PURCHASED", "y"), ("b", "RATED", "y"), ("c", "LIKED", "y")}),
        (SubgraphOptions(seeds=("b",), hops=0), "b", "xy", {("b", "RATED", "x"), ("b", "RATED", "y")}),
        (SubgraphOptions(seeds=("c",), hops=0, category="toys"), "c", "y", {("c", "LIKED", "y")}),
    ],
)  # fmt: skip
def test_parts(
    small: GraphSnapshot,
    graph: Graph,
    settings: Settings,
    options: SubgraphOptions,
    users: str,
    items: str,
    kept: set[tuple[str, str, str]],
) -> None:
    part = snapshot.export(graph, settings, options)
    assert "".join(part.users.ids) == users
    assert "".join(part.items.ids) == items
    assert {row[:3] for row in interactions(part)} == kept


def rows_of(cypher: Cypher, watermark_s: int) -> set[tuple[str, str, str]]:
    """The same cut read row by row, with Cypher of this test's own."""
    found = cypher(
        "MATCH (u:User)-[r:LIKED|PURCHASED]->(i:Item) "
        "WHERE r.ingestedAt.epochMillis <= $ms AND u.ingestedAt.epochMillis <= $ms AND i.ingestedAt.epochMillis <= $ms "
        "RETURN u.userId AS u, type(r) AS t, i.itemId AS i, r.eventId AS e",
        ms=watermark_s * 1000,
    )
    return {(row["u"], row["t"], row["i"]) for row in found}


def test_the_cut_holds_while_writers_work(empty: None, cypher: Cypher, graph: Graph, settings: Settings) -> None:
    stop = threading.Event()
    acknowledged: list[tuple[float, str, str]] = []

    failures: list[Exception] = []

    def write(writer: int) -> None:
        try:
            keep_writing(writer)
        except Exception as error:
            failures.append(error)

    def keep_writing(writer: int) -> None:
        number = 0
        while not stop.is_set():
            now = time.time()
            batch = [
                {"eventId": f"{writer}-{number + k}", "type": "like", "userId": f"u{writer}-{(number + k) % 40}",
                 "itemId": f"i{number + k}", "occurredAt": datetime.now(UTC).isoformat()}
                for k in range(20)
            ]  # fmt: skip
            outcome = events.ingest(graph, settings, batch, now)
            assert outcome.accepted == len(batch), outcome.rejected
            acknowledged.extend((time.time(), event["userId"], event["itemId"]) for event in batch)
            number += 20

    writers = [threading.Thread(target=write, args=(n,)) for n in range(2)]
    for thread in writers:
        thread.start()
    try:
        deadline = time.time() + 60
        while not acknowledged and not failures and time.time() < deadline:
            time.sleep(0.1)
        time.sleep(snapshot.WATERMARK_LAG_S + 2)
        taken = [snapshot.export(graph, settings) for _ in range(3)]
    finally:
        stop.set()
        for thread in writers:
            thread.join()
    assert failures == []
    for part in taken:
        got = {(row[0], row[1], row[2]) for row in interactions(part)}
        must = {(user, "LIKED", item) for at, user, item in acknowledged if at <= part.watermark_s}
        assert must, "nothing was acknowledged before the watermark"
        assert must <= got
        assert got == rows_of(cypher, part.watermark_s)


def test_what_was_acknowledged_before_an_export_was_asked_for_is_in_it(graph, settings):
    entities.upsert_users(graph, settings, [{"userId": "just-now"}])
    assert "just-now" not in snapshot.export(graph, settings).users.ids
    entities.upsert_users(graph, settings, [{"userId": "now-too"}])
    snapshot.settle(graph)
    assert {"just-now", "now-too"} <= set(snapshot.export(graph, settings).users.ids)
