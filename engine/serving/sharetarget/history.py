"""Share events as columns, and the bounded part of them that one question looks at.

Everything that is asked of a share target reads the *excerpt* of its question (u, i, t) and nothing else:

- own: the newest OWN_EVENTS events that u sent or received,
- circle: for the newest PARTNERS users of those events the newest CIRCLE_EVENTS events that each sent or received,
- around the item: the newest ITEM_EVENTS events of i,

all strictly before t. The excerpt of an excerpt is the excerpt, so a history that was fetched for one question gives
the numbers that the whole history gives. Questions are answered many at a time: rows carry the number of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError

OWN_EVENTS = 500
PARTNERS = 200
CIRCLE_EVENTS = 50
ITEM_EVENTS = 200
NOT_OPENED = np.iinfo(np.int64).max
"""Time of the opening of a share that was not opened."""

Int = NDArray[np.int64]
Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Questions:
    """Q questions: whom should a user share an item with, at a time."""

    user: Int
    """(Q,) index of u."""
    item: Int
    """(Q,) index of i."""
    time_s: Int
    """(Q,) seconds since 1970."""
    seen_s: Int
    """(Q,) events strictly before it count, <= time_s; the same as time_s where history is up to date."""

    def __len__(self) -> int:
        return len(self.user)

    def part(self, rows: slice | NDArray[np.integer] | NDArray[np.bool_]) -> Questions:
        """Return the chosen questions."""
        return Questions(self.user[rows], self.item[rows], self.time_s[rows], self.seen_s[rows])


def ask(user: Int, item: Int, time_s: Int, seen_s: Int | None = None) -> Questions:
    """Return questions whose history goes up to `seen_s` (Q,), or to their own time."""
    return Questions(user, item, time_s, time_s if seen_s is None else np.minimum(seen_s, time_s))


@dataclass(frozen=True)
class History:
    """E share events in the order of time. One event is one share to one recipient."""

    sender: Int
    """(E,) user index."""
    item: Int
    """(E,) item index."""
    recipient: Int
    """(E,) user index."""
    time_s: Int
    """(E,) seconds since 1970, ascending."""
    opened_s: Int
    """(E,) when the recipient opened it, NOT_OPENED where they did not."""
    users: int
    """Number of users U; indices lie below it."""
    items: int
    """Number of items I."""

    @classmethod
    def of(
        cls,
        sender: Sequence[int] | Int,
        item: Sequence[int] | Int,
        recipient: Sequence[int] | Int,
        time_s: Sequence[int] | Int,
        opened_s: Sequence[int] | Int | None = None,
        *,
        users: int = 0,
        items: int = 0,
    ) -> History:
        """Return a history of rows in any order.

        Args:
            sender: (E,) user index of each row.
            item: (E,) item index.
            recipient: (E,) user index.
            time_s: (E,) seconds since 1970.
            opened_s: (E,) when it was opened, NOT_OPENED for never; None: at `time_s`.
            users: number of users, where more exist than the rows name.
            items: number of items.

        Raises:
            DataError: lengths differ or an index is negative.
        """
        columns = [np.asarray(column, np.int64) for column in (sender, item, recipient, time_s)]
        columns.append(columns[3] if opened_s is None else np.asarray(opened_s, np.int64))
        if len({len(column) for column in columns}) != 1:
            raise DataError("the columns of a share history differ in length")
        if any(column.min(initial=0) < 0 for column in columns[:3]):
            raise DataError("an index of a share history is negative")
        # The order of rows of one second must not hang on who made the history.
        order = np.lexsort((columns[2], columns[1], columns[0], columns[3]))
        columns = [column[order] for column in columns]
        highest = int(max(columns[0].max(initial=-1), columns[2].max(initial=-1)))
        return cls(*columns, users=max(users, highest + 1), items=max(items, int(columns[1].max(initial=-1)) + 1))

    def __len__(self) -> int:
        return len(self.sender)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> History:
        """Return the history of the chosen rows; users and items stay."""
        return History.of(
            self.sender[rows],
            self.item[rows],
            self.recipient[rows],
            self.time_s[rows],
            self.opened_s[rows],
            users=self.users,
            items=self.items,
        )

    def first_not_before(self, time_s: Int) -> Int:
        """Return the number of events strictly before each time."""
        return np.searchsorted(self.time_s, time_s, side="left").astype(np.int64)

    @cached_property
    def by_user(self) -> Int:
        """(2E,) `user * (E + 1) + event`, ascending: every event under its sender and under its recipient."""
        event = np.arange(len(self), dtype=np.int64)
        loops = self.sender == self.recipient
        keys = [self.sender * self._width + event, (self.recipient * self._width + event)[~loops]]
        return np.sort(np.concatenate(keys))

    @cached_property
    def by_item(self) -> Int:
        """(E,) `item * (E + 1) + event`, ascending."""
        return np.sort(self.item * self._width + np.arange(len(self), dtype=np.int64))

    @property
    def _width(self) -> int:
        return len(self) + 1

    def newest_of_users(self, user: Int, before: Int, limit: int) -> tuple[Int, Int]:
        """Return (row, event): for each row its user's newest `limit` events below the number `before`, oldest first.

        Args:
            user: (R,) user index; one that the history does not know has no events.
            before: (R,) events from this number on are not seen.
            limit: most events of a row.
        """
        return _newest(self.by_user, self._width, user, before, limit)

    def newest_of_items(self, item: Int, before: Int, limit: int) -> tuple[Int, Int]:
        """Return (row, event): the same for items."""
        return _newest(self.by_item, self._width, item, before, limit)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What Q questions look at."""

    own_row: Int
    """(A,) question of each event of its user, ascending; oldest first inside a question."""
    own_event: Int
    """(A,)"""
    partner_row: Int
    """(P,) question of each partner, ascending."""
    partner: Int
    """(P,) user index, ascending inside a question."""
    circle_place: Int
    """(C,) row of `partner` that the event is of, ascending; oldest first inside a partner."""
    circle_event: Int
    """(C,)"""
    item_row: Int
    """(B,) question of each event of its item, ascending."""
    item_event: Int
    """(B,)"""


def excerpt(history: History, questions: Questions) -> Excerpt:
    """Return what the questions look at."""
    before = history.first_not_before(questions.seen_s)
    own_row, own_event = history.newest_of_users(questions.user, before, OWN_EVENTS)
    partner_row, partner = _partners(history, questions, own_row, own_event)
    place, circle_event = history.newest_of_users(partner, before[partner_row], CIRCLE_EVENTS)
    item_row, item_event = history.newest_of_items(questions.item, before, ITEM_EVENTS)
    return Excerpt(own_row, own_event, partner_row, partner, place, circle_event, item_row, item_event)


def _partners(history: History, questions: Questions, row: Int, event: Int) -> tuple[Int, Int]:
    """Return (question, partner): the PARTNERS users of each question's own events that were met last."""
    user = questions.user[row]
    other = np.where(history.sender[event] == user, history.recipient[event], history.sender[event])
    row, other, event = row[other != user], other[other != user], event[other != user]
    # The newest event of a pair comes first in the turned arrays.
    key, first = np.unique((row * history.users + other)[::-1], return_index=True)
    newest = event[::-1][first]
    row = key // history.users
    order = np.lexsort((-newest, row))
    counts = np.bincount(row, minlength=len(questions))
    rank = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = np.sort(order[rank < PARTNERS])
    return row[kept], key[kept] % history.users


def _newest(keys: Int, width: int, node: Int, before: Int, limit: int) -> tuple[Int, Int]:
    start = np.searchsorted(keys, node * width)
    end = np.searchsorted(keys, node * width + before)
    start = np.maximum(start, end - limit)
    counts = end - start
    row = np.repeat(np.arange(len(node), dtype=np.int64), counts)
    place = np.arange(len(row)) + np.repeat(start - (np.cumsum(counts) - counts), counts)
    return row, keys[place] % width
