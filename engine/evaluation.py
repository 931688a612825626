"""Ranking and probability metrics, cuts of the data, and user-bootstrap intervals.

Every metric comes per user (N,) so that means, intervals and paired comparisons are made of the same numbers.
Definitions: Recall@K = hits / the user's true items; NDCG@K has binary gain, discount log2(rank + 1) and an ideal list
cut at min(K, true items); Precision@K = hits / K. Ties in a score are broken by the lower index, always.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.types import NO_TIME

Float = NDArray[np.float64]
Int = NDArray[np.int64]

BLOCKS_PER_PLACE, MOST_PER_PLACE = 4, 16
"""Blocks of columns, and columns that are looked at closely, for each place of a list of the best."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The true items of N users."""

    user: NDArray[np.int32]
    """(N,) ascending, each user once."""
    indptr: Int
    """(N + 1,) bounds of each user's items."""
    item: NDArray[np.int32]
    """(T,) true items, ascending inside a user."""

    def __len__(self) -> int:
        return len(self.user)

    @property
    def counts(self) -> Int:
        """(N,) true items per user, at least 1."""
        return np.diff(self.indptr)

    def take(self, rows: NDArray[np.intp]) -> Truth:
        """Return the truth of the chosen rows (ascending positions)."""
        counts = self.counts[rows]
        indptr = np.concatenate([[0], np.cumsum(counts)])
        place = np.repeat(self.indptr[rows] - indptr[:-1], counts) + np.arange(indptr[-1])
        return Truth(self.user[rows], indptr, self.item[place])


def truth_of(user: NDArray[np.integer], item: NDArray[np.integer]) -> Truth:
    """Group (user, item) pairs by user; repeated pairs count once."""
    order = np.lexsort((item, user))
    u, i = user[order].astype(np.int32), item[order].astype(np.int32)
    fresh = np.ones(len(u), dtype=bool)
    fresh[1:] = (u[1:] != u[:-1]) | (i[1:] != i[:-1])
    u, i = u[fresh], i[fresh]
    users, counts = np.unique(u, return_counts=True)
    return Truth(users, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), i)


def top_k(scores: NDArray[np.floating], k: int) -> NDArray[np.int32]:
    """Return the k best columns of each row, best first, ties by the lower column.

    Args:
        scores: (N, M) without nan; -inf marks what must not be listed before anything else.
        k: length of a list; cut at M.

    Returns:
        (N, min(k, M)) column indices.
    """
    n, m = scores.shape
    k = min(k, m)
    if n == 0 or k == 0:
        return np.zeros((n, k), dtype=np.int32)
    # At least k columns reach the k-th best of the blocks' maxima, and few others do.
    size = max(1, m // (BLOCKS_PER_PLACE * k))
    blocks = m // size
    maxima = scores[:, : blocks * size].reshape(n, blocks, size).max(axis=2)
    bound = np.partition(maxima, blocks - k, axis=1)[:, blocks - k, None]
    place = np.flatnonzero(scores >= bound)
    row, column = np.divmod(place, m)
    counts = np.bincount(row, minlength=n)
    many = counts > MOST_PER_PLACE * k  # ties: sorted whole, or one row would make the table below wide for all
    top = np.empty((n, k), dtype=np.int32)
    top[many] = np.argsort(-scores[many], axis=1, kind="stable")[:, :k]
    counts[many] = 0
    kept = ~many[row]
    row, column, place = row[kept], column[kept], place[kept]
    nth = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = np.zeros((n, max(k, int(counts.max()))), dtype=np.int32)
    values = np.full(columns.shape, -np.inf, dtype=scores.dtype)
    columns[row, nth], values[row, nth] = column, scores.ravel()[place]
    order = np.argsort(-values[~many], axis=1, kind="stable")[:, :k]
    top[~many] = np.take_along_axis(columns[~many], order, axis=1)
    return top


def hit_matrix(top: NDArray[np.integer], truth: Truth) -> NDArray[np.bool_]:
    """Tell which places of each user's list hold a true item.

    Args:
        top: (N, K) ranked items of `truth.user`, -1 where a list is shorter.
        truth: the true items of the same N users.

    Returns:
        (N, K) bool.
    """
    width = int(max(top.max(initial=-1), truth.item.max(initial=-1))) + 2
    row = np.repeat(np.arange(len(truth), dtype=np.int64), truth.counts)
    wanted = row * width + truth.item  # ascending: rows ascend, items ascend inside a row
    asked = np.arange(len(top), dtype=np.int64)[:, None] * width + top
    if not len(wanted):
        return np.zeros(top.shape, dtype=bool)
    place = np.minimum(np.searchsorted(wanted, asked), len(wanted) - 1)
    return (wanted[place] == asked) & (top >= 0)


def recall_at(hits: NDArray[np.bool_], counts: Int, k: int) -> Float:
    """(N,) Recall@k."""
    return hits[:, :k].sum(axis=1) / counts


def precision_at(hits: NDArray[np.bool_], k: int) -> Float:
    """(N,) Precision@k: the list counts as k long even where fewer items exist."""
    return hits[:, :k].sum(axis=1) / k


def hit_at(hits: NDArray[np.bool_], k: int) -> Float:
    """(N,) 1 where at least one of the first k is true."""
    return hits[:, :k].any(axis=1).astype(np.float64)


def ndcg_at(hits: NDArray[np.bool_], counts: Int, k: int) -> Float:
    """(N,) NDCG@k, binary gain, ideal list cut at min(k, true items)."""
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    width = min(k, hits.shape[1])
    ideal = np.cumsum(discount)[np.minimum(k, counts) - 1]
    return hits[:, :width] @ discount[:width] / ideal


def mrr_at(hits: NDArray[np.bool_], k: int) -> Float:
    """(N,) reciprocal rank of the first true item within k, else 0."""
    part = hits[:, :k]
    return np.where(part.any(axis=1), 1.0 / (part.argmax(axis=1) + 1), 0.0)


def map_at(hits: NDArray[np.bool_], counts: Int, k: int) -> Float:
    """(N,) average precision within k, divided by min(k, true items)."""
    part = hits[:, :k]
    precision = np.cumsum(part, axis=1) / np.arange(1, part.shape[1] + 1)
    return (precision * part).sum(axis=1) / np.minimum(k, counts)


def coverage_at(top: NDArray[np.integer], items: int, k: int) -> float:
    """Share of all items that appear in at least one list of k."""
    listed = np.unique(top[:, :k])
    return float((listed >= 0).sum() / max(items, 1))


def auc(labels: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Area under the ROC curve; tied scores count one half (Mann-Whitney); nan if one class is missing."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2.0
    return float((mean_rank[place][labels].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def expected_calibration_error(labels: NDArray[np.bool_], probability: NDArray[np.floating], bins: int = 15) -> float:
    """Mean gap between predicted probability and observed rate over equally wide bins, weighted by their sizes.

    Guo et al., On Calibration of Modern Neural Networks (2017), eq. 3.
    """
    if not len(labels):
        return float("nan")
    place = np.minimum((np.asarray(probability) * bins).astype(np.int64), bins - 1)
    gap = np.bincount(place, weights=labels.astype(np.float64) - probability, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))


def bootstrap_interval(values: Float, seed: int, draws: int = 1000) -> tuple[float, float]:
    """95 % interval of the mean of `values` (N,) when the N users are drawn anew with replacement."""
    if not len(values):
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    means = np.empty(draws)
    for draw in range(draws):
        means[draw] = values[rng.integers(0, len(values), len(values))].mean()
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def holdout_cut(user: NDArray[np.integer], fraction: float, order: Float, keep: int = 1) -> NDArray[np.bool_]:
    """Choose each user's first rows.

    Args:
        user: (E,) user of each row.
        fraction: share of a user's rows that is held out, rounded to the nearest whole number.
        order: (E,) smaller goes first; random numbers for a random cut, ages for the newest rows.
        keep: rows of a user that always stay.

    Returns:
        (E,) True where held out.
    """
    by_user = np.lexsort((order, user))
    _, start, counts = np.unique(user[by_user], return_index=True, return_counts=True)
    rank = np.arange(len(user)) - np.repeat(start, counts)
    held_per_user = np.clip(np.rint(counts * fraction), 0, np.maximum(counts - keep, 0))
    held = np.zeros(len(user), dtype=bool)
    held[by_user] = rank < np.repeat(held_per_user, counts)
    return held


def time_cut(time_s: NDArray[np.int64], fraction: float) -> NDArray[np.bool_]:
    """Hold out the newest `fraction` of the rows whose time is known; rows of the same second stay together.

    Raises:
        DataError: no time is known.
    """
    known = time_s != NO_TIME
    if not known.any():
        raise DataError("a time cut needs rows with times")
    return known & (time_s > np.quantile(time_s[known], 1.0 - fraction, method="lower"))


def shuffled_split(
    user: Sequence[int] | NDArray[np.integer], item: Sequence[int] | NDArray[np.integer], seed: int, share: float = 0.2
) -> NDArray[np.bool_]:
    """The `--split 80/20` cut: True for test rows.

    Users ascending, one `random.Random(seed)`, each user's sorted items shuffled in turn, the first int(share n) to
    the test.
    """
    users, items = np.asarray(user), np.asarray(item)
    order = np.lexsort((items, users))
    bounds = np.flatnonzero(np.diff(users[order])) + 1
    test = np.zeros(len(users), dtype=bool)
    rng = random.Random(seed)
    for rows in np.split(order, bounds):
        shuffled = rows.tolist()
        rng.shuffle(shuffled)
        test[shuffled[: int(share * len(shuffled))]] = True
    return test
