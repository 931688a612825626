"""Events that wait for what they name, and those that were waited for."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from graph.connection import Transaction
from graph.event_shapes import Event

Waiting = tuple[str, str, Event]
"""Its own id, the key it waits for (`share:...` or `purchase:...`), the event."""


def keep(tx: Transaction, waiting: Iterable[Waiting]) -> None:
    """Keep events until what they name is there."""
    if rows := sorted([own, waits_for, orjson.dumps(event).decode()] for own, waits_for, event in waiting):
        tx.run("events.write_pending", rows=rows)


def take(tx: Transaction, keys: Iterable[str]) -> list[Event]:
    """Return the events that waited for these keys; they wait no longer."""
    wanted = sorted(keys)
    return [orjson.loads(row["body"]) for row in tx.run("events.take_pending", keys=wanted)] if wanted else []
