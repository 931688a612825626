"""Interactions, shares and opens as files of the import tool, each with its entry in the ledger."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportReturnType=false, reportCallIssue=false, reportIndexIssue=false
# pandas has no stubs of its own; its inferred types are unions of everything a frame may give.

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graph import row_events
from graph.bulk_sheets import OddValueError, times
from graph.bulk_tables import CHUNK, Columns, Load
from graph.effects import KEPT
from graph.event_shapes import INTERACTIONS, Event, body_hash, properties
from graph.raw_tables import ROW
from graph.share_effects import KEPT_WITH_NODE, Places

NEVER: Final = np.iinfo(np.int64).max
Taken = tuple[Event, list[Any]]
"""An event that goes into the sheets, with its free cells."""


class Events:
    """Writes the tables of events; what must wait goes to `load.rest`."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._users = load.described("users", "userId")
        self._items = load.described("items", "itemId")
        self._seen: set[str] = set()
        self._hashed: set[str] = set()
        self._places: Places = {}
        self._ledger = load.sheets.nodes(
            "Event", ["eventId:string", "bodyHash:string", "receivedAt:datetime", "imported:boolean"]
        )

    def write_interactions(self) -> None:
        """Write one relationship per interaction, and the views folded."""
        if (table := self._table("interactions", KEPT)) is None:
            return
        frame, extras, columns = table
        head = [":START_ID(User)", ":END_ID(Item)", ":TYPE", "eventId:string", "occurredAt:datetime"]
        sheet = self._load.sheets.relationships("", [*head, "ingestedAt:datetime", *columns.header()])
        views: list[tuple[str, str, int]] = []

        def write(taken: list[Taken]) -> None:
            acts = [one for one in taken if one[0]["type"] != "view"]
            at = times([event.get("occurredAt") for event, _ in acts])
            sheet.write(
                [
                    [e["userId"], e["itemId"], INTERACTIONS[e["type"]], e["eventId"], when, self._load.now, *cells]
                    for (e, cells), when in zip(acts, at, strict=True)
                ]
            )
            views.extend(
                (e["userId"], e["itemId"], e.get("occurredAt", NEVER)) for e, _ in taken if e["type"] == "view"
            )

        def cells_of(event: Event) -> list[Any]:
            return columns.nothing if event["type"] == "view" else columns.cells(properties(event, KEPT))

        self._each("interactions", frame, lambda part: row_events.interaction_events(part, self._load.dataset, extras),
                   cells_of, write)  # fmt: skip
        self._write_views(views)

    def _write_views(self, views: list[tuple[str, str, int]]) -> None:
        if not views:
            return
        users, items, ms = zip(*views, strict=True)
        head = [":START_ID(User)", ":END_ID(Item)", "count:long", "firstAt:datetime", "lastAt:datetime"]
        sheet = self._load.sheets.relationships("VIEWED", [*head, "ingestedAt:datetime"])
        first_row, count, first, last = folded(users, items, np.array(ms, np.int64))
        for start in range(0, len(first_row), CHUNK):
            part = slice(start, start + CHUNK)
            from_, to = ([None if v == NEVER else v for v in one[part].tolist()] for one in (first, last))
            sheet.write(
                [
                    [users[at], items[at], n, a, b, self._load.now]
                    for at, n, a, b in zip(
                        first_row[part].tolist(), count[part].tolist(), times(from_), times(to), strict=True
                    )
                ]
            )

    def write_shares(self) -> None:
        """Write shares with root and depth, whom they went to and what they pass on."""
        if (table := self._table("shares", KEPT_WITH_NODE)) is None:
            return
        frame, extras, columns = table
        load = self._load
        head = ["shareId:ID(Share)", "occurredAt:datetime", "rootShareId:string", "depth:long", "ingestedAt:datetime"]
        shares = load.sheets.nodes("Share", [*head, *columns.header()])
        shared = load.sheets.relationships("SHARED", [":START_ID(User)", ":END_ID(Share)"])
        of_item = load.sheets.relationships("OF_ITEM", [":START_ID(Share)", ":END_ID(Item)"])
        reshares = load.sheets.relationships("RESHARE_OF", [":START_ID(Share)", ":END_ID(Share)"])
        sent = load.sheets.relationships("SENT_TO", [":START_ID(Share)", ":END_ID(User)", "ingestedAt:datetime"])
        events, lines = row_events.share_events(frame, load.dataset, extras)
        load.rows["shares"] = len(events)

        def cells_of(event: Event) -> list[Any]:
            place = self._place(event)
            if place is None:
                raise OddValueError
            cells = columns.cells(properties(event, KEPT_WITH_NODE))
            self._places[event["shareId"]] = place
            return cells

        for start in range(0, len(events), CHUNK):
            part = events[start : start + CHUNK]
            taken = self._admitted("shares", part, lines[start : start + CHUNK], [False] * len(part), cells_of)
            at = times([event.get("occurredAt") for event, _ in taken])
            shares.write(
                [
                    [e["shareId"], when, *self._places[e["shareId"]], load.now, *cells]
                    for (e, cells), when in zip(taken, at, strict=True)
                ]
            )
            shared.write([[e["userId"], e["shareId"]] for e, _ in taken])
            of_item.write([[e["shareId"], e["itemId"]] for e, _ in taken])
            reshares.write([[e["shareId"], e["parentShareId"]] for e, _ in taken if "parentShareId" in e])
            sent.write([[e["shareId"], user, load.now] for e, _ in taken for user in e.get("recipientIds", ())])
            load.progress("shares", min(start + CHUNK, len(events)), len(events))

    def _place(self, event: Event) -> tuple[str, int] | None:
        """Return root and depth, None where they depend on more than the shares before it in the folder."""
        parent, root = event.get("parentShareId"), event.get("rootShareId")
        if parent is None:
            return (event["shareId"], 0) if root is None else (root, 1)
        above = self._places.get(parent) if root is None else None
        return None if above is None else (above[0], above[1] + 1)

    def write_opens(self) -> None:
        """Write one relationship per open of a share that is in the sheets."""
        if (table := self._table("opens", KEPT_WITH_NODE)) is None:
            return
        frame, extras, columns = table
        head = [":START_ID(User)", ":END_ID(Share)", "eventId:string", "occurredAt:datetime", "ingestedAt:datetime"]
        sheet = self._load.sheets.relationships("OPENED", [*head, *columns.header()])

        def write(taken: list[Taken]) -> None:
            at = times([event.get("occurredAt") for event, _ in taken])
            sheet.write(
                [
                    [e["userId"], e["shareId"], e["eventId"], when, self._load.now, *cells]
                    for (e, cells), when in zip(taken, at, strict=True)
                ]
            )

        def cells_of(event: Event) -> list[Any]:
            if event["shareId"] not in self._places:
                raise OddValueError
            return columns.cells(properties(event, KEPT_WITH_NODE))

        self._each("opens", frame, lambda part: row_events.open_events(part, self._load.dataset, extras),
                   cells_of, write)  # fmt: skip

    def _table(self, name: str, kept: Sequence[str]) -> tuple[pd.DataFrame, list[str], Columns] | None:
        """Return the table, its free columns and what they are in the sheets; None where the folder has none."""
        frame = self._load.judged.frames.get(name)
        if frame is None:
            return None
        extras = self._load.judged.extras[name]
        return frame, extras, Columns(frame, [*kept, *extras])

    def _each(
        self,
        table: str,
        frame: pd.DataFrame,
        events_of: Callable[[pd.DataFrame], list[Event]],
        cells_of: Callable[[Event], list[Any]],
        write: Callable[[list[Taken]], None],
    ) -> None:
        """Turn the table into events part by part, and write those that may go into the sheets."""
        self._load.rows[table] = len(frame)
        for start in range(0, len(frame), CHUNK):
            part = frame.iloc[start : start + CHUNK]
            hashed = [one is None for one in row_events.column(part, "eventId")]
            write(self._admitted(table, events_of(part), part[ROW].tolist(), hashed, cells_of))
            self._load.progress(table, min(start + CHUNK, len(frame)), len(frame))

    def _admitted(
        self,
        table: str,
        events: Sequence[Event],
        lines: Sequence[int],
        hashed: Sequence[bool],
        cells_of: Callable[[Event], list[Any]],
    ) -> list[Taken]:
        """Return the events that are the first of their id and fit, entered in the ledger; the others wait."""
        taken: list[Taken] = []
        for event, line, is_hashed in zip(events, lines, hashed, strict=True):
            event_id = event["eventId"]
            if is_hashed and event_id in self._hashed:
                self._load.duplicates += 1
                continue
            try:
                if event_id in self._seen or not (self._load.creates or self._is_known(event)):
                    raise OddValueError
                taken.append((event, cells_of(event)))
            except OddValueError:
                self._load.rest.events[table].append((event, line))
                continue
            self._seen.add(event_id)
            if is_hashed:
                self._hashed.add(event_id)
        self._ledger.write([[event["eventId"], body_hash(event), self._load.now, "true"] for event, _ in taken])
        self._load.accepted += len(taken)
        return taken

    def _is_known(self, event: Event) -> bool:
        return (
            event["userId"] in self._users
            and ("itemId" not in event or event["itemId"] in self._items)
            and self._users.issuperset(event.get("recipientIds", ()))
        )


def folded(
    users: Sequence[str], items: Sequence[str], ms: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return per pair of user and item one row that has it, how many there are, the first and the last time.

    Args:
        users: (N,) ids, N > 0.
        items: (N,) ids.
        ms: (N,) times, `NEVER` where unknown.
    """
    user_code, _ = pd.factorize(np.array(users, object))
    item_code, named = pd.factorize(np.array(items, object))
    pair = user_code.astype(np.int64) * len(named) + item_code
    order = np.argsort(pair, kind="stable")
    start = np.flatnonzero(np.diff(pair[order], prepend=-1))
    count = np.diff(start, append=len(order))
    first = np.minimum.reduceat(ms[order], start)
    last = np.maximum.reduceat(np.where(ms == NEVER, -NEVER, ms)[order], start)
    return order[start], count, first, np.where(last == -NEVER, NEVER, last)
