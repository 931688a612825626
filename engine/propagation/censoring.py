"""How much of a share's time to be acted on has been seen, and snapshots as they were at a moment.

An act on a share made just before the end may still come: such a share is no whole trial. With F(d) the share of acts
that come within d, a share of age d is F(d) of a trial, so that acts over trials is not too low for recent shares (the
mark-and-delay form of right-censoring: Chapelle, Modeling delayed feedback in display advertising, KDD 2014, eq. 10, by
expectation).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.types import NO_TIME, Edges, GraphSnapshot

Float = NDArray[np.float64]
_SETTLED = 0.5
"""Delays are counted on the older half of the shares: of the newest only quick acts have been seen."""
_FEW = 20


def exposure(snapshot: GraphSnapshot, end_s: int) -> Float:
    """Return F(age) of each share at `end_s`, (S,) in [0, 1]; 1 where a time is unknown or too few acts tell."""
    at_s = snapshot.shares.columns["occurred_at_s"].astype(np.int64)
    seen = np.ones(len(at_s))
    known = at_s != NO_TIME
    if not known.any():
        return seen
    old = known & (at_s <= np.quantile(at_s[known], _SETTLED))
    delay = np.sort(_delays(snapshot, old))
    if len(delay) >= _FEW:
        age = np.maximum(end_s - at_s[known], 0)
        seen[known] = np.searchsorted(delay, age, side="right") / len(delay)
    return seen


def end_of(snapshot: GraphSnapshot) -> int:
    """Return the moment that the snapshot tells until: its watermark, or its last share if that is later."""
    return max(int(snapshot.watermark_s), int(snapshot.shares.columns["occurred_at_s"].max(initial=0)))


def _delays(snapshot: GraphSnapshot, shares: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the seconds from each of the chosen shares to the reshares and opens of it."""
    at_s = snapshot.shares.columns["occurred_at_s"].astype(np.int64)
    parent = snapshot.shares.columns["parent"]
    child = np.flatnonzero(parent >= 0)
    acted = np.concatenate([parent[child], snapshot.opens.source]).astype(np.int64)
    when = np.concatenate([at_s[child], snapshot.opens.columns["occurred_at_s"]]).astype(np.int64)
    kept = shares[acted] & (when != NO_TIME)
    return np.maximum(when[kept] - at_s[acted[kept]], 0)


def between(snapshot: GraphSnapshot, start_s: int, end_s: int) -> GraphSnapshot:
    """Return the snapshot with what happened in [start_s, end_s) alone, users and items unchanged.

    Shares begun in that time with their sends and the opens until its end; interactions of that time; friendships and
    follows since before its end. Without a time, ties belong to every span, anything else to none. A reshare of a share
    from before is a root here.
    """

    def inside(at_s: NDArray[np.int64]) -> NDArray[np.bool_]:
        return (at_s != NO_TIME) & (at_s >= start_s) & (at_s < end_s)

    shares = inside(snapshot.shares.columns["occurred_at_s"])
    row = np.where(shares, np.cumsum(shares) - 1, -1)
    kept = _chosen(snapshot.shares, shares)
    parent = kept.columns["parent"]
    renumbered = np.where(parent >= 0, row[np.maximum(parent, 0)], -1).astype(np.int32)
    opened = shares[snapshot.opens.source] & inside(snapshot.opens.columns["occurred_at_s"])
    sent = shares[snapshot.sends.source]
    sends, opens = _chosen(snapshot.sends, sent), _chosen(snapshot.opens, opened)
    return replace(
        snapshot,
        shares=Edges(kept.source, kept.target, {**kept.columns, "parent": renumbered}),
        sends=Edges(row[sends.source].astype(np.int32), sends.target, sends.columns),
        opens=Edges(row[opens.source].astype(np.int32), opens.target, opens.columns),
        share_ids=snapshot.share_ids[shares],
        interactions=_chosen(snapshot.interactions, inside(snapshot.interactions.columns["occurred_at_s"])),
        friends=_chosen(snapshot.friends, snapshot.friends.columns["since_s"] < end_s),
        follows=_chosen(snapshot.follows, snapshot.follows.columns["since_s"] < end_s),
    )


def _chosen(edges: Edges, kept: NDArray[np.bool_]) -> Edges:
    return Edges(edges.source[kept], edges.target[kept], {name: column[kept] for name, column in edges.columns.items()})
