"""Events that wait for what they name, and those that were waited for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from graph.connection import Transaction
from graph.event_shapes import Event

MOST_WAITING: Final = 100_000
"""Events that may wait at a time; one more that would have to is refused."""

Waiting = tuple[str, str, Event]
"""Its own id, the key it waits for (`share:...` or `purchase:...`), the event."""


class TooManyWaitError(Exception):
    """No more events may wait; `events` are those that would have to."""

    def __init__(self, events: list[Event]) -> None:
        super().__init__(len(events))
        self.events = events


def keep(tx: Transaction, waiting: Sequence[Waiting]) -> None:
    """Keep events until what they name is there.

    Raises:
        TooManyWaitError: `MOST_WAITING` events wait already.
    """
    if waiting:
        if tx.run("events.count_pending")[0]["waiting"] + len(waiting) > MOST_WAITING:
            raise TooManyWaitError([event for _, _, event in waiting])
        rows = sorted([own, waits_for, orjson.dumps(event).decode()] for own, waits_for, event in waiting)
        tx.run("events.write_pending", rows=rows)


def take(tx: Transaction, keys: Iterable[str]) -> list[Event]:
    """Return the events that waited for these keys; they wait no longer."""
    wanted = sorted(keys)
    return [orjson.loads(row["body"]) for row in tx.run("events.take_pending", keys=wanted)] if wanted else []
