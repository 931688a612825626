"""Reads of cascades: one with its tree, and those that grow."""

from __future__ import annotations

from typing import Any, Final

from graph.connection import Graph
from graph.errors import NotFoundError
from graph.trees import growth_at
from graph.values import time_text

MOST_SHARES: Final = 1_000
"""Shares of a tree that one answer shows, nearest to the root first."""
MOST_COUNTED: Final = 200_000
STEPS: Final = 100
"""Shares that a timeline counts, and how many steps it has at most."""
MOST_SCANNED: Final = 20_000
"""Cascades that one answer looks through for an item or a campaign."""
ACTIVE_H: Final = 24
"""A cascade is active when something was shared in it within so many hours."""
TIMES: Final = ("occurredAt", "lastActivityAt", "forecastAt")

Row = dict[str, Any]


def cascade(graph: Graph, share_id: str, *, now_ms: int, limit: int = MOST_SHARES) -> Row:
    """Return the cascade that a share is part of: its numbers, its forecasts so far, and its shares level by level.

    Args:
        graph: where from.
        share_id: any share of it.
        now_ms: the present, for `recentShares`.
        limit: at most so many shares; `truncated` says whether there are more.

    Raises:
        NotFoundError: there is no such share.
        UnavailableError: no answer.
    """
    found = numbers(graph, share_id, now_ms=now_ms)
    shares, truncated = tree(graph, found["shareId"], limit=limit)
    return {**found, "shares": shares, "truncated": truncated}


def numbers(graph: Graph, share_id: str, *, now_ms: int) -> Row:
    """Return the numbers of the cascade that a share is part of; its `shareId` is the root's.

    Args:
        graph: where from.
        share_id: any share of it.
        now_ms: the present, for `recentShares`.

    Raises:
        NotFoundError: there is no such share.
        UnavailableError: no answer.
    """
    rows = graph.read("cascades.read_cascade", shareId=share_id)
    if not rows:
        raise NotFoundError(f"there is no share {share_id}")
    return _shown(_with_forecasts(rows[0]["root"]), now_ms)


def tree(graph: Graph, root_share_id: str, *, limit: int = MOST_SHARES) -> tuple[list[Row], bool]:
    """Return the shares of a cascade level by level, at most `limit`, and whether there are more.

    Raises:
        UnavailableError: no answer.
    """
    shares = graph.read("cascades.read_tree", rootShareId=root_share_id, limit=limit + 1)
    for share in shares:
        share["occurredAt"] = time_text(share["occurredAt"])
    return shares[:limit], len(shares) > limit


def timeline(graph: Graph, root_share_id: str) -> list[tuple[int, int]]:
    """Return how a cascade grew: times (ms since 1970) and the shares there were until then, at most `STEPS` + 1.

    Shares without a time are left out, and of a cascade of more than `MOST_COUNTED` shares only so many are counted.

    Raises:
        UnavailableError: no answer.
    """
    (span,) = graph.read("cascades.read_span", rootShareId=root_share_id, scanned=MOST_COUNTED)
    first, last = span["firstMs"], span["lastMs"]
    if first is None:
        return []
    step_ms = (last - first) // STEPS + 1
    told, total = [(first, 0)], 0
    for row in graph.read(
        "cascades.read_timeline", rootShareId=root_share_id, firstMs=first, stepMs=step_ms, scanned=MOST_COUNTED
    ):
        total += row["shares"]
        told.append((min(first + (row["step"] + 1) * step_ms, last), total))
    return told


def growing(
    graph: Graph,
    *,
    now_ms: int,
    limit: int,
    active: bool = True,
    item_id: str | None = None,
    campaign_id: str | None = None,
    after: tuple[float, str] | None = None,
) -> list[Row]:
    """Return cascades, those first in which most was shared lately.

    Args:
        graph: where from.
        now_ms: the present.
        limit: how many.
        active: only those in which something was shared within `ACTIVE_H` hours.
        item_id: only of this item.
        campaign_id: only of this campaign.
        after: growth and share id of the last one that is known already.

    Raises:
        UnavailableError: no answer.
    """
    growth, share_id = after or (float("inf"), "")
    rows = graph.read(
        "cascades.list_growing",
        least=growth_at(now_ms) - ACTIVE_H if active else float("-inf"),
        growth=growth,
        shareId=share_id,
        itemId=item_id,
        campaignId=campaign_id,
        scanned=MOST_SCANNED,
        limit=limit,
    )
    return [_shown(row["root"], now_ms) for row in rows]


def _with_forecasts(root: Row) -> Row:
    """Return the numbers of a root with its forecasts as a list, the oldest first."""
    columns = [root.pop(name) or [] for name in ("forecastTimes", "forecastSizes", "forecastLows", "forecastHighs")]
    rows = zip(*columns, strict=True)
    return {
        **root,
        "forecasts": [{"at": time_text(at), "size": n, "low": low, "high": high} for at, n, low, high in rows],
    }


def _shown(root: Row, now_ms: int) -> Row:
    """Return the numbers of a root as they are told; `recentShares`: each share counts half as much every hour."""
    growth = root["growth"]
    recent = 0.0 if growth is None else 2.0 ** min(growth - growth_at(now_ms), 64.0)
    return {**root, "recentShares": round(recent, 6)} | {name: time_text(root[name]) for name in TIMES}
