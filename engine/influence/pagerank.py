"""PageRank against the ties: a simple order of users that plans and seeds are compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.types import EdgeProbabilities

DAMPING, ROUNDS = 0.85, 100
_SETTLED = 1e-9


def reversed_pagerank(
    edges: EdgeProbabilities, weight: NDArray[np.floating] | None = None, rounds: int = ROUNDS
) -> NDArray[np.float64]:
    """Return PageRank (N,) where everybody passes rank on to those who influence them, by weight.

    Brin and Page, The anatomy of a large-scale hypertextual web search engine, 1998, on the reversed graph; whoever is
    influenced by nobody passes rank on to all alike.

    Args:
        edges: P(u->v).
        weight: (E,) of the edges, >= 0; None: their probabilities.
        rounds: at most so many; it ends earlier once nothing changes.
    """
    own = np.asarray(edges.probability if weight is None else weight, np.float64)
    total = np.bincount(edges.target, own, edges.nodes)
    share = np.divide(own, total[edges.target], out=np.zeros(len(own)), where=total[edges.target] > 0)
    rank = np.full(edges.nodes, 1.0 / max(edges.nodes, 1))
    for _ in range(rounds):
        passed = np.bincount(edges.source, rank[edges.target] * share, edges.nodes)
        after = DAMPING * (passed + rank[total == 0].sum() / edges.nodes) + (1.0 - DAMPING) / edges.nodes
        if np.abs(after - rank).sum() < _SETTLED:
            return after
        rank = after
    return rank
