"""To whom an item may be sent, on a graph known by heart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from graph import entities, events, share_people
from graph.connection import Graph, Row
from graph.settings import Settings
from graph.share_people import Cap
from tests.graph import small_shop
from tests.graph.small_shop import event

NO_CAP = Cap(0, 24.0)
ALL = ["ben", "cat", "dan", "eve", "fay"]


@pytest.fixture(autouse=True, scope="module")
def shop(graph: Graph, settings: Settings) -> None:
    small_shop.fill(graph, settings)


def ago(hours: float = 0.0) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()


def people(graph: Graph, item: str = "i30", user: str = "ann", cap: Cap = NO_CAP) -> dict[str, Row]:
    return {row["userId"]: row for row in share_people.read(graph, user, item, ALL, cap)}


def test_they_carry_the_formulas_terms(graph: Graph, settings: Settings) -> None:
    events.ingest(graph, settings, [event("p1", "share", "ben", ago(), itemId="i30")])
    found = people(graph)
    assert set(found) == set(ALL)
    cat, eve = found["cat"], found["eve"]
    # cat's ties: ann 3 (the sharer) and ben 1 (who shared i30)
    assert (cat["tiesStrength"], cat["sharersStrength"], cat["strength"], cat["friends"]) == (4.0, 4.0, 3.0, 2)
    assert (eve["tiesStrength"], eve["sharersStrength"], eve["strength"], eve["friends"]) == (0.0, 0.0, None, 0)
    assert 0 <= cat["interest"] <= 1
    assert found["fay"]["interest"] is None  # newer than the version
    assert {row["modelVersion"] for row in found.values()} == {"v1"}
    assert people(graph, "i31")["cat"]["sharersStrength"] == 3.0


def test_who_bought_hid_or_got_it_is_left_out(graph: Graph, settings: Settings) -> None:
    given = [
        event("p2", "purchase", "ben", ago(), itemId="i10", valueMinor=100, currency="EUR"),
        event("p3", "hide", "cat", ago(), itemId="i10"),
        event("p4", "share", "ann", ago(), itemId="i10", recipientIds=["eve"]),
        event("p5", "share", "fay", ago(), itemId="i10", recipientIds=["dan"]),
    ]
    events.ingest(graph, settings, given)
    assert set(people(graph, "i10")) == {"dan", "fay"}  # dan got it from somebody else
    assert set(people(graph, "i11")) == set(ALL)


@pytest.mark.parametrize("cap", [1, 3, 4])
def test_the_cap_counts_shares_of_anybody_within_the_window(graph: Graph, settings: Settings, cap: int) -> None:
    sent = [("ben", 0.5, "dan"), ("cat", 2, "dan"), ("ann", 23, "dan"), ("ben", 25, "dan"), ("ben", 30, "cat")]
    given = [
        event(f"c{n}", "share", user, ago(hours), itemId="i39", recipientIds=[to])
        for n, (user, hours, to) in enumerate(sent)
    ]
    events.ingest(graph, settings, given)
    # dan was sent p5 of the test before, and three of these; the fourth is too old
    found = people(graph, "i12", cap=Cap(cap, 24.0))
    assert found["dan"]["capped"] == (cap <= 4)
    assert not found["cat"]["capped"]
    assert not people(graph, "i12", cap=Cap(cap, 0.1))["dan"]["capped"] or cap == 1
    assert not people(graph, "i12", cap=NO_CAP)["dan"]["capped"]


def test_the_cap_finds_the_newest_of_many_that_were_sent(
    graph: Graph, cypher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for first in range(1, 900, 100):
        cypher(
            """MERGE (b:User {userId: 'fay'}) WITH b UNWIND range($first, $first + 99) AS n
            CREATE (:Share {shareId: 'old' + n, occurredAt: datetime() - duration({days: 900 - n, hours: 1})})
                   -[:SENT_TO]->(b)""",
            first=first,
        )
    monkeypatch.setattr(share_people, "MOST_RECEIVED", 200)
    assert people(graph, "i12", cap=Cap(2, 48.0))["fay"]["capped"]
    assert not people(graph, "i12", cap=Cap(3, 48.0))["fay"]["capped"]


def test_strangers_are_near_in_the_embedding_or_act_on_the_category(graph: Graph, settings: Settings) -> None:
    entities.upsert_users(graph, settings, [{"userId": "gym", "consent": small_shop.EVERYTHING}])
    events.ingest(
        graph, settings, [event(f"g{n}", "like", "gym", ago(), itemId=i) for n, i in enumerate(["i02", "i06"])]
    )
    found = {row["userId"]: row for row in share_people.strangers(graph, "ann", "i30", ["ben", "cat"])}
    assert set(found) == {"dan", "eve", "gym"}
    # ann stands at angle 0, dan at 1.125, eve at 1.5; Neo4j's similarity is (1 + cos) / 2
    assert found["dan"]["similarity"] == pytest.approx((1 + 0.43118) / 2, abs=1e-4)
    assert found["eve"]["similarity"] == pytest.approx((1 + 0.07074) / 2, abs=1e-4)
    assert (found["gym"]["similarity"], found["gym"]["acts"]) == (None, 2)  # i02, i06 and i30 are music
    assert found["dan"]["acts"] == 0


def test_strangers_need_both_consents(graph: Graph) -> None:
    for purposes in (["sharing"], ["personalisation"]):
        entities.set_consent(graph, "gym", purposes)
        assert "gym" not in [row["userId"] for row in share_people.strangers(graph, "ann", "i30", [])]


def test_consent_and_blocks_in_both_directions(graph: Graph, settings: Settings) -> None:
    blocks = [event("x1", "block", "ann", ago(), friendId="eve"), event("x2", "block", "dan", ago(), friendId="ann")]
    events.ingest(graph, settings, blocks)
    assert set(people(graph, "i12")) == {"ben", "cat", "fay"}
    events.ingest(graph, settings, [event("x3", "block", "ben", ago(), friendId="cat")])
    assert people(graph)["cat"]["sharersStrength"] == 3.0  # ben's share of i30 is no reason for cat any more
    entities.set_consent(graph, "ben", ["personalisation"])
    found = people(graph)
    assert set(found) == {"cat", "fay"}
    assert (found["cat"]["tiesStrength"], found["cat"]["friends"]) == (3.0, 1)  # nor does his tie count
    entities.set_consent(graph, "cat", ["sharing"])
    assert people(graph)["cat"]["interest"] is None
    entities.set_consent(graph, "ann", ["personalisation"])
    assert people(graph) == {}
