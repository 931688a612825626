"""Boosted trees of the chance of each pair: binary cross-entropy, over the bins and splits of the listwise ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.propagation.friendpropagation.pairs import Float
from engine.propagation.sharetarget.boosting import TreeSettings, add_tree, grow, in_bins, signal_edges, trees_of
from engine.serving.sharetarget.trees import Trees

PAIR_TREES = TreeSettings(trees=150, depth=5, rate=0.05, questions=0.5, signals=0.3, ridge=100.0, least=50.0)
"""Of `questions` the name is the other ranker's: here it is the part of the pairs that a tree sees. The pairs of
one friend in one cascade have one outcome, so leaves need much: ridge 5 and curvature 3 were worse (ADR 21)."""


def boost_pairs(
    signals: NDArray[np.float32],
    outcome: NDArray[np.bool_],
    weight: Float,
    settings: TreeSettings,
    seed: int,
    *,
    offset: Float | None = None,
) -> tuple[float, Trees]:
    """Return the log-odds before any tree and the trees (Friedman 2001, algorithm 5, with Newton steps).

    Args:
        signals: (P, F) finite.
        outcome: (P,) with both outcomes.
        weight: (P,) > 0, mean about 1.
        settings: of the trees.
        seed: of the pairs and signals that each tree sees.
        offset: (P,) log-odds that the trees start from instead of one constant; the base is 0 then.
    """
    rng = np.random.default_rng([seed, 11])
    edges = signal_edges(signals, rng)
    binned, width = in_bins(signals, edges), signals.shape[1]
    used = max(1, round(settings.signals * width))
    rate = float(np.average(outcome, weights=weight))
    base = float(np.log(rate / (1.0 - rate))) if offset is None else 0.0
    score, grown = np.full(len(signals), base) if offset is None else offset.copy(), []
    for _ in range(settings.trees):
        chance = 1.0 / (1.0 + np.exp(-score))
        slopes = np.stack([weight * (chance - outcome), weight * chance * (1.0 - chance)], axis=1)
        seen = np.flatnonzero(rng.random(len(signals)) < settings.questions)
        columns = np.sort(rng.permutation(width)[:used]).astype(np.int64)
        tree = grow(binned, seen, columns, slopes, (settings.depth, settings.ridge, settings.least))
        tree[2][:] *= settings.rate
        add_tree(score, binned, *tree)
        grown.append(tree)
    return base, trees_of(grown, edges)
