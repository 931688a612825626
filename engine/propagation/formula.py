"""The field's explainable formula of propagation, in its item form and its user form, and the fit of its two weights.

Item i to user j:  P(i->j) = alpha * S(i,j) / D(j) + beta * C(i,j) / N(j), clipped to [0, 1], where S is the summed
strength of j's ties to friends who shared i, D the summed strength of all of j's ties, C in [0, 1] j's calibrated
interest in i, and N the number of j's friends. A user without a circle has probability 0.

User u to user v:  P(u->v) = alpha * S(u,v) / D + beta * C(u,v) / N, where S is the strength of the tie, C how often v
acted on a share of u's, and D and N are totals of the sender or of the receiver. Divided by the receiver's totals it
ranks friends at chance on real cascades; divided by the sender's it is a fair baseline, so that is the default.

Numpy only: serving scores with these functions too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import DataError
from engine.types import EdgeProbabilities, Edges

Side = Literal["sender", "receiver"]
MAX_WEIGHT = 1_000.0
"""Upper bound of alpha and beta; beta multiplies a term that shrinks with the number of friends."""
_EDGE = 1e-6
_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Circles:
    """Everyone's ties in compressed rows, each friendship in both rows."""

    indptr: NDArray[np.int64]
    """(U + 1,)"""
    friend: NDArray[np.int32]
    """(2F,)"""
    strength: NDArray[np.float64]
    """(2F,)"""
    total: NDArray[np.float64]
    """(U,) D: summed strength of all ties."""
    size: NDArray[np.int64]
    """(U,) N: number of friends."""

    @classmethod
    def of(cls, friends: Edges, users: int) -> Circles:
        """Return the circles of `users` users from friendships stored once, with a column `strength`."""
        source = np.concatenate([friends.source, friends.target]).astype(np.int64)
        target = np.concatenate([friends.target, friends.source]).astype(np.int32)
        strength = np.tile(np.asarray(friends.columns["strength"], np.float64), 2)
        order = np.argsort(source, kind="stable")
        size = np.bincount(source, minlength=users)
        indptr = np.concatenate([[0], np.cumsum(size)])
        return cls(indptr, target[order], strength[order], np.bincount(source, strength, users), size)


@dataclass(frozen=True, slots=True)
class Weights:
    """The two weights of the formula."""

    alpha: float
    beta: float


def shared_strength(circles: Circles, users: NDArray[np.integer], sharers: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return S(i, j) of one item i, (len(users),): summed strength of each user's ties to those who shared i.

    Args:
        circles: everyone's ties.
        users: (P,) the users j.
        sharers: (U,) who shared the item.
    """
    passed = np.concatenate([[0.0], np.cumsum(circles.strength * sharers[circles.friend])])
    return passed[circles.indptr[users + 1]] - passed[circles.indptr[users]]


def item_to_user(
    shared: ArrayLike, circle_strength: ArrayLike, interest: ArrayLike, friends: ArrayLike, weights: Weights
) -> NDArray[np.float64]:
    """Return P(i->j) of each pair, (P,) in [0, 1].

    Args:
        shared: (P,) S(i,j) >= 0.
        circle_strength: (P,) D(j) >= 0.
        interest: (P,) C(i,j) in [0, 1].
        friends: (P,) N(j) >= 0.
        weights: alpha and beta.
    """
    combined = weights.alpha * ratio(shared, circle_strength) + weights.beta * ratio(interest, friends)
    return np.clip(np.where(np.asarray(friends) > 0, combined, 0.0), 0.0, 1.0)


def user_to_user(
    ties: Edges,
    acts: NDArray[np.floating],
    users: int,
    weights: Weights,
    *,
    tie_side: Side = "sender",
    act_side: Side = "sender",
    act_totals: NDArray[np.floating] | None = None,
) -> EdgeProbabilities:
    """Return P(u->v) along directed ties.

    Args:
        ties: (E,) u -> v with a column `strength`.
        acts: (E,) C(u,v): how often v acted (opened, reshared) on a share of u's.
        users: U.
        weights: alpha and beta.
        tie_side: whose summed strength divides S.
        act_side: whose total divides C.
        act_totals: (U,) that total, for example each sender's number of shares; None: the number of ties.
    """
    ends = {"sender": ties.source, "receiver": ties.target}
    strength = np.asarray(ties.columns["strength"], np.float64)
    circle = np.bincount(ends[tie_side], strength, users)
    totals = np.bincount(ends[act_side], minlength=users) if act_totals is None else np.asarray(act_totals)
    probability = weights.alpha * ratio(strength, circle[ends[tie_side]]) + weights.beta * ratio(
        acts, totals[ends[act_side]]
    )
    return EdgeProbabilities(ties.source, ties.target, np.clip(probability, 0.0, 1.0).astype(np.float32), users)


def ratio(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    """Return part / whole, 0 where the whole is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)


def fit(
    tie_term: NDArray[np.floating],
    act_term: NDArray[np.floating],
    outcome: NDArray[np.floating],
    trials: NDArray[np.floating] | None = None,
) -> Weights:
    """Return alpha, beta in [0, MAX_WEIGHT] of least binary cross-entropy on held-out outcomes.

    The model is linear in its weights, so each round is a least-squares problem whose rows are weighted by
    1 / (p (1 - p)) of the last round (iteratively reweighted least squares for a Bernoulli with identity link:
    McCullagh and Nelder, Generalized linear models, 1989, section 2.5); the best round by cross-entropy is kept.

    Args:
        tie_term: (P,) S / D.
        act_term: (P,) C / N.
        outcome: (P,) 1 where the user acted, else 0; of several trials the share that did.
        trials: (P,) how many each row stands for, > 0; None: 1 each.

    Raises:
        DataError: no rows, or lengths that differ.
    """
    if not len(outcome) or not (len(tie_term) == len(act_term) == len(outcome)):
        raise DataError("fitting the formula takes as many terms as outcomes, and at least one")
    x = np.stack([tie_term, act_term], axis=1).astype(np.float64)
    y = np.asarray(outcome, np.float64)
    counted = np.ones(len(y)) if trials is None else np.asarray(trials, np.float64)
    best, best_loss, importance = np.zeros(2), np.inf, counted
    for _ in range(_ROUNDS):
        weights = _bounded_least_squares(x, y, importance)
        p = np.clip(x @ weights, _EDGE, 1.0 - _EDGE)
        loss = cross_entropy(p, y, counted)
        if loss < best_loss:
            best, best_loss = weights, loss
        importance = counted / (p * (1.0 - p))
    return Weights(float(best[0]), float(best[1]))


def cross_entropy(p: NDArray[np.float64], outcome: NDArray[np.float64], trials: NDArray[np.float64]) -> float:
    """Return the mean binary cross-entropy of chances, each clipped a little, over all trials, in nats."""
    p = np.clip(p, _EDGE, 1.0 - _EDGE)
    return float(-np.average(outcome * np.log(p) + (1.0 - outcome) * np.log1p(-p), weights=trials))


def _bounded_least_squares(
    x: NDArray[np.float64], y: NDArray[np.float64], importance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Two weights in [0, MAX_WEIGHT]: the free solution, else the best with one of them at a bound."""
    gram, right = (x * importance[:, None]).T @ x, (x * importance[:, None]).T @ y
    free = np.linalg.lstsq(gram, right, rcond=None)[0]
    candidates = [free] if (free >= 0).all() and (free <= MAX_WEIGHT).all() else []
    for fixed, loose in ((0, 1), (1, 0)):
        for bound in (0.0, MAX_WEIGHT):
            weights = np.empty(2)
            weights[fixed] = bound
            rest = right[loose] - gram[loose, fixed] * bound
            weights[loose] = np.clip(rest / gram[loose, loose] if gram[loose, loose] > 0 else 0.0, 0.0, MAX_WEIGHT)
            candidates.append(weights)
    return min(candidates, key=lambda w: float(w @ gram @ w - 2 * right @ w))
