"""alpha and beta of the propagation formula, fitted on what a snapshot's shares led to, in both forms.

Item i to user j: a row is a share of i by u and a friend j of u. S counts the ties of j to all who shared i up to then,
u among them; D and N are j's circle; C is how near the embeddings of j and i lie, (1 + cosine) / 2, as the API reads it
from the graph. The outcome is whether j acted on that very share: reshared it, or opened it where nobody reshares.
Shares that are too young for their outcome to be known are left out.

User u to user v: a row is a friendship in one direction. C is how often v acted on u's shares before the newest 30 % of
all shares, the outcome how many of u's newest shares v acted on. Which end's totals divide the tie and the acts is
chosen of the four ways by cross-entropy.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from engine.propagation.censoring import between, end_of, exposure
from engine.propagation.formula import Circles, Side, Weights, cross_entropy, fit, ratio
from engine.propagation.outcomes import FRIEND, acts_of, acts_shown, count_outcomes
from engine.types import GraphSnapshot

MOST_ROWS = 400_000
LEAST_ACTS = 20
"""Fewer outcomes than these fit nothing."""
SETTLED_S = 3 * 86_400
NEWEST = 0.3
"""Part of the shares that the user form is fitted on; the rest is what was known before."""
SIDES: tuple[Side, Side] = ("sender", "receiver")


def fit_item_formula(
    snapshot: GraphSnapshot,
    user_embedding: NDArray[np.float32],
    item_embedding: NDArray[np.float32],
    rng: np.random.Generator,
) -> tuple[Weights, dict[str, Any]] | None:
    """Return the two weights and what they were fitted on; None where too little was passed on.

    Args:
        snapshot: the graph.
        user_embedding: (U, D) unit rows.
        item_embedding: (I, D) unit rows.
        rng: draws the shares where there are more rows than MOST_ROWS.
    """
    shown = acts_shown(snapshot)
    if not shown or not len(snapshot.friends):
        return None
    at_s = np.asarray(snapshot.shares.columns["occurred_at_s"], np.int64)
    user, item = snapshot.shares.source.astype(np.int64), snapshot.shares.target.astype(np.int64)
    circles = Circles.of(snapshot.friends, len(snapshot.users))
    chosen = (at_s > 0) & (at_s <= at_s.max(initial=0) - SETTLED_S) & (circles.size[user] > 0)
    share_row = np.flatnonzero(chosen)
    rows = np.cumsum(circles.size[user[share_row]][rng.permutation(len(share_row))]) if len(share_row) else share_row
    if not len(rows):
        return None
    kept = np.zeros(len(at_s), bool)
    kept[rng.permutation(share_row)[: int(np.searchsorted(rows, MOST_ROWS)) + 1]] = True
    order = np.lexsort((np.arange(len(at_s)), at_s, item))
    row, friend, strength = _rows(order, user, item, kept, circles.indptr, circles.friend, circles.strength)
    shares, actors = acts_of(snapshot, shown[0])
    acted = np.isin(row * len(snapshot.users) + friend, shares * len(snapshot.users) + actors)
    if acted.sum() < LEAST_ACTS:
        return None
    near = np.einsum("nd,nd->n", user_embedding[friend], item_embedding[item[row]], dtype=np.float64)
    tie_term = ratio(strength, circles.total[friend])
    interest_term = ratio((1.0 + near) / 2.0, circles.size[friend])
    outcome = acted.astype(np.float64)
    weights = fit(tie_term, interest_term, outcome)
    p, each = weights.alpha * tie_term + weights.beta * interest_term, np.ones(len(outcome))
    told = {
        "alpha": round(weights.alpha, 6),
        "beta": round(weights.beta, 6),
        "act": shown[0],
        "pairs": len(outcome),
        "acted": int(outcome.sum()),
        "bce": round(cross_entropy(p, outcome, each), 6),
        "bceBase": round(cross_entropy(np.full(len(p), outcome.mean()), outcome, each), 6),
    }
    return weights, told


def fit_user_formula(snapshot: GraphSnapshot) -> dict[str, Any] | None:
    """Return alpha, beta and the sides of P(u->v), and what fitted them; None where too little was passed on."""
    shown = acts_shown(snapshot)
    at_s = np.asarray(snapshot.shares.columns["occurred_at_s"], np.int64)
    timed = at_s[at_s > 0]
    if not shown or not len(snapshot.friends) or not len(timed):
        return None
    cut_s, end_s = int(np.quantile(timed, 1.0 - NEWEST)), end_of(snapshot) + 1
    past, later = between(snapshot, 0, cut_s), between(snapshot, cut_s, end_s)
    known = count_outcomes(past, shown[0])
    found = count_outcomes(later, shown[0], exposure(later, end_s))
    rows = np.flatnonzero((found.kind == FRIEND) & (found.trials > 0))
    if found.successes[rows].sum() < LEAST_ACTS:
        return None
    u, v, users = found.source[rows], found.target[rows], found.users
    ends = {"sender": u, "receiver": v}
    key = known.source.astype(np.int64) * users + known.target
    wanted = u.astype(np.int64) * users + v
    place = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
    acts = np.where(key[place] == wanted, known.successes[place], 0.0) if len(key) else np.zeros(len(rows))
    circle = Circles.of(snapshot.friends, users).total
    totals = {
        "sender": np.bincount(past.shares.source, minlength=users).astype(np.float64),
        "receiver": np.bincount(known.target, known.successes, users),
    }
    trials = found.trials[rows]
    outcome = np.minimum(found.successes[rows] / trials, 1.0)
    best: tuple[float, dict[str, Any]] | None = None
    for tie_side, act_side in product(SIDES, SIDES):
        tie_term = ratio(found.strength[rows], circle[ends[tie_side]])
        act_term = ratio(acts, totals[act_side][ends[act_side]])
        weights = fit(tie_term, act_term, outcome, trials)
        loss = cross_entropy(weights.alpha * tie_term + weights.beta * act_term, outcome, trials)
        if best is None or loss < best[0]:
            best = loss, {"alpha": round(weights.alpha, 6), "beta": round(weights.beta, 6),
                          "tieSide": tie_side, "actSide": act_side}  # fmt: skip
    if best is None:
        return None
    base = np.full(len(rows), np.average(outcome, weights=trials))
    return best[1] | {
        "act": shown[0],
        "pairs": len(rows),
        "bce": round(best[0], 6),
        "bceBase": round(cross_entropy(base, outcome, trials), 6),
    }


def figures(told: dict[str, Any]) -> dict[str, float | int]:
    """Return the user form as numbers, which `:ModelVersion` carries in the graph for analysts."""
    return {
        "influenceAlpha": told["alpha"],
        "influenceBeta": told["beta"],
        "influenceTieBySender": int(told["tieSide"] == "sender"),
        "influenceActBySender": int(told["actSide"] == "sender"),
        "influenceByReshares": int(told["act"] == "reshare"),
    }


@numba.njit(cache=True, nogil=True)
def _rows(order, user, item, kept, indptr, friend, strength):  # noqa: ANN001, ANN202, PLR0917
    """Return (share row, friend j, S(i, j)) of each kept share and each friend who has not shared the item yet."""
    size = 0
    for s in order:
        if kept[s]:
            size += indptr[user[s] + 1] - indptr[user[s]]
    row, who, shared = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size)
    users = len(indptr) - 1
    total, seen, sharer = np.zeros(users), np.full(users, -1, np.int64), np.full(users, -1, np.int64)
    place = 0
    for s in order:
        u, i = user[s], item[s]
        first = sharer[u] != i
        sharer[u] = i
        for e in range(indptr[u], indptr[u + 1]):
            j = friend[e]
            if seen[j] != i:
                seen[j] = i
                total[j] = 0.0
            if first:
                total[j] += strength[e]
            if kept[s] and sharer[j] != i:
                row[place], who[place], shared[place] = s, j, total[j]
                place += 1
    return row[:place], who[:place], shared[:place]
