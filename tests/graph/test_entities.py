"""Users, items, friendships, consent and deletion on a real Neo4j."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from graph import entities
from graph.connection import Graph
from graph.digest import digest
from graph.errors import InputError, NotFoundError
from graph.events import ingest
from graph.settings import CONSENT_PURPOSES, Settings

Cypher = Callable[..., list[dict[str, Any]]]

ADA = {"userId": "ada", "createdAt": "2026-01-02T03:04:05Z", "city": "Graz", "age": 36, "likes": ["tea", "cake"]}
CUP = {"itemId": "cup", "title": "A cup", "category": "kitchen", "price": "19.99", "currency": "EUR", "stock": 3}


pytestmark = pytest.mark.usefixtures("empty")


def test_users_are_created_then_completed(graph: Graph, settings: Settings, cypher: Cypher) -> None:
    assert entities.upsert_users(graph, settings, [ADA]) == entities.Upserted(1, 0, [])
    assert entities.upsert_users(graph, settings, [{"userId": "ada", "age": 37, "city": None}]).updated == 1
    found = cypher("MATCH (u:User) RETURN properties(u) AS p, toString(u.createdAt) AS created")[0]
    assert found["created"] == "2026-01-02T03:04:05Z"
    rest = {
        name: value for name, value in found["p"].items() if name not in ("createdAt", "ingestedAt", "firstIngestedAt")
    }
    assert rest == {"userId": "ada", "age": 37, "likes": ["tea", "cake"], "consent": list(CONSENT_PURPOSES)}


def test_the_same_again_changes_nothing_not_even_the_stamp(graph: Graph, settings: Settings, cypher: Cypher) -> None:
    entities.upsert_users(graph, settings, [ADA])
    entities.upsert_items(graph, [CUP])
    entities.upsert_friends(graph, settings, [{"userId": "bob", "friendId": "ada", "strength": 2}])
    stamps = "MATCH (n) RETURN n.ingestedAt AS at ORDER BY toString(at)"
    before, hashed = cypher(stamps), digest(graph)
    entities.upsert_users(graph, settings, [ADA])
    entities.upsert_items(graph, [CUP])
    entities.upsert_friends(graph, settings, [{"userId": "ada", "friendId": "bob", "strength": 2}])
    assert (cypher(stamps), digest(graph)) == (before, hashed)


def test_a_stub_becomes_a_user(graph: Graph, settings: Settings, cypher: Cypher) -> None:
    like = {"eventId": "e1", "type": "like", "userId": "ada", "itemId": "cup"}
    ingest(graph, settings, [like], imported=True)
    entities.upsert_users(graph, settings, [ADA])
    entities.upsert_items(graph, [CUP])
    assert cypher("MATCH (n) WHERE n.stub RETURN n") == []


def test_a_new_user_without_a_time_gets_the_servers_unless_imported(
    graph: Graph, settings: Settings, cypher: Cypher
) -> None:
    entities.upsert_users(graph, settings, [{"userId": "ada"}])
    entities.upsert_users(graph, settings, [{"userId": "bob"}], imported=True)
    assert cypher("MATCH (u:User) RETURN u.userId AS u, u.createdAt IS NOT NULL AS timed ORDER BY u") == [
        {"u": "ada", "timed": True},
        {"u": "bob", "timed": False},
    ]


def test_items_keep_prices_in_minor_units(graph: Graph, cypher: Cypher) -> None:
    items = [
        CUP,
        {"itemId": "fan", "price": 500, "currency": "JPY"},
        {"itemId": "rug", "price": "1.234", "currency": "KWD"},
        {"itemId": "mug", "priceMinor": 250, "currency": "EUR", "tags": ["blue"]},
    ]
    assert entities.upsert_items(graph, items).created == 4
    assert cypher("MATCH (i:Item) RETURN i.itemId AS i, i.priceMinor AS p, i.price AS raw ORDER BY i") == [
        {"i": "cup", "p": 1999, "raw": None},
        {"i": "fan", "p": 500, "raw": None},
        {"i": "mug", "p": 250, "raw": None},
        {"i": "rug", "p": 1234, "raw": None},
    ]


@pytest.mark.parametrize(
    ("item", "pointer"),
    [
        ({"itemId": "x", "price": 1, "priceMinor": 100, "currency": "EUR"}, "/price"),
        ({"itemId": "x", "price": 1}, "/currency"),
        ({"itemId": "x", "price": 1.005, "currency": "EUR"}, "/price"),
        ({"itemId": "x", "price": float("nan"), "currency": "EUR"}, "/price"),
        ({"itemId": "x", "price": -1, "currency": "EUR"}, "/price"),
        ({"itemId": "x", "priceMinor": 1.5}, "/priceMinor"),
        ({"itemId": "x", "currency": "euro"}, "/currency"),
        ({"itemId": "x", "title": 5}, "/title"),
        ({"itemId": "x", "tags": "blue"}, "/tags"),
        ({"itemId": ""}, "/itemId"),
        ({"itemId": "x" * 257}, "/itemId"),
        ({"itemId": "\ud800"}, "/itemId"),
        ({"itemId": "a\0b"}, "/itemId"),
        ({"itemId": "x", "embedding_a": [1.0]}, "/embedding_a"),
        ({"itemId": "x", "ix": 1}, "/ix"),
        ({"itemId": "x", "ingestedAt": 1}, "/ingestedAt"),
        ({"itemId": "x", "bad name": 1}, "/bad name"),
        ({"itemId": "x", "deep": {"a": 1}}, "/deep"),
        ({"itemId": "x", "mixed": [1, "a"]}, "/mixed"),
        ({"itemId": "x", "big": 2**63}, "/big"),
        ({"itemId": "x", "odd": float("inf")}, "/odd"),
        ({"itemId": "x", "createdAt": "yesterday"}, "/createdAt"),
    ],
)
def test_what_an_item_may_not_be(graph: Graph, cypher: Cypher, item: dict[str, Any], pointer: str) -> None:
    outcome = entities.upsert_items(graph, [item, CUP])
    assert outcome.created == 1
    assert [(one.index, one.status, one.problem["errors"][0]["pointer"]) for one in outcome.rejected] == [
        (0, 422, pointer)
    ]
    assert cypher("MATCH (i:Item) RETURN i.itemId AS i") == [{"i": "cup"}]


def test_friendships_stated_and_ended(graph: Graph, settings: Settings, cypher: Cypher) -> None:
    given = {"userId": "bob", "friendId": "ada", "since": "2026-01-01", "strength": 3}
    assert entities.upsert_friends(graph, settings, [given]).created == 1
    assert cypher("MATCH (a)-[f:FRIEND]->(b) RETURN a.userId AS a, b.userId AS b, f.strength AS s") == [
        {"a": "ada", "b": "bob", "s": 3.0}
    ]
    assert entities.delete_friend(graph, "bob", "ada")
    assert not entities.delete_friend(graph, "ada", "bob")
    late = {"eventId": "e1", "type": "friend", "userId": "ada", "friendId": "bob", "occurredAt": "2026-01-01T00:00:00Z"}
    assert ingest(graph, settings, [late], imported=True).accepted == 1
    assert cypher("MATCH ()-[f:FRIEND]->() RETURN f") == []
    assert entities.upsert_friends(graph, settings, [{"userId": "ada", "friendId": "bob"}]).created == 1
    assert cypher("MATCH ()-[f:FRIEND]->() RETURN f.strength AS s") == [{"s": 1.0}]
    assert cypher("MATCH (e:KithEndedTie) RETURN e") == []


def test_friendships_of_unknown_users_can_be_refused(graph: Graph, settings: Settings) -> None:
    with pytest.raises(NotFoundError, match="ada"):
        entities.upsert_friends(graph, replace(settings, unknown_ids="refuse"), [{"userId": "bob", "friendId": "ada"}])
    outcome = entities.upsert_friends(graph, settings, [{"userId": "ada", "friendId": "ada"}])
    assert outcome.rejected[0].problem["errors"][0]["pointer"] == "/friendId"


PUBLISHED = """
MATCH (u:User {userId: 'ada'}) MATCH (v:User {userId: 'bob'}) MATCH (i:Item {itemId: 'cup'})
SET u.embedding = [1.0], u.embedding_a = [1.0], u.embedding_b = [1.0], u.recommendedItems_a = ['cup'],
    u.recommendedScores_a = [1.0], u.recommendedReasons_a = [1], u.influenceScore = 2.0, u.influenceScore_b = 2.0,
    u.influencePercentile_a = 50.0, u.influenceError_a = 0.5, u.influencesUsers_a = ['bob'],
    u.influencesProbabilities_a = [0.5]
CREATE (u)-[:RECOMMENDED {rank: 1}]->(i), (u)-[:INFLUENCES {probability: 0.5}]->(v),
       (v)-[:INFLUENCES {probability: 0.4}]->(u), (u)-[:LIKED {eventId: 'e1'}]->(i),
       (u)-[:INFLUENTIAL_IN {score: 1.0}]->(:Category {name: 'kitchen'})
"""


@pytest.mark.parametrize(
    ("purposes", "relationships", "properties"),
    [
        ([], {"LIKED"}, set()),
        (["sharing"], {"INFLUENCES", "INFLUENTIAL_IN", "LIKED"}, {"influence"}),
        (["personalisation"], {"LIKED", "RECOMMENDED"}, {"embedding", "recommended"}),
        (
            ["personalisation", "sharing"],
            {"INFLUENCES", "INFLUENTIAL_IN", "LIKED", "RECOMMENDED"},
            {"embedding", "recommended", "influence"},
        ),
    ],
)
def test_consent_taken_back_takes_what_was_published(
    graph: Graph,
    settings: Settings,
    cypher: Cypher,
    purposes: list[str],
    relationships: set[str],
    properties: set[str],
) -> None:
    entities.upsert_users(graph, settings, [ADA, {"userId": "bob"}])
    entities.upsert_items(graph, [CUP])
    cypher(PUBLISHED)
    assert entities.set_consent(graph, "ada", purposes) == purposes
    assert entities.read_consent(graph, "ada") == purposes
    assert {row["t"] for row in cypher("MATCH ({userId: 'ada'})-[r]-() RETURN type(r) AS t")} == relationships
    names = cypher("MATCH (u:User {userId: 'ada'}) RETURN keys(u) AS names")[0]["names"]
    kinds = {kind for kind in ("embedding", "recommended", "influence") if any(n.startswith(kind) for n in names)}
    assert kinds == properties


def test_consent_can_be_stated_with_the_user(graph: Graph, settings: Settings, cypher: Cypher) -> None:
    entities.upsert_users(graph, settings, [{**ADA, "consent": ["sharing", "personalisation"]}, {"userId": "bob"}])
    entities.upsert_items(graph, [CUP])
    cypher(PUBLISHED)
    entities.upsert_users(graph, settings, [{**ADA, "consent": []}])
    assert entities.read_consent(graph, "ada") == []
    assert cypher("MATCH (u:User {userId: 'ada'}) RETURN u.embedding_a AS e") == [{"e": None}]
    refused = entities.upsert_users(graph, settings, [{"userId": "cem", "consent": ["everything"]}])
    assert refused.rejected[0].problem["errors"][0]["pointer"] == "/consent"


def test_consent_of_nobody_and_to_nothing_known(graph: Graph, settings: Settings) -> None:
    entities.upsert_users(graph, settings, [ADA])
    with pytest.raises(NotFoundError):
        entities.set_consent(graph, "nobody", [])
    with pytest.raises(InputError):
        entities.set_consent(graph, "ada", ["everything"])


def test_deleting_a_hub_in_batches(
    graph: Graph, settings: Settings, cypher: Cypher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entities, "EDGES_AT_ONCE", 7)
    likes = [{"eventId": f"e{n}", "type": "like", "userId": "ada", "itemId": f"i{n}"} for n in range(30)]
    ingest(graph, settings, likes, imported=True)
    assert entities.delete_user(graph, "ada")
    assert not entities.delete_user(graph, "ada")
    assert cypher("MATCH (u:User) RETURN u") == []
    assert entities.delete_item(graph, "i3")
    assert not entities.delete_item(graph, "i3")
    assert cypher("MATCH (i:Item) RETURN count(i) AS n") == [{"n": 29}]


def test_too_many_are_refused_whole(graph: Graph) -> None:
    with pytest.raises(ValueError, match="10000"):
        entities.upsert_items(graph, [{}] * 10_001)
