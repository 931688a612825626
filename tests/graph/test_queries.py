from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from graph import entities, events, queries
from graph.connection import Graph
from graph.errors import NotFoundError
from graph.publication import publish
from graph.queries import RecommendationInputs
from graph.settings import Settings
from tests.graph import small_shop
from tests.graph.small_shop import ITEMS, event


@pytest.fixture(autouse=True, scope="module")
def shop(graph: Graph, settings: Settings) -> None:
    small_shop.fill(graph, settings)


def now() -> str:
    return datetime.now(UTC).isoformat()


def inputs(graph: Graph, user: str) -> RecommendationInputs:
    return queries.recommendation_inputs(graph, user, now_s=int(time.time()), timeout_s=30)


def test_the_published_list_is_read_from_the_live_slot(graph: Graph) -> None:
    read = inputs(graph, "eve")
    assert (read.model_version, read.publication_seq, read.current, read.consented) == ("v1", 1, True, True)
    assert read.items == ITEMS
    assert read.scores[0] == pytest.approx(4.0)
    assert read.reasons == [255] * 40  # taste (0) * 256 + none
    assert (read.seen, read.recent, read.shares, read.birth_date) == ([], [], [], None)


def test_an_act_is_seen_at_the_next_read_and_brings_its_neighbours(graph: Graph, settings: Settings) -> None:
    at = now()
    given = [
        event("q1", "like", "eve", at, itemId="i08"),
        event("q2", "view", "eve", at, itemId="i01"),
        event("q3", "rate", "eve", at, itemId="i03", rating=1),
    ]
    assert events.ingest(graph, settings, given).accepted == 3
    read = inputs(graph, "eve")
    assert sorted(read.seen) == ["i03", "i08"]
    recent = {act[0]: act for act in read.recent}
    assert {item: act[1] for item, act in recent.items()} == {"i08": "LIKED", "i01": "VIEWED", "i03": "RATED"}
    assert recent["i08"][4][:4] == ["i04", "i12", "i00", "i16"]
    assert recent["i08"][5][:2] == pytest.approx([1.0, 0.95])
    assert recent["i03"][3] == 1


def test_items_out_of_stock_and_withdrawn_are_not_popular(graph: Graph) -> None:
    entities.upsert_items(graph, [{"itemId": "i05", "stock": 0}, {"itemId": "i39", "available": False}])
    assert not {"i05", "i39"} & {row["itemId"] for row in queries.popular_items(graph)}


def test_acts_without_a_time_do_not_crowd_out_the_recent_ones(graph: Graph, settings: Settings, cypher: Any) -> None:
    entities.upsert_users(graph, settings, [{"userId": "old", "consent": small_shop.EVERYTHING}])
    cypher(
        """MATCH (u:User {userId: 'old'}) MATCH (i:Item) WHERE i.itemId < 'i30'
        CREATE (u)-[:LIKED {eventId: 'none-' + i.itemId}]->(i)"""
    )
    events.ingest(graph, settings, [event("q8", "like", "old", now(), itemId="i35")])
    read = inputs(graph, "old")
    cypher("MATCH (u:User {userId: 'old'}) DETACH DELETE u")
    assert [act[0] for act in read.recent] == ["i35"]
    assert len(read.seen) == 31


def test_neighbours_of_many_items_are_read_at_once(graph: Graph) -> None:
    found = {item: (others, scores) for item, others, scores in queries.neighbours(graph, ["i08", "i20", "nope"])}
    assert set(found) == {"i08", "i20"}
    assert found["i08"][0][:4] == ["i04", "i12", "i00", "i16"]
    assert found["i08"][1][:2] == pytest.approx([1.0, 0.95])


def test_friends_shares_of_the_last_day_count_unless_blocked(graph: Graph, settings: Settings) -> None:
    given = [event("q4", "share", "ben", now(), itemId="i20"), event("q5", "share", "dan", now(), itemId="i21")]
    events.ingest(graph, settings, given)
    assert [(share[0], share[1]) for share in sorted(inputs(graph, "ann").shares)] == [("i20", "ben"), ("i21", "dan")]
    events.ingest(graph, settings, [event("q6", "block", "dan", now(), friendId="ann")])
    assert [share[0] for share in inputs(graph, "ann").shares] == ["i20"]


def test_without_consent_nothing_of_the_user_is_read(graph: Graph, settings: Settings) -> None:
    entities.upsert_users(graph, settings, [{"userId": "gus", "consent": ["sharing"]}])
    events.ingest(graph, settings, [event("q7", "like", "gus", now(), itemId="i02")])
    read = inputs(graph, "gus")
    assert not read.consented
    assert (read.items, read.seen, read.recent, read.shares) == ([], [], [], [])


def test_a_user_newer_than_the_version_is_not_current(graph: Graph) -> None:
    read = inputs(graph, "fay")
    assert read.consented
    assert not read.current


def test_unknown_users_and_items_are_not_found(graph: Graph) -> None:
    with pytest.raises(NotFoundError):
        inputs(graph, "nobody")
    with pytest.raises(NotFoundError):
        queries.similar_items(graph, "nothing")
    with pytest.raises(NotFoundError):
        queries.user_profile(graph, "nobody")


def test_the_vector_search_finds_the_nearest_of_the_live_version_only(graph: Graph) -> None:
    found = queries.nearest_items(graph, "v1", [1.0, 0.0], 3)
    assert [row["itemId"] for row in found] == ["i00", "i01", "i02"]
    assert queries.nearest_items(graph, "another", [1.0, 0.0], 3) == []


def test_influencers_come_by_score_page_by_page(graph: Graph) -> None:
    first = queries.top_influencers(graph, 2)
    assert [(row["userId"], row["influenceScore"]) for row in first] == [("ben", 5.0), ("eve", 4.0)]
    rest = queries.top_influencers(graph, 10, (4.0, "eve"))
    assert [row["userId"] for row in rest] == ["cat", "dan", "ann"]


def test_influence_names_whom_it_works_on_if_they_agree(graph: Graph) -> None:
    row = queries.user_influence(graph, "eve")
    assert (row["score"], row["percentile"], row["error"]) == (4.0, 75.0, pytest.approx(0.2))
    assert {each["userId"]: each["probability"] for each in row["influences"]}["ben"] == 0.5
    assert queries.user_influence(graph, "fay")["score"] is None


def test_a_categorys_influencers_are_those_active_in_it(graph: Graph, settings: Settings) -> None:
    given = [
        event(f"c{n}", "like", user, now(), itemId=item)
        for n, (user, item) in enumerate([("ben", "i00"), ("ben", "i04"), ("eve", "i01"), ("dan", "i12")])
    ]
    events.ingest(graph, settings, given)
    rows = queries.category_influencers(graph, "books", 10)
    # eve: 4.0 x 1 of 3 acts (i08 books, i03 shoes, i01 games); ben: 5.0 x 2 of 2; dan: 2.0 x 1 of 1
    assert [(row["userId"], round(row["categoryScore"], 3)) for row in rows] == [
        ("ben", 5.0),
        ("dan", 2.0),
        ("eve", round(4 / 3, 3)),
    ]


def test_the_profile_counts_and_names_favourites(graph: Graph) -> None:
    row = queries.user_profile(graph, "ben")
    assert row["counts"]["like"] == 2
    assert row["counts"]["share"] == 1
    assert row["friends"] == 2
    assert row["topCategories"] == [{"category": "books", "count": 2}]
    assert row["topBrands"] == [{"brand": "acme", "count": 2}]
    assert (row["influenceScore"], row["modelVersion"]) == (5.0, "v1")
    assert not [name for name in row["properties"] if name.endswith(("_a", "_b"))]


def test_items_are_found_by_words_category_and_tag(graph: Graph, cypher: Any) -> None:
    cypher("CALL db.awaitIndexes(60)")
    find = queries.find_items
    assert len(find(graph, words="thing", category=None, tag=None, after=None, limit=5)) == 5
    assert find(graph, words="+ && ( ~", category=None, tag=None, after=None, limit=5) == []
    books = find(graph, words=None, category="books", tag=None, after=None, limit=3)
    assert [row["itemId"] for row in books] == ["i00", "i04", "i08"]
    assert [row["itemId"] for row in find(graph, words=None, category="books", tag=None, after="i08", limit=1)] == [
        "i12"
    ]
    entities.upsert_items(graph, [{"itemId": "i17", "tags": ["new"]}])
    tagged = find(graph, words=None, category=None, tag="new", after=None, limit=9)
    assert [row["itemId"] for row in tagged] == ["i17"]


def test_popular_items_are_available_and_most_acted_on(graph: Graph, settings: Settings) -> None:
    bought = event("h4", "purchase", "ben", now(), itemId="i30", valueMinor=100, currency="EUR")
    assert events.ingest(graph, settings, [bought]).accepted == 1
    popular = [row["itemId"] for row in queries.popular_items(graph)]
    assert popular[0] == "i30"  # one purchase weighs most
    assert not {"i05", "i39"} & set(popular)


def test_influence_tells_what_has_passed_between_two(graph: Graph, settings: Settings) -> None:
    given = [
        event("f1", "share", "ann", now(), itemId="i30", shareId="f1", recipientIds=["ben", "cat"]),
        event("f2", "share", "ann", now(), itemId="i31", shareId="f2"),
        event("f3", "share", "ben", now(), itemId="i30", shareId="f3", parentShareId="f1"),
        event("f4", "open", "ben", now(), shareId="f2"),
    ]
    assert events.ingest(graph, settings, given).accepted == 4
    ben, cat = queries.user_influence(graph, "ann")["influences"]
    assert ben | {"probability": 0} == {
        "userId": "ben", "probability": 0, "friendship": 1.0, "follows": False, "reshares": 1, "opens": 1, "sent": 1,
    }  # fmt: skip
    assert (cat["friendship"], cat["reshares"], cat["opens"], cat["sent"]) == (3.0, 0, 0, 1)


def test_another_version_answers_whole_after_the_flip(graph: Graph, settings: Settings) -> None:
    publish(graph, settings, small_shop.artifact("v2"))
    read = inputs(graph, "eve")
    assert (read.model_version, read.publication_seq, read.current) == ("v2", 2, True)
    assert [row["itemId"] for row in queries.nearest_items(graph, "v2", [1.0, 0.0], 2)] == ["i00", "i01"]
    assert queries.nearest_items(graph, "v1", [1.0, 0.0], 2) == []


def test_who_takes_back_consent_to_sharing_is_in_no_answer_for_others(graph: Graph) -> None:
    def named() -> tuple[bool, bool]:
        return (
            "cat" in [row["userId"] for row in queries.top_influencers(graph, 10)],
            "cat" in [each["userId"] for each in queries.user_influence(graph, "eve")["influences"]],
        )

    assert named() == (True, True)
    entities.set_consent(graph, "cat", ["personalisation"])
    assert named() == (False, False)
    entities.set_consent(graph, "ben", ["personalisation"])
    assert inputs(graph, "ann").shares == []
