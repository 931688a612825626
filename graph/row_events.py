"""Rows of judged tables as events and ties: the same canonical form and ids as events that come through the API."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportReturnType=false, reportCallIssue=false, reportIndexIssue=false
# pandas has no stubs of its own; its inferred types are unions of everything a frame may give.

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pandas as pd

from graph.effects import ordered_pair, tie_key
from graph.event_shapes import SHAPES, Event
from graph.raw_tables import ROW
from graph.values import plain_number

OPTIONAL = ("valueMinor", "currency", "rating", "channel", "platform", "recommendationId", "campaignId", "shareId")
"""Columns of interactions and opens that become fields of the event where its type has them."""


def hashed_id(dataset: str, row: Event) -> str:
    """Return the id of a row that has none: the sha256 of data set and canonical fields, 32 hexadecimal digits."""
    return hashlib.sha256(orjson.dumps([dataset, row], option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def column(frame: pd.DataFrame, name: str) -> list[Any]:
    """Return a column as Python values, None where missing or where there is no such column."""
    if name not in frame:
        return [None] * len(frame)
    values = frame[name]
    return list(values.to_numpy(dtype=object, na_value=None)) if values.dtype == "Int64" else list(values)


def interaction_events(frame: pd.DataFrame, dataset: str, extras: Sequence[str]) -> list[Event]:
    """Return one event per row of `interactions`."""
    return _events(frame, dataset, extras, column(frame, "type"), ("userId", "itemId"))


def open_events(frame: pd.DataFrame, dataset: str, extras: Sequence[str]) -> list[Event]:
    """Return one event per row of `opens`."""
    return _events(frame, dataset, extras, ["open"] * len(frame), ("userId", "shareId"))


def _events(
    frame: pd.DataFrame, dataset: str, extras: Sequence[str], kinds: Sequence[str], ends: tuple[str, str]
) -> list[Event]:
    first, second = (column(frame, name) for name in ends)
    optional = [(name, column(frame, name)) for name in OPTIONAL if name in frame and name not in ends]
    free = [(name, column(frame, name)) for name in extras]
    events: list[Event] = []
    for at, (kind, ms, event_id) in enumerate(
        zip(kinds, column(frame, "occurredAt"), column(frame, "eventId"), strict=True)
    ):
        event: Event = {"type": kind, ends[0]: first[at], ends[1]: second[at]}
        if ms is not None:
            event["occurredAt"] = int(ms)
        _add(event, optional, free, at)
        event["eventId"] = event_id or hashed_id(dataset, event)
        events.append(event)
    return events


def _add(event: Event, optional: list[tuple[str, list[Any]]], free: list[tuple[str, list[Any]]], at: int) -> None:
    allowed = SHAPES[event["type"]].allowed
    for name, values in optional:
        value = values[at]
        if value is not None and name in allowed:
            event[name] = plain_number(value) if name == "rating" else value
    if free:
        given = {name: _listed(values[at]) for name, values in free if values[at] is not None}
        if given:
            event["properties"] = given


def share_events(frame: pd.DataFrame, dataset: str, extras: Sequence[str]) -> tuple[list[Event], list[int]]:
    """Return one event per shareId, parents before their children, and the row each came from."""
    optional = [(name, column(frame, name)) for name in ("channel", "platform", "campaignId")]
    free = [(name, column(frame, name)) for name in extras]
    names = ("shareId", "userId", "itemId", "occurredAt", "parentShareId", "rootShareId", "recipientId", ROW)
    shares: dict[str, tuple[Event, int]] = {}
    for at, row in enumerate(zip(*(column(frame, name) for name in names), strict=True)):
        share_id, user_id, item_id, ms, parent, root, recipient, line = row
        event: Event = {"type": "share", "userId": user_id, "itemId": item_id}
        if ms is not None:
            event["occurredAt"] = int(ms)
        if parent is not None:
            event["parentShareId"] = parent
        if root is not None:
            event["rootShareId"] = root
        _add(event, optional, free, at)
        share_id = share_id or hashed_id(dataset, event)
        event |= {"shareId": share_id, "eventId": share_id, "recipientIds": set()}
        known, _ = shares.setdefault(share_id, (event, int(line)))
        if recipient is not None and recipient != user_id:
            known["recipientIds"].add(recipient)
    for event, _ in shares.values():
        recipients = sorted(event.pop("recipientIds"))
        if recipients:
            event["recipientIds"] = recipients
    ordered = sorted(shares.values(), key=lambda pair: depth_of(pair[0], shares))
    return [event for event, _ in ordered], [line for _, line in ordered]


def depth_of(event: Event, shares: dict[str, tuple[Event, int]]) -> int:
    """Return how many parents in the file the share has above it; a circle ends where it began."""
    seen = {event["shareId"]}
    while (parent := event.get("parentShareId")) in shares and parent not in seen:
        seen.add(parent)
        event = shares[parent][0]
    return len(seen) - 1


def root_of(event: Event, parents: dict[str, str]) -> str:
    """Return the id of the topmost share that is in the file, or that the file names."""
    at, seen = event["shareId"], {event["shareId"]}
    while (parent := parents.get(at)) is not None and parent not in seen:
        seen.add(parent)
        at = parent
    return event.get("rootShareId") or at


def friend_rows(frame: pd.DataFrame) -> list[list[Any]]:
    """Return rows of `events.start_friends`, sorted."""
    rows: list[list[Any]] = []
    strengths = column(frame, "strength")
    for user, friend, ms, strength in zip(
        column(frame, "userId"), column(frame, "friendId"), column(frame, "since"), strengths, strict=True
    ):
        first, second = ordered_pair(user, friend)
        since = None if ms is None else int(ms)
        rows.append([first, second, tie_key("FRIEND", first, second), since, 1.0 if strength is None else strength])
    return sorted(rows, key=lambda row: row[:2])


def follow_rows(frame: pd.DataFrame) -> list[list[Any]]:
    """Return rows of `events.start_follows`, sorted."""
    rows = [
        [user, friend, tie_key("FOLLOWS", user, friend), None if ms is None else int(ms)]
        for user, friend, ms in zip(
            column(frame, "userId"), column(frame, "friendId"), column(frame, "since"), strict=True
        )
    ]
    return sorted(rows, key=lambda row: row[:2])


def entity_rows(frame: pd.DataFrame, key: str, names: Sequence[str]) -> list[list[Any]]:
    """Return `[id, properties, createdMs]` per row of `users` or `items`."""
    columns = [(name, column(frame, name)) for name in names]
    return [
        [one, {name: _listed(v[at]) for name, v in columns if v[at] is not None}, None if ms is None else int(ms)]
        for at, (one, ms) in enumerate(zip(column(frame, key), column(frame, "createdAt"), strict=True))
    ]


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def parts(rows: Sequence[Any], key: Callable[[Any], str], count: int) -> list[list[Any]]:
    """Split rows into `count` parts by a hash of their key, so that one key has one writer."""
    split: list[list[Any]] = [[] for _ in range(count)]
    for row in rows:
        split[zlib.crc32(key(row).encode()) % count].append(row)
    return split
