"""Forecasts of running cascades: which are due, and each written once, with the alerts that it raises.

Two processes that forecast the same cascade do no harm: a forecast is written only where the one before is still the
one that it was due after, in one transaction that locks roots in the order of their ids, as every writer does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from graph import alerts
from graph.cascade_history import MOST_OF_ONE
from graph.cascade_reads import ACTIVE_H
from graph.connection import Graph, Transaction
from graph.trees import growth_at

MOST_SCANNED: Final = 20_000
"""Running cascades that are looked at; where more run, those with least going on get no forecast."""
MOST_DUE: Final = 5_000
"""Cascades that are forecast in one round."""
PART: Final = 0.05
"""A forecast is due when shares or age have grown by this part."""
LEAST_MS: Final = 60_000
"""Age alone makes none due sooner."""
MOST_KEPT: Final = 100
"""Forecasts of a cascade that are kept for a chart; then every second one goes."""
WRITTEN_AT_ONCE: Final = 100
"""Roots that one transaction locks: writers of events who want one of them wait for no more than that."""
MOST_BUSY: Final = 1_000_000
"""Shares of all cascades that are counted for how busy the shop is."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Forecasted:
    """A forecast of a cascade, to be written."""

    share_id: str
    before_ms: int | None
    """When the forecast before was made."""
    shares: int
    """Shares that were seen."""
    size: int
    low: int
    high: int
    codes: tuple[str, ...]
    """What is unusual about it."""


def due(graph: Graph, now_ms: int) -> list[Row]:
    """Return the cascades to be forecast, those with most going on first: `shareId startMs beforeMs size`.

    Raises:
        UnavailableError: no answer.
    """
    return graph.read(
        "forecasts.list_due",
        least=growth_at(now_ms) - ACTIVE_H,
        scanned=MOST_SCANNED,
        nowMs=now_ms,
        most=MOST_OF_ONE,
        part=PART,
        leastMs=LEAST_MS,
        limit=MOST_DUE,
    )


def busy(graph: Graph, now_ms: int, span_s: float) -> int:
    """Return how many shares of all cascades were made within a span.

    Raises:
        UnavailableError: no answer.
    """
    from_ms = now_ms - int(1000 * span_s)
    return graph.read("forecasts.count_shares", fromMs=from_ms, untilMs=now_ms, limit=MOST_BUSY)[0]["shares"]


def write(graph: Graph, made: Sequence[Forecasted], now_ms: int) -> Counter[str]:
    """Write forecasts and raise the alerts that are new; return how many of each code.

    What has been forecast meanwhile, or is no root any more, is left alone.

    Args:
        graph: where.
        made: the forecasts.
        now_ms: when they were made, by the server's clock.

    Raises:
        UnavailableError: no answer; what was written before stays.
    """
    rows = [[one.share_id, one.before_ms, one.shares, one.size, one.low, one.high, list(one.codes)] for one in made]
    rows.sort()
    raised: Counter[str] = Counter()
    for start in range(0, len(rows), WRITTEN_AT_ONCE):
        part = rows[start : start + WRITTEN_AT_ONCE]
        raised += graph.transaction(lambda tx, part=part: _write(tx, part, now_ms))
    return raised


def _write(tx: Transaction, rows: list[list[Any]], now_ms: int) -> Counter[str]:
    written = tx.run("forecasts.write_forecasts", rows=rows, nowMs=now_ms, kept=MOST_KEPT)
    fresh = [(row["shareId"], code, row["shares"]) for row in written for code in row["fresh"]]
    alerts.add(tx, fresh, now_ms)
    return Counter(code for _, code, _ in fresh)
