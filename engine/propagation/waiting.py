"""How long users take to pass on what they were shown, learned from a snapshot: what spread within a time needs.

One distribution for all, and a factor for each user who passes on: the geometric mean of the user's delays over that of
all, drawn towards 1 as a normal prior of the logarithm would (`PRIOR` delays of the common length are added).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.influence.delays import Delays, delays_of
from engine.types import EdgeProbabilities, GraphSnapshot

PRIOR = 5.0
LEAST_S = 1.0
"""Shorter delays count as this long: logarithms of single seconds are noise."""
WIDEST = 20.0
"""A user is at most so many times slower or faster than the common user."""
SETTLED = 0.99
"""Shares that are younger than this quantile of the delays tell of their quick receivers only, and are left out."""


def learn_delays(snapshot: GraphSnapshot, edges: EdgeProbabilities) -> Delays | None:
    """Return the delays along the edges, from reshares, or from opens where there is no reshare; None without either.

    Args:
        snapshot: the graph.
        edges: P(u->v), whose order the factors keep.
    """
    user, delay_s, since_s = _passed_on(snapshot)
    if not len(user):
        return None
    delay_s = np.maximum(delay_s, LEAST_S)
    settled = since_s >= np.quantile(delay_s, SETTLED)
    if settled.any():
        user, delay_s = user[settled], delay_s[settled]
    logarithm = np.log(delay_s)
    away = logarithm - logarithm.mean()
    count = np.bincount(user, minlength=edges.nodes)
    factor = np.exp(np.bincount(user, away, edges.nodes) / (count + PRIOR)).clip(1.0 / WIDEST, WIDEST)
    return delays_of(delay_s / factor[user], factor[edges.target])


def _passed_on(
    snapshot: GraphSnapshot,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (who passed on, seconds since the share passed on, age of that share at the end) of each act."""
    at_s = np.asarray(snapshot.shares.columns["occurred_at_s"], np.float64)
    end_s = float(max(at_s.max(initial=0.0), np.max(snapshot.opens.columns["occurred_at_s"], initial=0.0)))
    parent = snapshot.shares.columns["parent"]
    child = np.flatnonzero(parent >= 0)
    if len(child):
        shown, user, when_s = parent[child].astype(np.int64), snapshot.shares.source[child], at_s[child]
    else:
        shown, user = snapshot.opens.source.astype(np.int64), snapshot.opens.target
        when_s = np.asarray(snapshot.opens.columns["occurred_at_s"], np.float64)
    # Acts without a time, or before what they answer, tell nothing of delays.
    kept = (at_s[shown] > 0) & (when_s >= at_s[shown])
    shown = shown[kept]
    return user[kept].astype(np.int64), when_s[kept] - at_s[shown], end_s - at_s[shown]
