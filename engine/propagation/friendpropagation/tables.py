"""What is learned from whole cascades: a linear model of users and their vectors, each fold measured without itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.propagation.friendpropagation.memory import Tables
from engine.propagation.friendpropagation.pairs import Folder, Int
from engine.propagation.sharetarget.population import factors

FOLDS = 5
LINEAR_USERS = 2_500
"""Users in the linear model: those of most cascades; its inverse takes seconds."""
RIDGE = 30.0
DIMENSIONS = 32


def tables_of(folder: Folder, rows: Int, seed: int) -> Tables:
    """Return the tables of each fold of the cascades `rows`, and as the last one those of all of them.

    A cascade of `rows` is measured with the table of its fold, which was made without it; any other with the last.
    """
    cascades = folder.cascades
    count = np.bincount(cascades.user[cascades.events_of(rows)], minlength=folder.users)
    known = np.sort(np.argsort(-count, kind="stable")[: min(LINEAR_USERS, int((count > 0).sum()))])
    column = np.full(folder.users, -1, np.int64)
    column[known] = np.arange(len(known))
    fold = np.full(len(cascades), FOLDS, np.int64)
    fold[rows] = np.arange(len(rows)) % FOLDS
    linear, vectors = [], []
    for each in range(FOLDS + 1):
        kept = rows[fold[rows] != each]
        linear.append(_linear(folder, kept, column, len(known)))
        vectors.append(_vectors(folder, kept, len(rows), seed))
    return Tables(fold, column, known, np.stack(linear), np.stack(vectors))


def _linear(folder: Folder, rows: Int, column: Int, width: int) -> NDArray[np.float32]:
    """Return the weights (M, M) with which a user calls others into a cascade (EASE: Steck 2019, eq. 8).

    Cascades weigh 1 / log2(2 + size), as small ones tell more about who belongs together.
    """
    events = folder.cascades.events_of(rows)
    size = np.diff(folder.cascades.indptr)[rows]
    of, user = np.repeat(np.arange(len(rows)), size), column[folder.cascades.user[events]]
    there = np.zeros((len(rows), width), np.float32)
    weight = np.sqrt(1.0 / np.log2(2.0 + size))[of]
    there[of[user >= 0], user[user >= 0]] = weight[user >= 0]
    gram = (there.T @ there).astype(np.float64)
    gram[np.diag_indices(width)] += RIDGE
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(weights, 0.0)
    return weights.astype(np.float32)


def _vectors(folder: Folder, rows: Int, most: int, seed: int) -> NDArray[np.float32]:
    """Return vectors (U, D) at unit length: factors of who is in cascades with whom, spread once along the links.

    `most` cascades are the most of any fold: all folds' vectors are of one width.
    """
    events = folder.cascades.events_of(rows)
    size = np.diff(folder.cascades.indptr)[rows]
    of, user = np.repeat(np.arange(len(rows)), size), folder.cascades.user[events]
    nodes = folder.users + most
    left, _ = factors(user, folder.users + of, np.ones(len(user)), nodes, dimensions=DIMENSIONS, seed=seed)
    own = left[: folder.users]
    ties = folder.neighbours
    spread = np.zeros_like(own)
    np.add.at(spread, ties.owner, own[ties.user])
    vectors = own + spread / np.maximum(ties.degree, 1)[:, None]
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-9).astype(np.float32)
