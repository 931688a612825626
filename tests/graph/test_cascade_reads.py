"""Reads of cascades: who grows most comes first, page by page; a tree level by level."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graph import cascade_reads, cascades
from graph.connection import Graph
from graph.errors import NotFoundError
from graph.events import ingest
from graph.settings import Settings
from tests.graph.test_events import NOW_S, event

Cypher = Callable[..., list[dict[str, Any]]]
NOW_MS = int(NOW_S * 1000)

pytestmark = pytest.mark.usefixtures("empty")


@pytest.fixture
def shop(graph: Graph, settings: Settings) -> Graph:
    """Cascades: `old` of two shares at ten o'clock, `quick` of three at 10:50, `lone` of one; now is a day later."""
    shares = [
        event("share", "old", 0, userId="ada", itemId="cup"),
        event("share", "old1", 0, userId="bob", itemId="cup", parentShareId="old"),
        event("share", "quick", 50, userId="ada", itemId="tea", campaignId="spring", channel="app"),
        event("share", "quick1", 50, userId="bob", itemId="tea", parentShareId="quick"),
        event("share", "quick2", 51, userId="cem", itemId="tea", parentShareId="quick1"),
        event("share", "lone", 50, userId="cem", itemId="cup"),
        event("open", "o1", 55, userId="dan", shareId="quick2"),
    ]
    assert ingest(graph, settings, shares, now_s=NOW_S).accepted == 7
    while cascades.count(graph, settings):
        pass
    return graph


def named(rows: list[dict[str, Any]]) -> list[str]:
    return [row["shareId"] for row in rows]


def test_those_come_first_in_which_most_was_shared_lately(shop: Graph) -> None:
    rows = cascade_reads.growing(shop, now_ms=NOW_MS, limit=10, active=False)
    # At 10:50 `old` is worth 2 * 2^(-50/60) = 1.12, more than the one share of `lone`.
    assert named(rows) == ["quick", "old", "lone"]
    hours = 25 + 10 / 60  # from 10:50 to noon of the next day
    assert rows[2]["recentShares"] == pytest.approx(2**-hours, abs=1e-6)
    assert rows[0]["lastActivityAt"] == "2026-05-31T10:55:00.000Z"
    assert (rows[0]["cascadeSize"], rows[0]["itemId"], rows[0]["campaignId"]) == (3, "tea", "spring")


def test_pages_follow_each_other_without_gap(shop: Graph) -> None:
    found: list[str] = []
    after = None
    while rows := cascade_reads.growing(shop, now_ms=NOW_MS, limit=1, active=False, after=after):
        found += named(rows)
        after = (rows[-1]["growth"], rows[-1]["shareId"])
    assert found == ["quick", "old", "lone"]


def test_only_active_ones_of_an_item_or_a_campaign(shop: Graph) -> None:
    noon = int(NOW_MS - 24 * 3_600_000)  # 12:00 of the day of the shares
    assert named(cascade_reads.growing(shop, now_ms=noon, limit=10)) == ["quick", "old", "lone"]
    assert named(cascade_reads.growing(shop, now_ms=noon + 3 * 86_400_000, limit=10)) == []
    assert named(cascade_reads.growing(shop, now_ms=noon, limit=10, item_id="cup")) == ["old", "lone"]
    assert named(cascade_reads.growing(shop, now_ms=noon, limit=10, campaign_id="spring")) == ["quick"]
    assert cascade_reads.growing(shop, now_ms=noon, limit=10, item_id="cup", campaign_id="spring") == []


def test_a_cascade_by_any_of_its_shares(shop: Graph, cypher: Cypher) -> None:
    cypher("MATCH (u:User {userId: 'cem'}) SET u.consent = ['sharing']")
    found = cascade_reads.cascade(shop, "quick2", now_ms=NOW_MS)
    assert (found["shareId"], found["cascadeSize"], found["levelSizes"], found["opens"]) == ("quick", 3, [1, 1, 1], 1)
    assert [(row["shareId"], row["parentShareId"], row["depth"], row["userId"]) for row in found["shares"]] == [
        ("quick", None, 0, "ada"),
        ("quick1", "quick", 1, "bob"),
        ("quick2", "quick1", 2, None),
    ]
    assert [row["subtreeSize"] for row in found["shares"]] == [3, 2, 1]
    assert found["truncated"] is False
    assert cascade_reads.cascade(shop, "quick", now_ms=NOW_MS, limit=2)["truncated"] is True
    with pytest.raises(NotFoundError):
        cascade_reads.cascade(shop, "nothing", now_ms=NOW_MS)


def test_a_timeline_counts_shares_by_their_time(shop: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cascade_reads, "STEPS", 2)
    first = (
        NOW_MS - 25 * 3_600_000 - 10 * 60_000
    )  # 10:50 of the day before, of two shares; the third came a minute later
    assert cascade_reads.timeline(shop, "quick") == [(first, 0), (first + 30_001, 2), (first + 60_000, 3)]
    assert cascade_reads.timeline(shop, "old") == [(first - 50 * 60_000, 0), (first - 50 * 60_000, 2)]
    assert cascade_reads.timeline(shop, "nothing") == []
