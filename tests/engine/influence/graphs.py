"""Graphs whose spread is known by hand, and an enumeration of every possible world that shares no code with Kith."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from engine.types import EdgeProbabilities


def graph(nodes: int, *edges: tuple[int, int, float]) -> EdgeProbabilities:
    source, target, probability = zip(*edges, strict=True) if edges else ((), (), ())
    return EdgeProbabilities(
        np.array(source, np.int32), np.array(target, np.int32), np.array(probability, np.float64), nodes
    )


CHAIN = graph(4, (0, 1, 0.5), (1, 2, 0.5), (2, 3, 0.5))
KNOWN = {
    "chain": (CHAIN, [1.875, 1.75, 1.5, 1.0]),
    "star": (graph(5, (0, 1, 0.2), (0, 2, 0.2), (0, 3, 0.2), (0, 4, 0.2)), [1.8, 1, 1, 1, 1]),
    "wide star": (graph(41, *((0, v, 0.3) for v in range(1, 41))), [13.0] + [1.0] * 40),
    # The centre of 40 senders with small chances: 1 + .02 each.
    "inward star": (graph(41, *((v, 0, 0.02) for v in range(1, 41))), [1.0] + [1.02] * 40),
    "two nodes": (graph(2, (0, 1, 0.3), (1, 0, 0.6)), [1.3, 1.6]),
    "certain ring": (graph(3, (0, 1, 1.0), (1, 2, 1.0), (2, 0, 1.0)), [3, 3, 3]),
    "certain and impossible": (graph(3, (0, 1, 1.0), (1, 2, 0.0)), [2, 1, 1]),
    "no edges": (graph(3), [1, 1, 1]),
    "self loop": (graph(2, (0, 0, 0.9), (0, 1, 0.5)), [1.5, 1]),
    "parallel edges": (graph(2, (0, 1, 0.5), (0, 1, 0.5)), [1.75, 1]),
    # 1 + .5 + P(3) with P(3) = 1 - (1 - .25)^2 for two paths of two halves each.
    "diamond": (graph(4, (0, 1, 0.5), (0, 2, 0.5), (1, 3, 0.5), (2, 3, 0.5)), [2.4375, 1.5, 1.5, 1]),
}


def random_graph(seed: int, nodes: int = 6, edges: int = 10) -> EdgeProbabilities:
    rng = np.random.default_rng(seed)
    return graph(nodes, *((int(a), int(b), float(p)) for a, b, p in
                          zip(rng.integers(0, nodes, edges), rng.integers(0, nodes, edges), rng.random(edges),
                              strict=True)))  # fmt: skip


def exact_spread(edges: EdgeProbabilities, seeds: set[int], worth: NDArray[np.float64] | None = None) -> float:
    """Sum over all 2^E worlds of their chance times what the nodes reached in them count (1 each)."""
    value = np.ones(edges.nodes) if worth is None else worth
    pairs = list(zip(edges.source.tolist(), edges.target.tolist(), edges.probability.tolist(), strict=True))
    total = 0.0
    for kept in product((False, True), repeat=len(pairs)):
        chance = float(np.prod([p if k else 1 - p for k, (_, _, p) in zip(kept, pairs, strict=True)]))
        reached = set(seeds)
        while more := {v for k, (u, v, _) in zip(kept, pairs, strict=True) if k and u in reached} - reached:
            reached |= more
        total += chance * float(value[sorted(reached)].sum())
    return total
