"""The shapes of events: what is refused where, and which bodies are the same."""

from __future__ import annotations

from typing import Any

import pytest

from graph.event_shapes import SHAPES, body_hash, canonical

NOW_MS = 1_780_000_000_000
LIKE = {"eventId": "e1", "type": "like", "userId": "ada", "itemId": "cup", "occurredAt": "2026-05-01T00:00:00Z"}
SHARE = {**LIKE, "type": "share"}
TIE = {"eventId": "e1", "type": "friend", "userId": "ada", "friendId": "bob", "occurredAt": "2026-05-01T00:00:00Z"}
PURCHASE = {**LIKE, "type": "purchase", "valueMinor": 5, "currency": "EUR"}


def shaped(event: Any, oldest_ms: int | None = 0) -> tuple[dict[str, Any], list[str]]:
    """Return the canonical form and the pointers of its problems."""
    form, problems = canonical(event, now_ms=NOW_MS, oldest_ms=oldest_ms)
    return form, [pointer for pointer, _ in problems]


@pytest.mark.parametrize(
    ("event", "pointers"),
    [
        (LIKE, []),
        ([], [""]),
        ({}, ["/eventId", "/type"]),
        ({**LIKE, "type": ["like"]}, ["/type"]),
        ({**LIKE, "eventId": None}, ["/eventId"]),
        ({**LIKE, "itemId": None}, ["/itemId"]),
        ({**LIKE, "userId": 5}, ["/userId"]),
        ({**LIKE, "rating": 5}, ["/rating"]),
        ({**LIKE, "channel": "x" * 65}, ["/channel"]),
        ({**LIKE, "rootShareId": "s"}, ["/rootShareId"]),
        ({**LIKE, "\ud800": 1}, ["/?"]),
        ({**LIKE, "occurredAt": "then"}, ["/occurredAt"]),
        ({**LIKE, "occurredAt": 5}, ["/occurredAt"]),
        ({**LIKE, "occurredAt": None}, ["/occurredAt"]),
        ({**LIKE, "properties": {"a": {"b": 1}}}, ["/properties"]),
        ({**LIKE, "properties": {"userId": "x"}}, ["/properties"]),
        ({**LIKE, "properties": {"embedding_a": 1}}, ["/properties"]),
        ({**LIKE, "properties": {"a": float("nan")}}, ["/properties"]),
        ({**LIKE, "properties": {f"a{n}": n for n in range(65)}}, ["/properties"]),
        ({**LIKE, "type": "rate", "rating": 5.1}, ["/rating"]),
        ({**LIKE, "type": "rate", "rating": True}, ["/rating"]),
        ({**PURCHASE, "valueMinor": -1}, ["/valueMinor"]),
        ({**PURCHASE, "valueMinor": 10**12}, []),
        ({**PURCHASE, "valueMinor": 10**12 + 1}, ["/valueMinor"]),
        ({**PURCHASE, "valueMinor": 2**63}, ["/valueMinor"]),
        ({**PURCHASE, "properties": {"refundedMinor": 1}}, ["/properties"]),
        ({**SHARE, "properties": {"rootShareId": "x"}}, ["/properties"]),
        ({**SHARE, "properties": {"subtreeSize": 1}}, ["/properties"]),
        ({**SHARE, "properties": {"cascadeSize": 1}}, ["/properties"]),
        ({**SHARE, "properties": {"forecastSize": 1}}, ["/properties"]),
        ({**SHARE, "properties": {"locked": 1}}, ["/properties"]),
        ({**SHARE, "properties": {"size": 1}}, []),
        ({**PURCHASE, "valueMinor": 1.0}, ["/valueMinor"]),
        ({**PURCHASE, "currency": "euro"}, ["/currency"]),
        ({**SHARE, "recipientIds": "bob"}, ["/recipientIds"]),
        ({**SHARE, "recipientIds": ["bob", ""]}, ["/recipientIds"]),
        ({**SHARE, "recipientIds": [f"u{n}" for n in range(1_001)]}, ["/recipientIds"]),
        ({**SHARE, "shareId": "s", "parentShareId": "s"}, ["/parentShareId"]),
        ({**TIE, "friendId": "ada"}, ["/friendId"]),
        ({**TIE, "strength": float("inf")}, ["/strength"]),
    ],
)
def test_what_is_wrong_is_pointed_at(event: Any, pointers: list[str]) -> None:
    assert shaped(event)[1] == pointers


def test_every_type_needs_its_fields() -> None:
    needed = {
        "view": "itemId userId", "like": "itemId userId", "comment": "itemId userId", "save": "itemId userId",
        "addToCart": "itemId userId", "hide": "itemId userId", "rate": "itemId rating userId",
        "purchase": "currency itemId userId valueMinor", "refund": "purchaseEventId valueMinor",
        "click": "itemId recommendationId userId", "share": "itemId userId", "open": "shareId userId",
        "friend": "friendId userId", "unfriend": "friendId userId", "follow": "friendId userId",
        "unfollow": "friendId userId", "block": "friendId userId",
    }  # fmt: skip
    assert set(needed) == set(SHAPES)
    for kind, names in needed.items():
        bare = {"eventId": "e1", "type": kind, "occurredAt": "2026-05-01T00:00:00Z"}
        assert shaped(bare)[1] == [f"/{name}" for name in names.split()]


@pytest.mark.parametrize(("ahead_s", "pointers"), [(300, []), (301, ["/occurredAt"])])
def test_a_clock_may_be_five_minutes_ahead(ahead_s: int, pointers: list[str]) -> None:
    from datetime import UTC, datetime

    when = datetime.fromtimestamp(NOW_MS / 1000 + ahead_s, UTC).isoformat()
    assert shaped({**LIKE, "occurredAt": when})[1] == pointers


def test_times_only_imports_may_leave_out() -> None:
    timeless = {name: value for name, value in LIKE.items() if name != "occurredAt"}
    assert shaped(timeless, oldest_ms=None)[1] == []
    assert shaped({**TIE, "type": "unfollow", "occurredAt": None}, oldest_ms=None)[1] == ["/occurredAt"]
    assert shaped(LIKE, oldest_ms=NOW_MS)[1] == ["/occurredAt"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LIKE, {**LIKE, "occurredAt": "2026-05-01T02:00:00+02:00", "channel": None}),
        (LIKE, dict(reversed(LIKE.items()))),
        ({**LIKE, "type": "rate", "rating": 4}, {**LIKE, "type": "rate", "rating": 4.0}),
        (SHARE, {**SHARE, "shareId": "e1", "recipientIds": []}),
        ({**SHARE, "recipientIds": ["a", "b"]}, {**SHARE, "recipientIds": ["b", "a", "b", "ada"]}),
    ],
)
def test_bodies_that_say_the_same_hash_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert body_hash(shaped(one)[0]) == body_hash(shaped(other)[0])


@pytest.mark.parametrize(
    "other",
    [
        {**LIKE, "userId": "bob"},
        {**LIKE, "type": "save"},
        {**LIKE, "channel": "app"},
        {**LIKE, "properties": {"a": 1}},
        {**LIKE, "occurredAt": "2026-05-01T00:00:01Z"},
    ],
)
def test_bodies_that_say_something_else_hash_otherwise(other: dict[str, Any]) -> None:
    assert body_hash(shaped(other)[0]) != body_hash(shaped(LIKE)[0])
