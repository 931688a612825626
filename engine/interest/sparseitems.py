"""A sparse linear item-item model: each item is predicted from its closest items alone, so it grows with their number.

The dense closed form (`itemitem.py`) inverts a matrix of items x items or users x users. Here every item j has a small
ridge regression of its own on the `support` items S that it occurs with most, for their size:

    b_j = argmin |x_j - X_S b|^2 + ridge |b|^2 = (G_SS + ridge I)^-1 G_Sj,   G = X'X

(Ning and Karypis, SLIM, ICDM 2011, with the neighbours chosen first as in its section 4.3; the ridge alone instead of
an elastic net keeps it closed). Columns are divided by popularity^exponent as in the dense form. Time is
items x support^3 / 3 and memory items x (near + support): nothing is items x items.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import TrainingError
from engine.interest.adjacency import Adjacency, from_pairs

BLOCK_ITEMS = 2048
"""Items whose regressions are solved together."""
MOST_DOUBLINGS = 30
MOST_HISTORY = 2000
"""Users with more acts do not count for what occurs together: they say least and cost most (their square)."""


@dataclass(frozen=True, slots=True)
class Cooccurrence:
    """What the regressions are made of; independent of the ridge."""

    seen: Adjacency
    """(U, I) scaled history."""
    near: Adjacency
    """(I, I) the largest entries of each row of X'X outside its diagonal."""
    diagonal: NDArray[np.float32]
    """(I,) diagonal of X'X."""
    scale: NDArray[np.float64]
    """(I,) popularity^-exponent."""
    exponent: float


@dataclass(frozen=True, slots=True)
class SparseItemItem:
    """A fitted model over I items."""

    ridge: float
    exponent: float
    seen: Adjacency
    """(U, I) the scaled history the model was fitted on."""
    weights: Adjacency
    """(I, I) B: what a scaled act on the row adds to the column's score."""
    scale: NDArray[np.float64]
    """(I,) popularity^-exponent."""

    def scores(self, users: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return (N, I) scores of users of the fitted history; higher is better."""
        return product(self.seen.take(users), self.weights)

    def scores_of(self, history: Adjacency) -> NDArray[np.float32]:
        """Return (N, I) scores of histories (N, I) that need not be among the fitted ones."""
        return product(history.scale(None, self.scale), self.weights)

    def mixed(self, rows: Adjacency) -> NDArray[np.float32]:
        """Return (N, I): weighted sums (N, U) of the fitted users' scores and histories (friends, for example)."""
        mixed = product(rows, self.seen)
        return mixed + _spread_dense(mixed, *_arrays(self.weights))

    def rows(self, k: int) -> Adjacency:
        """Return (I, I) weights between unscaled histories and scores; all of them, whatever k is."""
        return self.weights.scale(self.scale, None)


def count_cooccurrence(history: Adjacency, exponent: float = 0.2, near: int = 600) -> Cooccurrence:
    """Count what occurs together.

    Args:
        history: (U, I) positives; values weigh them.
        exponent: columns are divided by popularity^exponent first.
        near: entries kept per item, the largest.
    """
    popularity = np.bincount(history.indices, minlength=history.columns)
    scale = np.maximum(popularity, 1).astype(np.float64) ** -exponent
    seen = history.scale(None, scale)
    counted = seen.take(np.flatnonzero(seen.degree <= MOST_HISTORY))
    by_item = counted.transpose()
    counts, places, values = [], [], []
    for start in range(0, history.columns, BLOCK_ITEMS):
        stop = min(start + BLOCK_ITEMS, history.columns)
        kept, place, value = _largest_together(start, stop, near, *_arrays(by_item), *_arrays(counted))
        counts.append(kept)
        filled = np.arange(near) < kept[:, None]
        places.append(place[filled])
        values.append(value[filled])
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
    together = Adjacency(indptr, np.concatenate(places), np.concatenate(values), history.columns)
    diagonal = np.bincount(counted.indices, weights=counted.values**2, minlength=history.columns)
    return Cooccurrence(seen, together, diagonal.astype(np.float32), scale, exponent)


def fit(counted: Cooccurrence, ridge: float, support: int = 100) -> SparseItemItem:
    """Solve every item's regression on the `support` items of largest cosine with it.

    Args:
        counted: what occurs together.
        ridge: lambda > 0.
        support: items that an item is predicted from, at most.

    Raises:
        TrainingError: a system could not be solved.
    """
    items = len(counted.diagonal)
    sources, targets, values = [], [], []
    for start, chosen in _supports(counted, support):
        rows = np.arange(start, start + len(chosen))
        gram, right = _systems(rows, chosen, *_arrays(counted.near), counted.diagonal, np.float32(ridge))
        solved = _solve(torch.from_numpy(gram), torch.from_numpy(right), ridge)
        filled = chosen >= 0
        sources.append(chosen[filled])
        targets.append(np.repeat(rows, filled.sum(axis=1)))
        values.append(solved[filled])
    weights = from_pairs(np.concatenate(sources), np.concatenate(targets), (items, items), np.concatenate(values))
    return SparseItemItem(ridge, counted.exponent, counted.seen, weights, counted.scale)


def _solve(gram: torch.Tensor, right: torch.Tensor, ridge: float) -> NDArray[np.float32]:
    """Return (N, S) solutions of symmetric systems (N, S, S) that are positive definite but for what was cut off.

    Leaving small counts out can make a system indefinite; its ridge is doubled until it is not.
    """
    factor, wrong = torch.linalg.cholesky_ex(gram)
    for _ in range(MOST_DOUBLINGS):
        failed = torch.nonzero(wrong).flatten()
        if not len(failed):
            return torch.cholesky_solve(right[:, :, None], factor)[:, :, 0].numpy()
        gram[failed] += ridge * torch.eye(gram.shape[1])
        ridge *= 2.0
        factor[failed], wrong[failed] = torch.linalg.cholesky_ex(gram[failed])
    raise TrainingError("the item-item model cannot be solved: its counts are not finite")


def _supports(counted: Cooccurrence, support: int) -> Iterator[tuple[int, NDArray[np.int32]]]:
    """Yield blocks: (first item, (N, support) items by cosine, -1 where there are fewer)."""
    near = counted.near
    length = np.sqrt(np.maximum(counted.diagonal, np.finfo(np.float32).tiny))
    closeness = near.values / length[near.indices]
    for start in range(0, near.rows, BLOCK_ITEMS):
        stop = min(start + BLOCK_ITEMS, near.rows)
        first, last = near.indptr[start], near.indptr[stop]
        row = np.repeat(np.arange(stop - start), near.degree[start:stop])
        order = np.lexsort((near.indices[first:last], -closeness[first:last], row))
        rank = np.arange(last - first) - np.repeat(near.indptr[start:stop] - first, near.degree[start:stop])
        kept = rank < support
        chosen = np.full((stop - start, support), -1, dtype=np.int32)
        chosen[row[kept], rank[kept]] = near.indices[first:last][order[kept]]
        yield start, chosen


def product(left: Adjacency, right: Adjacency) -> NDArray[np.float32]:
    """Return the dense (N, C) product of two sparse matrices."""
    return _mix(*_arrays(left), *_arrays(right), right.columns)


def _arrays(matrix: Adjacency) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    return matrix.indptr, matrix.indices, matrix.values


@numba.njit(cache=True)
def _mix(  # noqa: PLR0917 - numba takes positions
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
    to_indptr: NDArray[np.int64],
    to_indices: NDArray[np.int32],
    to_values: NDArray[np.float32],
    columns: int,
) -> NDArray[np.float32]:
    """Return the dense product of two sparse matrices."""
    out = np.zeros((len(indptr) - 1, columns), np.float32)
    for row in range(len(out)):
        for at in range(indptr[row], indptr[row + 1]):
            value, middle = values[at], indices[at]
            for to in range(to_indptr[middle], to_indptr[middle + 1]):
                out[row, to_indices[to]] += value * to_values[to]
    return out


@numba.njit(cache=True)
def _spread_dense(
    dense: NDArray[np.float32],
    to_indptr: NDArray[np.int64],
    to_indices: NDArray[np.int32],
    to_values: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return dense (N, I) @ sparse (I, I), zeros skipped."""
    out = np.zeros_like(dense)
    for row in range(len(dense)):
        for middle in range(dense.shape[1]):
            value = dense[row, middle]
            if value != 0:
                for to in range(to_indptr[middle], to_indptr[middle + 1]):
                    out[row, to_indices[to]] += value * to_values[to]
    return out


@numba.njit(cache=True)
def _largest_together(  # noqa: PLR0917 - numba takes positions
    start: int,
    stop: int,
    near: int,
    by_item_indptr: NDArray[np.int64],
    by_item_users: NDArray[np.int32],
    by_item_values: NDArray[np.float32],
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Return rows start..stop of X'X without the diagonal: how many entries each keeps, which, and their values."""
    total = np.zeros(len(by_item_indptr) - 1, np.float32)
    met = np.empty(len(total), np.int32)
    kept = np.zeros(stop - start, np.int64)
    place = np.full((stop - start, near), -1, np.int32)
    value = np.zeros((stop - start, near), np.float32)
    for item in range(start, stop):
        count = 0
        for at in range(by_item_indptr[item], by_item_indptr[item + 1]):
            user, weight = by_item_users[at], by_item_values[at]
            for to in range(indptr[user], indptr[user + 1]):
                other = indices[to]
                if total[other] == 0:
                    met[count] = other
                    count += 1
                total[other] += weight * values[to]
        total[item] = 0
        found = np.sort(met[:count])  # ascending, so that equal counts keep the lower item
        order = np.argsort(-total[found], kind="mergesort")
        for rank in range(min(near, count)):
            other = found[order[rank]]
            if total[other] <= 0:
                break
            place[item - start, rank] = other
            value[item - start, rank] = total[other]
            kept[item - start] += 1
        for at in range(count):
            total[met[at]] = 0
    return kept, place, value


@numba.njit(cache=True)
def _systems(  # noqa: PLR0917 - numba takes positions
    rows: NDArray[np.int64],
    chosen: NDArray[np.int32],
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
    diagonal: NDArray[np.float32],
    ridge: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return G_SS + ridge I (N, S, S) and G_Sj (N, S); a pair outside both items' largest counts as 0.

    Unused places are rows of the identity, whose solution is 0.
    """
    count, support = chosen.shape
    gram = np.zeros((count, support, support), np.float32)
    right = np.zeros((count, support), np.float32)
    place = np.full(len(diagonal), -1, np.int32)
    for n in range(count):
        for p in range(support):
            if chosen[n, p] >= 0:
                place[chosen[n, p]] = p
            else:
                gram[n, p, p] = 1
        for at in range(indptr[rows[n]], indptr[rows[n] + 1]):
            p = place[indices[at]]
            if p >= 0:
                right[n, p] = values[at]
        for p in range(support):
            item = chosen[n, p]
            if item < 0:
                break
            gram[n, p, p] = diagonal[item] + ridge
            for at in range(indptr[item], indptr[item + 1]):
                q = place[indices[at]]
                if q >= 0:
                    gram[n, p, q] = values[at]
                    gram[n, q, p] = values[at]
        for p in range(support):
            if chosen[n, p] >= 0:
                place[chosen[n, p]] = -1
    return gram, right
