"""Directed user pairs with probabilities as compressed rows, the form that cascades run on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.types import EdgeProbabilities

_CERTAIN = 1.0 - 2.0**-53


@dataclass(frozen=True, slots=True)
class Network:
    """Compressed rows: row u holds u's neighbours in one direction. Self loops and zero probabilities are left out."""

    nodes: int
    indptr: NDArray[np.int64]
    """(N + 1,)"""
    neighbour: NDArray[np.int32]
    """(E,) ascending within a row, unique."""
    probability: NDArray[np.float64]
    """(E,) in (0, 1]."""


def outgoing(edges: EdgeProbabilities) -> Network:
    """Return rows of receivers by sender: forward simulation walks these.

    Raises:
        DataError: a probability outside [0, 1] or an end outside [0, nodes).
    """
    return _compress(edges.source, edges.target, edges.probability, edges.nodes)


def incoming(edges: EdgeProbabilities) -> Network:
    """Return rows of senders by receiver: reverse-reachable sets walk these.

    Raises:
        DataError: a probability outside [0, 1] or an end outside [0, nodes).
    """
    return _compress(edges.target, edges.source, edges.probability, edges.nodes)


def _compress(rows: NDArray[np.int32], columns: NDArray[np.int32], p: NDArray[np.floating], nodes: int) -> Network:
    p = np.asarray(p, np.float64)
    if not (len(rows) == len(columns) == len(p)):
        raise DataError("source, target and probability differ in length")
    if p.size and not (p.min() >= 0.0 and p.max() <= 1.0):
        raise DataError("a probability is outside [0, 1] or not a number")
    if len(rows) and (min(rows.min(), columns.min()) < 0 or max(rows.max(), columns.max()) >= nodes):
        raise DataError(f"an edge ends outside the {nodes} nodes")
    kept = (rows != columns) & (p > 0.0)
    key = rows[kept].astype(np.int64) * nodes + columns[kept]
    order = np.argsort(key, kind="stable")
    key, p = key[order], p[kept][order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    if len(first) < len(key):
        # Parallel edges are independent chances: 1 - prod(1 - p), exact for a certain edge.
        p = _round_certain(-np.expm1(np.add.reduceat(np.log1p(-np.minimum(p, _CERTAIN)), first)))
        key = key[first]
    indptr = np.zeros(nodes + 1, np.int64)
    row = key // max(nodes, 1)
    np.cumsum(np.bincount(row, minlength=nodes), out=indptr[1:])
    return Network(nodes, indptr, (key - row * nodes).astype(np.int32), p)


def _round_certain(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(p >= _CERTAIN, 1.0, p)
