"""Alerts on unusual cascades: one per cascade and code, ever; the newest are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from graph.connection import Graph, Transaction
from graph.values import time_text

KIND: Final = "unusualCascade"
MOST_KEPT: Final = 10_000
KEPT_DAYS: Final = 90
MOST_PRUNED: Final = 1_000
"""Alerts that one call of `prune` removes for each of both reasons."""


def add(tx: Transaction, unusual: Sequence[tuple[str, str, int]], now_ms: int) -> None:
    """Raise alerts: `(shareId of the root, code, shares it has)`; one that was raised before stays as it is.

    Args:
        tx: the transaction, which holds the locks of these roots.
        unusual: see above.
        now_ms: when, by the server's clock.
    """
    if unusual:
        rows = sorted([f"{KIND}:{code}:{share_id}", share_id, code, shares] for share_id, code, shares in unusual)
        tx.run("alerts.add", rows=rows, kind=KIND, nowMs=now_ms)


def newest(graph: Graph, *, limit: int, code: str | None = None) -> list[dict[str, Any]]:
    """Return the newest alerts: `alertId kind code shareId shares raisedAt rootShareId cascadeSize`.

    `shares`: how many the cascade had when it was raised; `rootShareId`, `cascadeSize`: its cascade as it is now.

    Raises:
        UnavailableError: no answer.
    """
    rows = graph.read("alerts.newest", code=code, limit=limit)
    return [{**row, "raisedAt": time_text(row["raisedAt"])} for row in rows]


def prune(graph: Graph) -> None:
    """Remove some of the alerts beyond the newest `MOST_KEPT`, and of those older than `KEPT_DAYS` days.

    The root remembers its codes (`alertedCodes`), so what is removed is not raised again.

    Raises:
        UnavailableError: no answer.
    """
    graph.write("alerts.prune", kept=MOST_KEPT, limit=MOST_PRUNED)
    graph.write("alerts.forget", days=KEPT_DAYS, limit=MOST_PRUNED)
