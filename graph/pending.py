"""Events that wait for what they name, those that were waited for, and those that have waited too long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from graph.connection import Graph, Transaction
from graph.event_shapes import Event

MOST_WAITING: Final = 100_000
"""Events that may wait at a time; one more that would have to is refused."""
MOST_EXPIRED: Final = 1_000
"""Events that one transaction drops because they have waited too long."""

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


def expire(graph: Graph, days: int) -> int:
    """Drop some of the events that have waited for more than `days` days; return how many, at most `MOST_EXPIRED`.

    A reshare stays the root that it has been, an open or a refund has no effect any more. Locks are taken in the order
    of every writer of events, and what is waited for is held missing meanwhile: it comes before, and the event takes
    effect, or after, and finds nobody waiting. Who comes in the same moment may have to try again: a
    deadlock, which the driver resolves.

    Args:
        graph: where.
        days: by the server's clock, since the event was taken, at least 1.

    Raises:
        UnavailableError: Neo4j does not answer; what was dropped before stays dropped.
    """
    if not graph.read("pending.find_expired", days=days):
        return 0
    return graph.transaction(lambda tx: _expire(tx, days))


def _expire(tx: Transaction, days: int) -> int:
    tx.run("pending.lock")
    found = tx.run("pending.read_expired", days=days, limit=MOST_EXPIRED)
    rows = [row for row in found if None not in row.values()]  # one that is being taken is found, and has nothing left
    if not rows:
        return 0
    awaited: dict[str, set[str]] = {"purchase": set(), "share": set()}
    reshares: dict[str, str] = {}
    for row in rows:
        kind, _, name = row["waitsFor"].partition(":")
        awaited[kind].add(name)
        if (event := orjson.loads(row["body"]))["type"] == "share":
            reshares[row["pendingId"]] = event["shareId"]
    tx.run("pending.hold_purchases", ids=sorted(awaited["purchase"]))
    tx.run("events.lock_shares", ids=sorted(reshares.values()))
    tx.run("events.hold_shares", ids=sorted(awaited["share"]))
    dropped: list[str] = tx.run("pending.drop", ids=sorted(row["pendingId"] for row in rows))[0]["dropped"]
    tx.run("pending.release", ids=sorted(reshares[one] for one in dropped if one in reshares))
    return len(dropped)
