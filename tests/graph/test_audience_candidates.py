"""Who may be shown an item, on a graph known by heart."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from graph import audience, entities, events
from graph.connection import Graph, Row
from graph.errors import NotFoundError
from graph.publication import publish
from graph.settings import Settings
from tests.graph import small_shop
from tests.graph.small_shop import event

WEEK_S = 7 * 86_400


@pytest.fixture(autouse=True, scope="module")
def shop(graph: Graph, settings: Settings) -> None:
    small_shop.fill(graph, settings)


def ago(days: float = 0.0) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


def read(graph: Graph, item: str, vector: list[float] | None = None) -> tuple[Row, dict[str, Row]]:
    head, rows = audience.candidates(graph, item, now_s=int(time.time()), acts_s=WEEK_S, vector=vector)
    assert len({row["userId"] for row in rows}) == len(rows)
    return head, {row["userId"]: row for row in rows}


def test_lists_embedding_influence_and_friends_of_the_live_version(graph: Graph) -> None:
    head, found = read(graph, "i03")
    assert (head["modelVersion"], head["publicationSeq"], head["available"], head["current"]) == ("v1", 1, True, True)
    assert set(found) == {"ann", "ben", "cat", "dan", "eve"}
    ben, eve = found["ben"], found["eve"]
    # the list falls from 4.0 by 0.1 an item: 1 / (1 + exp(-3.7))
    assert ben["chance"] == pytest.approx(0.975873)
    assert (ben["influence"], ben["percentile"], ben["friendsSeen"]) == (5.0, 100.0, [False, False])
    # ben stands at angle 0.375, i03 at 3 * 1.5 / 39
    assert ben["similarity"] == pytest.approx((1 + 0.96646) / 2, abs=1e-4)
    assert (eve["influence"], eve["friendsSeen"], eve["acts"]) == (4.0, [], [])


def test_an_item_off_the_first_twenty_places_is_found_by_the_embedding(graph: Graph, cypher: Any) -> None:
    assert cypher("MATCH (:Item {itemId: 'i35'})<-[r:RECOMMENDED]-() RETURN count(r) AS n") == [{"n": 0}]
    cypher(
        """MATCH (u:User {userId: 'dan'})
        SET u.recommendedItems_a = u.recommendedItems_a[..30], u.recommendedItems_b = u.recommendedItems_b[..30],
            u.recommendedScores_a = u.recommendedScores_a[..30], u.recommendedScores_b = u.recommendedScores_b[..30]"""
    )
    _, found = read(graph, "i35")
    # the list falls from 4.0 by 0.1 an item, 40 items long
    assert found["ann"]["listedScore"] == pytest.approx(0.5)
    assert found["ann"]["lastScore"] == pytest.approx(0.1)
    assert found["dan"]["listedScore"] is None
    assert found["dan"]["lastScore"] == pytest.approx(1.1)


def test_recent_interactions_find_users_newer_than_the_version(graph: Graph, settings: Settings) -> None:
    given = [
        event("a1", "addToCart", "fay", ago(), itemId="i20"),
        event("a2", "view", "fay", ago(1), itemId="i20"),
        event("a3", "like", "gus", ago(8), itemId="i20"),
        event("a4", "view", "cat", ago(), itemId="i20"),
    ]
    events.ingest(graph, settings, given)
    _, found = read(graph, "i20")
    assert "gus" not in found  # too long ago
    fay = found["fay"]
    assert sorted(kind for kind, _ in fay["acts"]) == ["ADDED_TO_CART", "VIEWED"]
    assert (fay["listedScore"], fay["lastScore"], fay["similarity"], fay["influence"]) == (None, None, None, None)
    assert sorted(found["ann"]["friendsSeen"]) == [False, False, True]  # cat viewed it


def test_who_bought_or_hid_it_is_left_out(graph: Graph, settings: Settings) -> None:
    given = [
        event("a5", "purchase", "ben", ago(), itemId="i21", valueMinor=100, currency="EUR"),
        event("a6", "hide", "cat", ago(), itemId="i21"),
    ]
    events.ingest(graph, settings, given)
    assert set(read(graph, "i21")[1]) == {"ann", "dan", "eve"}


@pytest.mark.parametrize("change", [{"stock": 0}, {"available": False}])
def test_what_cannot_be_had_has_no_audience(graph: Graph, change: dict[str, Any]) -> None:
    entities.upsert_items(graph, [{"itemId": "i22", **change}])
    head, found = read(graph, "i22")
    entities.upsert_items(graph, [{"itemId": "i22", "stock": 5, "available": True}])
    assert (head["available"], found) == (False, {})
    assert len(read(graph, "i22")[1]) == 5


def test_a_new_item_is_placed_by_a_vector(graph: Graph) -> None:
    entities.upsert_items(graph, [{"itemId": "new", "category": "books"}])
    head, found = read(graph, "new")
    assert (head["current"], found) == (False, {})
    head, found = read(graph, "new", [1.0, 0.0])
    assert set(found) == {"ann", "ben", "cat", "dan", "eve"}
    assert found["ann"]["similarity"] == pytest.approx(1.0)
    assert found["ann"]["listedScore"] is None
    version, attributes = audience.description(graph, "new")
    assert (version, attributes["category"]) == ("v1", "books")
    assert audience.description(graph, "nothing") == (None, {})


def test_the_limits_hold(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("most_near", 1), ("most_listed", 2), ("most_acting", 1)):
        monkeypatch.setitem(audience.LIMITS, name, most)
    assert len(read(graph, "i03")[1]) <= 3
    monkeypatch.setitem(audience.LIMITS, "most_friends", 1)
    assert all(len(row["friendsSeen"]) <= 1 for row in read(graph, "i03")[1].values())


def test_an_unknown_item_is_not_found(graph: Graph) -> None:
    with pytest.raises(NotFoundError, match="no item nothing"):
        read(graph, "nothing")


def test_consent_and_blocks(graph: Graph, settings: Settings) -> None:
    entities.set_consent(graph, "eve", ["sharing", "analytics"])
    entities.set_consent(graph, "cat", ["personalisation"])
    events.ingest(graph, settings, [event("a7", "block", "dan", ago(), friendId="ann")])
    _, found = read(graph, "i03")
    assert set(found) == {"ann", "ben", "cat", "dan"}
    # cat agrees to personalisation only: she may be shown the item, but is nobody's friend here and passes nothing on
    assert (found["cat"]["influence"], found["cat"]["percentile"], found["cat"]["friendsSeen"]) == (None, None, [])
    assert found["ben"]["friendsSeen"] == [False]
    assert (found["ann"]["friendsSeen"], found["dan"]["friendsSeen"]) == ([False], [])


def test_after_a_flip_the_other_slot_answers(graph: Graph, settings: Settings) -> None:
    publish(graph, settings, small_shop.artifact("v2"))
    head, found = read(graph, "i03")
    assert (head["modelVersion"], head["publicationSeq"]) == ("v2", 2)
    assert found["dan"]["chance"] == pytest.approx(0.975873)


def test_copies_of_another_version_are_no_chances(graph: Graph, cypher: Any) -> None:
    cypher("MATCH (:User {userId: 'ann'})-[r:RECOMMENDED]->() SET r.modelVersion = 'v1', r.score = 0.5")
    ann = read(graph, "i03")[1]["ann"]
    assert ann["chance"] is None
    assert ann["listedScore"] == pytest.approx(3.7)
