"""Events in, by type; and what became of them.

These models document; each event is judged by `graph.event_shapes`, which imports use too. A test holds them together.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.shapes.parts import (
    Answer,
    Attributes,
    Currency,
    Identifier,
    PaidMoney,
    Rating,
    ShortText,
    Strength,
    Strict,
    Time,
)

MOST_EVENTS = 5_000
"""Events in one request."""
MOST_RECIPIENTS = 1_000


class Event(Strict):
    """What every event says."""

    event_id: Identifier
    occurred_at: Time
    channel: ShortText | None = None
    platform: ShortText | None = None
    recommendation_id: Annotated[str, Field(max_length=1024)] | None = None
    campaign_id: Identifier | None = None
    properties: Attributes | None = None


class UserItemEvent(Event):
    """A user acts on an item."""

    type: Literal["view", "like", "comment", "save", "addToCart", "hide"]
    user_id: Identifier
    item_id: Identifier


class RateEvent(Event):
    """A user rates an item, 0 to 5."""

    type: Literal["rate"]
    user_id: Identifier
    item_id: Identifier
    rating: Rating


class PurchaseEvent(Event):
    """A user buys an item."""

    type: Literal["purchase"]
    user_id: Identifier
    item_id: Identifier
    value_minor: PaidMoney
    currency: Currency
    share_id: Identifier | None = None


class RefundEvent(Event):
    """A purchase is paid back, wholly or in part."""

    type: Literal["refund"]
    purchase_event_id: Identifier
    value_minor: PaidMoney


class ClickEvent(Event):
    """A user follows a recommendation."""

    type: Literal["click"]
    user_id: Identifier
    item_id: Identifier
    recommendation_id: Annotated[str, Field(min_length=1, max_length=1024)]


class ShareEvent(Event):
    """A user shows an item to others."""

    type: Literal["share"]
    user_id: Identifier
    item_id: Identifier
    recipient_ids: Annotated[list[Identifier], Field(max_length=MOST_RECIPIENTS)] | None = None
    share_id: Identifier | None = None
    parent_share_id: Identifier | None = None


class OpenEvent(Event):
    """A user opens a share."""

    type: Literal["open"]
    user_id: Identifier
    share_id: Identifier


class FriendEvent(Event):
    """Two users become friends."""

    type: Literal["friend"]
    user_id: Identifier
    friend_id: Identifier
    strength: Strength | None = None


class TieEvent(Event):
    """A user makes or breaks another tie."""

    type: Literal["unfriend", "follow", "unfollow", "block"]
    user_id: Identifier
    friend_id: Identifier


AnyEvent = Annotated[
    UserItemEvent
    | RateEvent
    | PurchaseEvent
    | RefundEvent
    | ClickEvent
    | ShareEvent
    | OpenEvent
    | FriendEvent
    | TieEvent,
    Field(discriminator="type"),
]


class RejectedProblem(Answer):
    """Why an event was not taken; `pointer` points into the event."""

    title: str
    status: int
    detail: str
    errors: list[dict[str, str]]


class Rejected(Answer):
    """An event that was not taken, by its place in the request."""

    index: int
    problem: RejectedProblem


class EventsAnswer(Answer):
    """What became of the events."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]
