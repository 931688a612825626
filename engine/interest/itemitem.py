"""A linear item-item model in closed form: EASE, with popularity-scaled columns, in item space or in user space.

Steck, Embarrassingly Shallow Autoencoders for Sparse Data (WWW 2019): B = I - P diag(P)^-1 with
P = (X'X + ridge I)^-1 (eq. 8). Columns are first divided by popularity^exponent, the item-adaptive normalisation of
Park et al., Toward a Better Understanding of Linear Models for Recommendation (SIGIR 2024); it needs no inverse of
its own. With fewer users than items the Woodbury identity gives the same scores from an inverse of users x users:
with A = (ridge I + X X')^-1, X P = A X and diag(P)_j = (1 - x_j' A x_j) / ridge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import TrainingError
from engine.evaluation import top_k
from engine.interest.adjacency import Adjacency, from_pairs

BLOCK_FLOATS = 1 << 25
"""Largest dense block that is made beside the model, in floats (128 MB)."""


@dataclass(frozen=True, slots=True)
class ItemItem:
    """A fitted item-item model over I items."""

    ridge: float
    exponent: float
    seen: Adjacency
    """(U, I) the scaled history the model was fitted on."""
    items: NDArray[np.int32]
    """(M,) items the model knows, ascending: those with a positive, the most popular ones above the limit."""
    in_user_space: bool
    core: torch.Tensor
    """A X, (U, M), in user space; B, (M, M), in item space; float32."""
    diagonal: torch.Tensor
    """diag(P), (M,) float32."""
    scale: NDArray[np.float64]
    """(I,) popularity^-exponent."""

    def scores(self, users: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return (N, I) scores of users of the fitted history; higher is better."""
        history = self.seen.take(users).take_columns(self.items)
        if self.in_user_space:
            block = _dense(history) - self.core[torch.from_numpy(users.astype(np.int64))] / self.diagonal
        else:
            block = history.torch() @ self.core
        return self._widen(block)

    def mixed(self, rows: Adjacency) -> NDArray[np.float32]:
        """Return (N, I): weighted sums (N, U) of the fitted users' scores and histories (friends, for example)."""
        if self.in_user_space:
            block = 2.0 * self._mix_history(rows) - rows.torch() @ self.core / self.diagonal
        else:
            histories = self._mix_history(rows)
            block = histories @ self.core + histories
        return self._widen(block)

    def scores_of(self, history: Adjacency) -> NDArray[np.float32]:
        """Return (N, I) scores of histories (N, I) that need not be among the fitted ones."""
        scaled = history.scale(None, self.scale).take_columns(self.items)
        if not self.in_user_space:
            return self._widen(scaled.torch() @ self.core)
        met = self.seen.take_columns(self.items).torch() @ _dense(scaled).T
        inverse = (_dense(scaled) - met.T @ self.core) / self.ridge
        return self._widen(_dense(scaled) - inverse / self.diagonal)

    def rows(self, k: int) -> Adjacency:
        """Return (I, I) weights between unscaled histories and scores, each row's k largest by absolute value."""
        row, column, value = [], [], []
        for items, block in self._weights():
            unscaled = block * self.scale[items].astype(np.float32)[:, None]
            order = top_k(np.abs(unscaled), k)
            row.append(np.repeat(items, order.shape[1]))
            column.append(self.items[order].ravel())
            value.append(np.take_along_axis(unscaled, order, axis=1).ravel())
        kept = np.concatenate(value) != 0
        shape = (len(self.scale), len(self.scale))
        return from_pairs(np.concatenate(row)[kept], np.concatenate(column)[kept], shape, np.concatenate(value)[kept])

    def _mix_history(self, rows: Adjacency) -> torch.Tensor:
        """Return (N, M) weighted sums of the fitted users' scaled histories."""
        known = self.seen if len(self.items) == len(self.scale) else self.seen.take_columns(self.items)
        met = np.unique(rows.indices)
        return rows.take_columns(met).torch() @ _dense(known.take(met))

    def _weights(self) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float32]]]:
        """Yield blocks of rows of B over the known items: (items, (n, M) weights)."""
        step = max(1, BLOCK_FLOATS // max(len(self.items), 1))
        columns = self.seen.take_columns(self.items).transpose() if self.in_user_space else None
        for start in range(0, len(self.items), step):
            stop = min(start + step, len(self.items))
            if columns is None:
                block = self.core[start:stop].clone()
            else:
                block = columns.take(np.arange(start, stop)).torch() @ self.core
                block /= self.ridge * self.diagonal
                block[torch.arange(stop - start), torch.arange(start, stop)] = 0.0
            yield self.items[start:stop], block.numpy()

    def _widen(self, block: torch.Tensor) -> NDArray[np.float32]:
        """Put the known items' scores (N, M) into their columns of (N, I); unknown items score 0."""
        if len(self.items) == len(self.scale):
            return block.numpy()
        full = np.zeros((block.shape[0], len(self.scale)), dtype=np.float32)
        full[:, self.items] = block.numpy()
        return full


def fit(history: Adjacency, ridge: float, exponent: float = 0.2, limit: int = 16_000) -> ItemItem:
    """Fit the model.

    Args:
        history: (U, I) positives; values weigh them.
        ridge: lambda > 0.
        exponent: columns are divided by popularity^exponent first.
        limit: largest side of the matrix that is inverted; beyond it only the most popular items take part.

    Raises:
        TrainingError: the matrix could not be inverted.
    """
    popularity = np.bincount(history.indices, minlength=history.columns)
    scale = np.maximum(popularity, 1).astype(np.float64) ** -exponent
    seen = history.scale(None, scale)
    # Rows and columns without a positive would only make the inverse larger: their part of every result is zero.
    active = np.flatnonzero(history.degree)
    items = np.flatnonzero(popularity).astype(np.int32)
    in_user_space = len(active) < len(items) and len(active) <= limit
    if not in_user_space and len(items) > limit:
        items = np.sort(np.argsort(-popularity, kind="stable")[:limit]).astype(np.int32)
    known = seen.take_columns(items)
    gram = _gram(known.take(active).transpose() if in_user_space else known)
    gram.diagonal().add_(ridge)
    inverse = _invert(gram)
    if in_user_space:
        core = torch.zeros((history.rows, len(items)))
        core[torch.from_numpy(active)] = (known.take(active).transpose().torch() @ inverse).T
        diagonal = (1.0 - _column_products(known, core)) / ridge
    else:
        diagonal = inverse.diagonal().clone()
        core = inverse.div_(-diagonal)
        core.fill_diagonal_(0.0)
    return ItemItem(ridge, exponent, seen, items, in_user_space, core, diagonal.clamp_min(1e-12), scale)


def _dense(part: Adjacency) -> torch.Tensor:
    return torch.from_numpy(part.dense())


def _gram(matrix: Adjacency) -> torch.Tensor:
    """Return M'M (C, C) float32 of a sparse (R, C) matrix, in blocks of its columns."""
    transposed = matrix.transpose()
    left = transposed.torch()
    gram = torch.empty((matrix.columns, matrix.columns))
    step = max(1, BLOCK_FLOATS // max(matrix.rows, 1))
    for start in range(0, matrix.columns, step):
        part = transposed.take(np.arange(start, min(start + step, matrix.columns)))
        gram[:, start : start + step] = left @ _dense(part).T.contiguous()
    return gram


def _invert(gram: torch.Tensor) -> torch.Tensor:
    """Return the inverse of a symmetric positive definite matrix."""
    try:
        return torch.cholesky_inverse(torch.linalg.cholesky(gram))
    except torch.linalg.LinAlgError as error:
        raise TrainingError(f"the item-item model cannot be solved: {error}") from error


def _column_products(matrix: Adjacency, core: torch.Tensor) -> torch.Tensor:
    """Return sum over rows of matrix * core, (C,) float32, with the sparse entries only."""
    row, column = matrix.row_of.astype(np.int64), matrix.indices.astype(np.int64)
    value = core[torch.from_numpy(row), torch.from_numpy(column)].numpy().astype(np.float64) * matrix.values
    return torch.from_numpy(np.bincount(column, weights=value, minlength=matrix.columns).astype(np.float32))
