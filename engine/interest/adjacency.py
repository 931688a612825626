"""A sparse matrix of rows as two or three flat arrays: the engine's own, so that it needs no scipy."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Adjacency:
    """Compressed sparse rows."""

    indptr: NDArray[np.int64]
    """(R + 1,) bounds of each row."""
    indices: NDArray[np.int32]
    """(E,) column of each entry, ascending inside a row."""
    values: NDArray[np.float32]
    """(E,) value of each entry."""
    columns: int
    """Number of columns C."""

    @property
    def rows(self) -> int:
        """Number of rows R."""
        return len(self.indptr) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """(R, C)."""
        return self.rows, self.columns

    @property
    def degree(self) -> NDArray[np.int64]:
        """(R,) entries per row."""
        return np.diff(self.indptr)

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def row_of(self) -> NDArray[np.int32]:
        """(E,) row of each entry."""
        return np.repeat(np.arange(self.rows, dtype=np.int32), self.degree)

    def transpose(self) -> Adjacency:
        """Return the (C, R) matrix."""
        return from_pairs(self.indices, self.row_of, (self.columns, self.rows), self.values)

    def mean_rows(self) -> Adjacency:
        """Return the matrix with every row scaled to sum 1 (empty rows stay empty): multiplying takes the mean."""
        total = np.bincount(self.row_of, weights=self.values, minlength=self.rows)
        scale = np.divide(1.0, total, out=np.zeros(self.rows), where=total > 0)
        values = (self.values * np.repeat(scale, self.degree)).astype(np.float32)
        return Adjacency(self.indptr, self.indices, values, self.columns)

    def scale(self, row: NDArray[np.floating] | None, column: NDArray[np.floating] | None) -> Adjacency:
        """Return diag(row) @ self @ diag(column)."""
        values = self.values.astype(np.float64)
        if row is not None:
            values = values * np.repeat(row, self.degree)
        if column is not None:
            values = values * column[self.indices]
        return Adjacency(self.indptr, self.indices, values.astype(np.float32), self.columns)

    def take(self, rows: NDArray[np.integer]) -> Adjacency:
        """Return the chosen rows, in the order given."""
        degree = self.degree[rows]
        indptr = np.concatenate([[0], np.cumsum(degree)]).astype(np.int64)
        place = np.repeat(self.indptr[rows] - indptr[:-1], degree) + np.arange(indptr[-1])
        return Adjacency(indptr, self.indices[place], self.values[place], self.columns)

    def take_columns(self, columns: NDArray[np.integer]) -> Adjacency:
        """Return the chosen columns (ascending), renumbered 0..len(columns)-1."""
        place = np.full(self.columns, -1, dtype=np.int64)
        place[columns] = np.arange(len(columns))
        kept = place[self.indices] >= 0
        return from_pairs(self.row_of[kept], place[self.indices[kept]], (self.rows, len(columns)), self.values[kept])

    def dense(self) -> NDArray[np.float32]:
        """Return the (R, C) array."""
        full = np.zeros(self.shape, dtype=np.float32)
        full[self.row_of, self.indices] = self.values
        return full

    def torch(self, device: str | torch.device = "cpu") -> torch.Tensor:
        """Return a torch CSR tensor with int32 indices, which is what MKL and cuSPARSE compute with."""
        import torch  # noqa: PLC0415 - arrays alone need no torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch says once that CSR is young
            return torch.sparse_csr_tensor(
                torch.from_numpy(self.indptr.astype(np.int32)),
                torch.from_numpy(self.indices),
                torch.from_numpy(self.values),
                size=self.shape,
                device=device,
                check_invariants=False,
            )


def from_pairs(
    row: NDArray[np.integer],
    column: NDArray[np.integer],
    shape: tuple[int, int],
    values: NDArray[np.floating] | None = None,
) -> Adjacency:
    """Build a matrix from entries (E,); entries of the same place are summed."""
    value = np.ones(len(row), dtype=np.float32) if values is None else values
    key = row.astype(np.int64) * shape[1] + column
    order = np.argsort(key, kind="stable")
    unique, first = np.unique(key[order], return_index=True)
    summed = np.add.reduceat(value[order].astype(np.float64), first) if len(first) else np.zeros(0)
    counts = np.bincount(unique // max(shape[1], 1), minlength=shape[0])
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Adjacency(indptr, (unique % max(shape[1], 1)).astype(np.int32), summed.astype(np.float32), shape[1])


def empty(shape: tuple[int, int]) -> Adjacency:
    """Return a matrix without entries."""
    return Adjacency(np.zeros(shape[0] + 1, dtype=np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32), shape[1])
