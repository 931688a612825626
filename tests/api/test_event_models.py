"""The documented models of events and the judge of events say the same."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from api.shapes.events import AnyEvent, Event
from graph.event_shapes import SHAPES, canonical

NOW_MS = 1_795_000_000_000
BASE = {"eventId": "e1", "occurredAt": "2026-11-18T10:00:00Z"}
FULL: dict[str, Any] = {
    "userId": "u",
    "itemId": "i",
    "shareId": "s",
    "parentShareId": "p",
    "friendId": "f",
    "purchaseEventId": "b",
    "recommendationId": "r",
    "rating": 4,
    "strength": 2.5,
    "valueMinor": 100,
    "currency": "EUR",
    "recipientIds": ["v"],
}
ADAPTER: TypeAdapter[Any] = TypeAdapter(AnyEvent)


def models() -> dict[str, type[Event]]:
    union = get_args(get_args(AnyEvent)[0])
    return {kind: model for model in union for kind in get_args(model.model_fields["type"].annotation)}


def is_documented(event: dict[str, Any]) -> bool:
    try:
        ADAPTER.validate_python(event)
    except ValidationError:
        return False
    return True


def is_taken(event: dict[str, Any]) -> bool:
    return not canonical(event, now_ms=NOW_MS, oldest_ms=0)[1]


def test_every_type_is_documented() -> None:
    assert set(models()) == set(SHAPES)


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_each_type_takes_what_is_documented_and_no_more(kind: str) -> None:
    shape = SHAPES[kind]
    event = {**BASE, "type": kind, **{name: FULL[name] for name in shape.required}}
    assert is_taken(event)
    assert is_documented(event)
    for name in shape.required:
        without = {key: value for key, value in event.items() if key != name}
        assert not is_taken(without)
        assert not is_documented(without), name
    for name, value in FULL.items():
        if name not in event:
            assert is_taken({**event, name: value}) == is_documented({**event, name: value}), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("eventId", ""),
        ("eventId", "x" * 257),
        ("occurredAt", "yesterday"),
        ("rating", 6),
        ("rating", "4"),
        ("userId", 7),
        ("properties", {"rootShareId": "s"}),
        ("properties", {"locked": True}),
    ],
)
def test_both_refuse_the_same_values(name: str, value: object) -> None:
    event = {**BASE, "type": "rate", "userId": "u", "itemId": "i", "rating": 1, name: value}
    assert not is_taken(event)
    assert not is_documented(event)
