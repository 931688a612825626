"""A list of items that are less alike: maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998, equation 1).

    next = argmax over i not chosen of (1 - w) relevance(i) - w max over j chosen of likeness(i, j)

Likeness is in [0, 1]: the neighbour score of the model's item-item lists, scaled to the best neighbour, or what
category and brand have in common, whichever is more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

SAME_CATEGORY = 0.5
SAME_BRAND = 0.25
"""On top, for two items of one category and one brand; half of it across categories."""


def diversify(relevance: Sequence[float], likeness: NDArray[np.floating], limit: int, weight: float) -> list[int]:
    """Return places of at most `limit` candidates in the order of the list.

    Args:
        relevance: (N,) scores, any unit; scaled to [0, 1] over the candidates.
        likeness: (N, N) in [0, 1].
        limit: at most so many.
        weight: w in [0, 1]; 0 orders by relevance.
    """
    scores = np.asarray(relevance, dtype=np.float64)
    if not len(scores):
        return []
    span = scores.max() - scores.min()
    scaled = (scores - scores.min()) / span if span > 0 else np.ones_like(scores)
    gain = (1.0 - weight) * scaled
    nearest = np.zeros(len(scores))
    chosen: list[int] = []
    while len(chosen) < min(limit, len(scores)):
        value = gain - weight * nearest
        value[chosen] = -np.inf
        best = int(value.argmax())
        chosen.append(best)
        np.maximum(nearest, likeness[best], out=nearest)
    return chosen


def likeness_of(
    items: Sequence[str],
    categories: NDArray[np.integer],
    brands: NDArray[np.integer],
    neighbours: Mapping[str, Mapping[str, float]],
) -> NDArray[np.float64]:
    """Return how alike the items are, (N, N) in [0, 1], symmetric.

    Args:
        items: N ids.
        categories: (N,) numbers, negative where unknown.
        brands: (N,) the same.
        neighbours: per item its neighbours' scores, best 1.
    """
    in_category = (categories[:, None] == categories[None, :]) & (categories >= 0)
    of_brand = (brands[:, None] == brands[None, :]) & (brands >= 0)
    alike = SAME_CATEGORY * in_category + of_brand * np.where(in_category, SAME_BRAND, SAME_BRAND / 2)
    place = {item: n for n, item in enumerate(items)}
    for n, item in enumerate(items):
        for other, score in neighbours.get(item, {}).items():
            if (m := place.get(other)) is not None:
                alike[n, m] = alike[m, n] = max(alike[n, m], min(score, 1.0))
    return alike


def scaled_neighbours(items: Sequence[str], scores: Sequence[float]) -> dict[str, float]:
    """Return an item's neighbours with scores scaled so that the best has 1; none where no score is positive."""
    best = max(scores, default=0.0)
    return {item: score / best for item, score in zip(items, scores, strict=True) if score > 0} if best > 0 else {}


def intra_list_diversity(likeness: NDArray[np.floating]) -> float:
    """Return the mean of 1 - likeness over the pairs of a list (N, N); nan for fewer than two items."""
    count = len(likeness)
    if count < 2:
        return float("nan")
    return float(1.0 - (likeness.sum() - np.trace(likeness)) / (count * (count - 1)))
