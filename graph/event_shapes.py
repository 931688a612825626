"""The shapes of events: each type's fields, what they may hold, and the canonical form that is hashed and written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from graph.trees import ROOT_PROPERTIES
from graph.values import (
    MAX_ATTRIBUTES,
    MAX_VALUE_MINOR,
    attribute_problem,
    currency_problem,
    id_problem,
    integer_problem,
    number_problem,
    plain_number,
    text_problem,
    time_ms,
)

FUTURE_S: Final = 300
"""A client's clock may be this far ahead."""
MAX_RECIPIENTS: Final = 1_000
MAX_CHANNEL_CHARS: Final = 64

INTERACTIONS: Final[Mapping[str, str]] = {
    "like": "LIKED",
    "comment": "COMMENTED",
    "save": "SAVED",
    "addToCart": "ADDED_TO_CART",
    "hide": "HIDDEN",
    "rate": "RATED",
    "purchase": "PURCHASED",
    "click": "CLICKED",
}
"""Relationship types of the events that become one relationship each."""

FORGED: Final = "recommendationForged"
"""True beside a `recommendationId` that was not signed here."""
WRITTEN: Final = frozenset(
    {
        "rootShareId", "depth", "waitsFor", "placeholder", "subtreeSize", "ownOpens", "isFirst", "refundedMinor",
        FORGED, *ROOT_PROPERTIES,
    }
)  # fmt: skip
"""Properties of shares and interactions that follow from other events; none is taken from a client."""

Event = dict[str, Any]
"""An event in canonical form: `eventId`, `type`, its fields, `occurredAt` in ms (absent where unknown)."""

Problem = tuple[str, str]
"""Pointer into the event and what is wrong there."""


def _recipients_problem(value: object) -> str | None:
    if not isinstance(value, list) or len(value) > MAX_RECIPIENTS:
        return f"must be a list of at most {MAX_RECIPIENTS} user ids"
    return next((f"holds an id that {problem}" for one in value if (problem := id_problem(one))), None)


def _properties_problem(value: object) -> str | None:
    if not isinstance(value, dict) or len(value) > MAX_ATTRIBUTES:
        return f"must be an object of at most {MAX_ATTRIBUTES} attributes"
    for name, one in value.items():
        if not isinstance(name, str):
            return "must have names that are strings"
        if problem := act_attribute_problem(name, one):
            return f"{name} {problem}"
    return None


def act_attribute_problem(name: str, value: object) -> str | None:
    """Say why the free attribute cannot be stored with what users do, None if it can."""
    if name in FIELDS or name in WRITTEN or name.startswith("forecast"):
        return "is a name that Kith uses itself"
    return attribute_problem(name, value)


def _channel_problem(value: object) -> str | None:
    return text_problem(value, limit=MAX_CHANNEL_CHARS)


FIELDS: Final[Mapping[str, Callable[[object], str | None]]] = {
    "userId": id_problem,
    "itemId": id_problem,
    "shareId": id_problem,
    "parentShareId": id_problem,
    "friendId": id_problem,
    "purchaseEventId": id_problem,
    "recommendationId": lambda value: text_problem(value, limit=1_024),
    "campaignId": id_problem,
    "channel": _channel_problem,
    "platform": _channel_problem,
    "rating": lambda value: number_problem(value, minimum=0, maximum=5),
    "strength": lambda value: number_problem(value, minimum=0, maximum=1e6),
    "valueMinor": lambda value: integer_problem(value, minimum=0, maximum=MAX_VALUE_MINOR),
    "currency": currency_problem,
    "recipientIds": _recipients_problem,
    "properties": _properties_problem,
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of one event type beside those every event has."""

    required: frozenset[str]
    allowed: frozenset[str]


COMMON: Final = frozenset({"channel", "platform", "recommendationId", "campaignId", "properties"})


def _shape(required: str, optional: str = "") -> Shape:
    names = frozenset(required.split())
    return Shape(names, names | frozenset(optional.split()) | COMMON)


SHAPES: Final[Mapping[str, Shape]] = {
    **dict.fromkeys(("view", "like", "comment", "save", "addToCart", "hide"), _shape("userId itemId")),
    "rate": _shape("userId itemId rating"),
    "purchase": _shape("userId itemId valueMinor currency", "shareId"),
    "refund": _shape("purchaseEventId valueMinor"),
    "click": _shape("userId itemId recommendationId"),
    "share": _shape("userId itemId", "recipientIds shareId parentShareId"),
    "open": _shape("userId shareId"),
    "friend": _shape("userId friendId", "strength"),
    **dict.fromkeys(("unfriend", "follow", "unfollow", "block"), _shape("userId friendId")),
}

ENDS: Final = frozenset({"unfriend", "unfollow"})
"""Types that mean nothing without a time."""


def canonical(event: object, *, now_ms: int, oldest_ms: int | None) -> tuple[Event, list[Problem]]:
    """Return the event in canonical form and what is wrong with it (then the form is not to be used).

    Args:
        event: as a client sent it.
        now_ms: the server's clock.
        oldest_ms: earlier events are refused, since the ledger that would know them may be pruned; None: none is.
    """
    if not isinstance(event, dict):
        return {}, [("", "must be an object")]
    given: Event = {name: value for name, value in event.items() if value is not None}
    problems: list[Problem] = []
    if problem := id_problem(given.get("eventId", "")):
        problems.append(("/eventId", problem))
    kind = given.get("type")
    shape = SHAPES.get(kind) if isinstance(kind, str) else None
    if shape is None:
        return {}, [*problems, ("/type", f"must be one of {', '.join(SHAPES)}")]
    problems += [(f"/{name}", "is missing") for name in sorted(shape.required - given.keys())]
    for name, value in given.items():
        if name in shape.allowed:
            if problem := FIELDS[name](value):
                problems.append((f"/{name}", problem))
        elif name not in ("eventId", "type", "occurredAt"):
            problems.append((f"/{str(name)[:64].encode('ascii', 'replace').decode()}", f"is no field of {kind}"))
    problems += _time_problems(given, now_ms, oldest_ms)
    if not problems:
        _settle(given)
        problems += _pair_problems(given)
    return given, problems


def _time_problems(given: Event, now_ms: int, oldest_ms: int | None) -> list[Problem]:
    if "occurredAt" not in given:
        is_needed = oldest_ms is not None or given["type"] in ENDS
        return [("/occurredAt", "is missing")] if is_needed else []
    try:
        given["occurredAt"] = at = time_ms(given["occurredAt"])
    except (ValueError, OverflowError):
        return [("/occurredAt", "must be an ISO 8601 time")]
    if at > now_ms + FUTURE_S * 1000:
        return [("/occurredAt", f"lies more than {FUTURE_S} s in the future")]
    if oldest_ms is not None and at < oldest_ms:
        return [("/occurredAt", "is older than the ledger is kept (KITH_LEDGER_DAYS)")]
    return []


def _settle(given: Event) -> None:
    """Bring what can be said in two ways into one."""
    for name in ("rating", "strength"):
        if name in given:
            given[name] = plain_number(given[name])
    if given["type"] == "share":
        recipients = sorted(set(given.get("recipientIds", ())) - {given["userId"]})
        given.pop("recipientIds", None)
        if recipients:
            given["recipientIds"] = recipients
        given.setdefault("shareId", given["eventId"])


def _pair_problems(given: Event) -> list[Problem]:
    if "friendId" in given and given["friendId"] == given["userId"]:
        return [("/friendId", "must be another user")]
    if "parentShareId" in given and given["parentShareId"] == given["shareId"]:
        return [("/parentShareId", "must be another share")]
    return []


def body_hash(event: Event) -> str:
    """Return the hash of the canonical event: 32 hexadecimal digits, which Neo4j stores in place."""
    return hashlib.blake2b(orjson.dumps(event, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def properties(event: Event, names: Sequence[str]) -> dict[str, Any]:
    """Return the fields of the event that are stored as they are, with its free attributes."""
    kept = {name: event[name] for name in names if name in event}
    if "rating" in kept:
        kept["rating"] = float(kept["rating"])  # one type for analysts, though 4 and 4.0 are one body
    return {**event["properties"], **kept} if "properties" in event else kept
