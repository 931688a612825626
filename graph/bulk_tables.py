"""Users, items and ties as files of the import tool, saying what the ordinary import would write into an empty graph.

What the files cannot hold (a list with a separator in it, a column of mixed types) and events that depend on others is
kept for the ordinary import, which runs afterwards on the loaded store: `Rest`.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportReturnType=false, reportCallIssue=false, reportIndexIssue=false
# pandas has no stubs of its own; its inferred types are unions of everything a frame may give.

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from graph import row_events
from graph.bulk_sheets import OddValueError, Sheets, cell, kind_of_column, times
from graph.event_shapes import Event
from graph.table_rules import TEXTS, Judged

CHUNK: Final = 50_000

Progress = Callable[[str, int, int], None]
Pair = tuple[Event, int]
"""An event and the row it came from."""


@dataclass(slots=True)
class Rest:
    """What the ordinary import has to do after the bulk load."""

    users: list[int] = field(default_factory=list)
    """Positions in the table of those whose node is there but lacks a property."""
    items: list[int] = field(default_factory=list)
    events: dict[str, list[Pair]] = field(default_factory=lambda: {"interactions": [], "shares": [], "opens": []})


@dataclass(slots=True)
class Load:
    """One folder on its way into the sheets."""

    sheets: Sheets
    dataset: str
    judged: Judged
    consent: list[str]
    """Of users who state none."""
    creates: bool
    """Whether users and items that only other tables name are created (`KITH_UNKNOWN_IDS`)."""
    now: str
    """The stamp of everything that is written."""
    progress: Progress
    rest: Rest = field(default_factory=Rest)
    rows: dict[str, int] = field(default_factory=dict)
    """Good rows per table."""
    accepted: int = 0
    duplicates: int = 0

    def column_ids(self, names: Sequence[str]) -> set[str]:
        """Return the ids in these columns of all tables but `users` and `items`."""
        frames = [frame for table, frame in self.judged.frames.items() if table not in ("users", "items")]
        return {one for frame in frames for name in names if name in frame for one in frame[name].dropna().unique()}

    def described(self, table: str, key: str) -> set[str]:
        """Return the ids that `users` or `items` describes."""
        frame = self.judged.frames.get(table)
        return set() if frame is None else set(frame[key])


class Columns:
    """The free part of a header: names with the kinds that their values have."""

    def __init__(self, frame: pd.DataFrame, names: Sequence[str]) -> None:
        kinds = {name: kind_of_column(row_events.column(frame, name)) for name in names if name in frame}
        self._kinds = {name: kind for name, kind in kinds.items() if kind}
        self.nothing: list[None] = [None] * len(self._kinds)
        """The cells of a row that has none of them."""

    def header(self) -> list[str]:
        """Return `name:kind` per column."""
        return [f"{name}:{kind}" for name, kind in self._kinds.items()]

    def cells(self, given: dict[str, Any]) -> list[Any]:
        """Return one row's cells.

        Raises:
            OddValueError: a value does not fit its column, or its column has no kind.
        """
        if not given:
            return self.nothing
        if given.keys() - self._kinds.keys():
            raise OddValueError
        return [cell(given.get(name), kind) for name, kind in self._kinds.items()]


def write_users(load: Load) -> None:
    """Write users, and stubs of those that only other tables name."""
    named = load.column_ids(("userId", "friendId", "recipientId"))
    if not load.creates:
        load.judged.refuse_unknown(named - load.described("users", "userId"))
    if "users" in load.judged.frames:
        load.rows["users"] = len(load.judged.frames["users"])
    frame = load.judged.frames.get("users", pd.DataFrame({"userId": [], "createdAt": []}))
    default = consent_cell(load.consent)
    cells = [default if said is None else consent_cell(said) for said in row_events.column(frame, "consent")]
    columns = Columns(frame, load.judged.extras.get("users", []))
    head = ["userId:ID(User)", "ingestedAt:datetime", "stub:boolean", "consent:string[]", "createdAt:datetime"]
    sheet = load.sheets.nodes("User", [*head, *columns.header()])
    for start in range(0, len(frame), CHUNK):
        part = row_events.entity_rows(frame.iloc[start : start + CHUNK], "userId", load.judged.extras["users"])
        free = _free_cells(columns, part, start, load.rest.users)
        created = times([row[2] for row in part])
        agreed = cells[start : start + CHUNK]
        sheet.write(
            [
                [row[0], load.now, None, said, at, *more]
                for row, said, at, more in zip(part, agreed, created, free, strict=True)
            ]
        )
        load.progress("users", min(start + CHUNK, len(frame)), len(frame))
    if load.creates:
        stubs = sorted(named - load.described("users", "userId"))
        sheet.write([[one, load.now, "true", default, None, *columns.nothing] for one in stubs])


def write_items(load: Load) -> None:
    """Write items, and stubs of those that only other tables name."""
    if "items" in load.judged.frames:
        load.rows["items"] = len(load.judged.frames["items"])
    frame = load.judged.frames.get("items", pd.DataFrame({"itemId": [], "createdAt": []}))
    names = [name for name in (*TEXTS, "priceMinor", "currency", "tags") if name in frame]
    names += load.judged.extras.get("items", [])
    columns = Columns(frame, names)
    head = ["itemId:ID(Item)", "ingestedAt:datetime", "stub:boolean", "createdAt:datetime"]
    sheet = load.sheets.nodes("Item", [*head, *columns.header()])
    for start in range(0, len(frame), CHUNK):
        part = row_events.entity_rows(frame.iloc[start : start + CHUNK], "itemId", names)
        free = _free_cells(columns, part, start, load.rest.items)
        created = times([row[2] for row in part])
        sheet.write([[row[0], load.now, None, at, *more] for row, at, more in zip(part, created, free, strict=True)])
        load.progress("items", min(start + CHUNK, len(frame)), len(frame))
    if load.creates:
        stubs = sorted(load.column_ids(("itemId",)) - load.described("items", "itemId"))
        sheet.write([[one, load.now, "true", None, *columns.nothing] for one in stubs])


def write_ties(load: Load) -> None:
    """Write friendships and follows."""
    _ties(load, "friends", "FRIEND", row_events.friend_rows, ["strength:double"])
    _ties(load, "follows", "FOLLOWS", row_events.follow_rows, [])


def _ties(
    load: Load, table: str, kind: str, rows_of: Callable[[pd.DataFrame], list[list[Any]]], more: list[str]
) -> None:
    frame = load.judged.frames.get(table)
    if frame is None:
        return
    load.rows[table] = len(frame)
    head = [":START_ID(User)", ":END_ID(User)", "since:datetime", "ingestedAt:datetime", *more]
    sheet = load.sheets.relationships(kind, head)
    for start in range(0, len(frame), CHUNK):
        rows = rows_of(frame.iloc[start : start + CHUNK])
        since = times([row[3] for row in rows])
        sheet.write([[row[0], row[1], at, load.now, *row[4:]] for row, at in zip(rows, since, strict=True)])
        load.progress(table, min(start + CHUNK, len(frame)), len(frame))


def consent_cell(purposes: Sequence[str]) -> str | None:
    """Return the cell of a consent; the tool drops an empty list, so `bulk.complete_consent` sets those afterwards."""
    return cell(list(purposes), "string[]") if purposes else None


def _free_cells(columns: Columns, rows: list[list[Any]], start: int, odd: list[int]) -> list[list[Any]]:
    """Return the free cells per row; a row that does not fit gets none, and its position goes to `odd`."""
    found: list[list[Any]] = []
    for at, row in enumerate(rows, start):
        try:
            found.append(columns.cells(row[1]))
        except OddValueError:
            found.append(columns.nothing)
            odd.append(at)
    return found
