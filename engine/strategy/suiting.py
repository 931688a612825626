"""P(u->v) of an item or a category: who is interested in it passes it on more readily than other things.

How much so is learned in training (`engine/propagation/itemlearning.py`) where enough shares were acted on. Elsewhere
it is assumed:

    P(u->v | i) = min(P(u->v) * f(v, i), MAX_PROBABILITY)
    f(v, i) = exp(w cos(h_v, h_i)) / mean over items j of exp(w cos(h_v, h_j))

h are the embeddings of the version. The mean of f(v, .) over the items is 1, so over all items the published P(u->v) is
kept, the cap aside. The form is that of the softmax that the embedding is trained with; w is much smaller than there,
because who is sent an item need not prefer it to all others. Of a category f is the mean over its items.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.types import EdgeProbabilities

WEIGHT = 2.0
"""w: between an item at a right angle and one that fits wholly lies a factor of 7.4."""
MAX_PROBABILITY = 0.95
MOST_ITEMS = 1_000
"""Items that the mean is taken over, drawn where there are more."""
_BLOCK = 8_192


def interest_factor(
    users: NDArray[np.floating], wanted: NDArray[np.floating], items: NDArray[np.floating], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return f of each user, (U,) > 0; 1 for each where there is nothing wanted or no item.

    Args:
        users: (U, D) embeddings, unit rows or zeros.
        wanted: (W, D) of the item or of the category's items.
        items: (I, D) of all items.
        rng: draws the items of the mean where there are more than MOST_ITEMS.
    """
    if not len(wanted) or not len(items):
        return np.ones(len(users), np.float32)
    sample = items if len(items) <= MOST_ITEMS else items[np.sort(rng.choice(len(items), MOST_ITEMS, replace=False))]
    factor = np.empty(len(users), np.float32)
    for start in range(0, len(users), _BLOCK):
        block = users[start : start + _BLOCK]
        mean = np.exp(WEIGHT * (block @ sample.T)).mean(axis=1)
        factor[start : start + _BLOCK] = np.exp(WEIGHT * (block @ wanted.T)).mean(axis=1) / mean
    return factor


def learned(edges: EdgeProbabilities, log_odds: NDArray[np.floating]) -> EdgeProbabilities:
    """Return P(u->v | i) for what the item adds to the log-odds of each receiver, (U,)."""
    odds = edges.probability / (1.0 - edges.probability) * np.exp(log_odds)[edges.target]
    probability = np.minimum(odds / (1.0 + odds), MAX_PROBABILITY).astype(np.float32)
    return EdgeProbabilities(edges.source, edges.target, probability, edges.nodes)


def suited(edges: EdgeProbabilities, factor: NDArray[np.floating]) -> EdgeProbabilities:
    """Return P(u->v | i) for the factor of each receiver, (U,)."""
    probability = np.minimum(edges.probability * factor[edges.target], MAX_PROBABILITY).astype(np.float32)
    return EdgeProbabilities(edges.source, edges.target, probability, edges.nodes)
