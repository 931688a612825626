"""The shop's own cascades as columns: the newest ones to learn from, and those that run to forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.propagation.cascades import Cascades
from engine.propagation.size import MAX_CASCADES
from graph.column_reads import BLOCK
from graph.connection import Graph

MOST_SHARES: Final = 1_000_000
"""Shares that are learned from, and looked through for roots; the oldest cascades are left out first."""
MOST_OF_ONE: Final = 50_000
"""A cascade of more shares is neither learned from nor forecast."""
SHARES_AT_ONCE: Final = 50_000
CASCADES_AT_ONCE: Final = 1_000
"""What one read takes, by the sizes that are counted."""
TIMEOUT_S: Final = 120.0

Ints = NDArray[np.int64]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of N cascades, E in all."""

    place: Ints
    """(E,) which of the cascades, 0 to N - 1, ascending."""
    at_ms: Ints
    """(E,) when, ms since 1970 UTC, ascending inside a cascade; -1 where it is not known."""
    user: Ints
    """(E,) index of the user; one below 0, and different from all others, where the user did not agree to analytics or
    has no index yet (a training gives it)."""


def read_shares(graph: Graph, share_ids: Sequence[str]) -> Shares:
    """Return the shares of cascades, in the order of the ids; at most `MOST_OF_ONE` + 1 of each.

    Args:
        graph: where from.
        share_ids: of the roots.

    Raises:
        UnavailableError: no answer.
    """
    rows = graph.read(
        "forecasts.read_shares", timeout_s=TIMEOUT_S, ids=list(share_ids), most=MOST_OF_ONE + 1, block=BLOCK
    )
    none = np.zeros(0, np.int64)
    place, at_ms, user = (
        np.concatenate([none, *(row[name].to_numpy().astype(np.int64) for row in rows)])
        for name in ("place", "at", "user")
    )
    order = np.lexsort((at_ms, place))
    place, at_ms, user = place[order], at_ms[order], user[order]
    return Shares(place, at_ms, np.where(user < 0, -1 - np.arange(len(user)), user))


def history(graph: Graph, now_ms: int) -> Cascades:
    """Return the newest cascades up to now, times in seconds since 1970 UTC.

    A share without a time is left out, and so is a cascade whose root has none; a share that claims to be earlier than
    its root counts as at the root's time. At most `MAX_CASCADES` of at most `MOST_SHARES` shares, found among the
    newest `MOST_SHARES` shares; none of more than `MOST_OF_ONE`.

    Raises:
        UnavailableError: no answer.
    """
    roots = graph.read(
        "forecasts.newest_roots", timeout_s=TIMEOUT_S, nowMs=now_ms, scanned=MOST_SHARES, limit=MAX_CASCADES
    )
    kept = [row for row in roots if row["size"] <= MOST_OF_ONE]
    total = np.cumsum([row["size"] for row in kept])
    kept = kept[: int(np.searchsorted(total, MOST_SHARES, "right"))]
    parts = [_part(graph, page, now_ms) for page in pages(kept)]
    start_s = np.concatenate([np.zeros(0), *(part.start_s for part in parts)])
    counts = np.concatenate([np.zeros(0, np.int64), *(np.diff(part.indptr) for part in parts)])
    seconds = np.concatenate([np.zeros(0), *(part.seconds for part in parts)])
    users = [part.user for part in parts if part.user is not None]
    user = np.concatenate([np.zeros(0, np.int64), *users])
    strangers = user < 0
    user[strangers] = -1 - np.arange(strangers.sum())  # pages number theirs alike
    return Cascades(start_s, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), seconds, user)


def pages(rows: Sequence[Row]) -> list[list[Row]]:
    """Cut rows with a `size` into parts that one read takes."""
    found: list[list[Row]] = []
    shares = SHARES_AT_ONCE
    for row in rows:
        if shares + row["size"] > SHARES_AT_ONCE or len(found[-1]) == CASCADES_AT_ONCE:
            found.append([])
            shares = 0
        found[-1].append(row)
        shares += row["size"]
    return found


def _part(graph: Graph, page: Sequence[Row], now_ms: int) -> Cascades:
    """Return the cascades of one read that have not grown beyond `MOST_OF_ONE` meanwhile."""
    read = read_shares(graph, [row["shareId"] for row in page])
    start_ms = np.array([row["startMs"] for row in page], np.int64)
    all_of = np.bincount(read.place, minlength=len(page))
    kept = (read.at_ms >= 0) & (read.at_ms <= now_ms) & (all_of[read.place] <= MOST_OF_ONE)
    place, at_ms, user = read.place[kept], read.at_ms[kept], read.user[kept]
    counts = np.bincount(place, minlength=len(page))
    seconds = np.maximum(at_ms - start_ms[place], 0) / 1000
    there = counts > 0
    indptr = np.concatenate([[0], np.cumsum(counts[there])]).astype(np.int64)
    return Cascades(start_ms[there] / 1000, indptr, seconds, user)
