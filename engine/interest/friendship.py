"""Learn which friends' taste helps: how much more often a user takes what a friend took than its popularity says.

For a pair (u, v) the items that v acted on and u did not are expected to hold e = n_u sum p_i of u's n_u held-out
items, p_i the items' shares of all acts. The hits h are taken as Poisson with mean e lift(u, v), log-linear in features
of the pair, and fitted by iteratively reweighted least squares (Nelder and Wedderburn, Generalized Linear Models,
JRSS A 1972) with a ridge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from engine.evaluation import Truth
from engine.interest.adjacency import Adjacency, from_pairs
from engine.interest.data import InterestData
from engine.serving.friendship import LARGEST_LOG_LIFT, TieModel, newcomer_features

FEWEST_HITS = 30
"""With fewer hits in all pairs nothing is learned, and friends count by the strength of their ties."""
RIDGE = 5.0
ROUNDS = 30


@dataclass(frozen=True, slots=True)
class Friendship:
    """Fitted weights of friends, for users with a history and for those without; None where too little was seen."""

    warm: TieModel | None
    cold: TieModel | None

    def weigh(self, data: InterestData) -> Adjacency:
        """Return (U, U) weights of each user's friends; users without a history by the model for those."""
        is_cold = (data.positives.degree == 0)[data.friends.row_of]
        return _kept(data.friends, np.where(is_cold, self._cold(data), self._warm(data)))

    def weigh_cold(self, data: InterestData) -> Adjacency:
        """Return (U, U) weights of each user's friends as if no user had a history."""
        return _kept(data.friends, self._cold(data))

    def _warm(self, data: InterestData) -> NDArray[np.float32]:
        return data.friends.values if self.warm is None else self.warm.weights(warm_features(data))

    def _cold(self, data: InterestData) -> NDArray[np.float32]:
        return data.friends.values if self.cold is None else self.cold.weights(cold_features(data))


def fit_friendship(data: InterestData, validation: Truth, cold: Truth) -> Friendship:
    """Fit both models on held-out items.

    Args:
        data: without the held-out items.
        validation: held-out items of users with a history.
        cold: items of users who were stripped of their history.
    """
    if not len(data.friends):
        return Friendship(None, None)
    return Friendship(_fit_lift(data, warm_features(data), validation), _fit_lift(data, cold_features(data), cold))


def cold_features(data: InterestData) -> NDArray[np.float64]:
    """Return (E, 4) features of every tie, row's side: what is known of a user without a history."""
    ties = data.friends
    friends, acts = ties.degree, data.positives.degree
    features = newcomer_features(ties.values, friends[ties.indices], acts[ties.indices])
    features[:, 3] = np.log1p(friends[ties.row_of])
    return features


def warm_features(data: InterestData) -> NDArray[np.float64]:
    """Return (E, 7): those of `cold_features`, common friends, common items as a cosine, the user's own acts."""
    ties = data.friends
    acts = data.positives.degree.astype(np.float64)
    row, column = ties.row_of, ties.indices
    common_friends = _common(row, column, ties.indptr, ties.indices)
    common_items = _common(row, column, data.positives.indptr, data.positives.indices)
    cosine = common_items / np.sqrt(np.maximum(acts[row] * acts[column], 1.0))
    extra = np.stack([np.log1p(common_friends), np.sqrt(cosine), np.log1p(acts[row])], axis=1)
    return np.concatenate([cold_features(data), extra], axis=1)


def _fit_lift(data: InterestData, features: NDArray[np.float64], truth: Truth) -> TieModel | None:
    if not len(truth):
        return None
    held = np.zeros(data.users, dtype=np.int64)
    held[truth.user] = truth.counts
    place = np.full(data.users, -1, dtype=np.int64)
    place[truth.user] = np.arange(len(truth))
    count = np.bincount(data.positives.indices, minlength=data.items).astype(np.float64)
    share = count / max(count.sum(), 1.0)
    row, column = data.friends.row_of, data.friends.indices
    used = np.flatnonzero(place[row] >= 0)
    hits, expected = _hits(
        row[used], column[used], place, data.positives.indptr, data.positives.indices, truth.indptr, truth.item, share
    )
    expected *= held[row[used]]
    known = expected > 0
    if hits[known].sum() < FEWEST_HITS:
        return None
    return fit_poisson(features[used][known], hits[known], expected[known])


def fit_poisson(features: NDArray[np.float64], hits: NDArray[np.float64], expected: NDArray[np.float64]) -> TieModel:
    """Fit hits ~ Poisson(expected * exp(w . f + b)) with the ridge on w.

    Args:
        features: (P, F).
        hits: (P,) >= 0.
        expected: (P,) > 0.
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation = np.where(deviation > 1e-9, deviation, 1.0)
    design = np.concatenate([(features - mean) / deviation, np.ones((len(features), 1))], axis=1)
    penalty = np.full(design.shape[1], RIDGE)
    penalty[-1] = 1e-6
    weight = np.zeros(design.shape[1])
    weight[-1] = np.log(hits.sum() / expected.sum())
    for _ in range(ROUNDS):
        rate = expected * np.exp(np.clip(design @ weight, -LARGEST_LOG_LIFT, LARGEST_LOG_LIFT))
        gradient = design.T @ (hits - rate) - penalty * weight
        step = np.linalg.solve((design * rate[:, None]).T @ design + np.diag(penalty), gradient)
        weight = weight + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-6:
            break
    return TieModel(mean.tolist(), deviation.tolist(), weight[:-1].tolist(), float(weight[-1]))


def _kept(ties: Adjacency, weights: NDArray[np.float32]) -> Adjacency:
    """Return the ties that weigh something."""
    kept = weights > 0
    return from_pairs(ties.row_of[kept], ties.indices[kept], ties.shape, weights[kept])


@numba.njit(cache=True)
def _common(
    row: NDArray[np.int32], column: NDArray[np.int32], indptr: NDArray[np.int64], indices: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Return (E,) how many entries the rows of each pair have in common."""
    out = np.zeros(len(row), np.float64)
    for n in range(len(row)):
        a, b = indptr[row[n]], indptr[column[n]]
        last_a, last_b = indptr[row[n] + 1], indptr[column[n] + 1]
        while a < last_a and b < last_b:
            if indices[a] == indices[b]:
                out[n] += 1
                a += 1
                b += 1
            elif indices[a] < indices[b]:
                a += 1
            else:
                b += 1
    return out


@numba.njit(cache=True)
def _hits(  # noqa: PLR0917 - numba takes positions
    row: NDArray[np.int32],
    column: NDArray[np.int32],
    place: NDArray[np.int64],
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    truth_indptr: NDArray[np.int64],
    truth_items: NDArray[np.int32],
    share: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return per pair how many of the friend's items are held out for the user, and the summed shares of those items.

    Items that the user is known to have acted on do not count.
    """
    hits, expected = np.zeros(len(row), np.float64), np.zeros(len(row), np.float64)
    for n in range(len(row)):
        own, last_own = indptr[row[n]], indptr[row[n] + 1]
        held, last_held = truth_indptr[place[row[n]]], truth_indptr[place[row[n]] + 1]
        for at in range(indptr[column[n]], indptr[column[n] + 1]):
            item = indices[at]
            while own < last_own and indices[own] < item:
                own += 1
            if own < last_own and indices[own] == item:
                continue
            expected[n] += share[item]
            while held < last_held and truth_items[held] < item:
                held += 1
            if held < last_held and truth_items[held] == item:
                hits[n] += 1
    return hits, expected
