"""The scoring functions: what is served is scored here, and so is what `kith evaluate` measures. Numpy only.

Every part is a named score of items for users. Parts are standardised per user and summed with weights that were
fitted on a held-out cut; the two largest contributions to an item's score are its reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.types import REASONS

Floats = NDArray[np.float32]

SCORES = ("graphsage", "itemitem", "plain", "friends", "popularity")
"""The named scores, in the order of their weights."""
NO_REASON = 255
_REASON_OF = {
    "graphsage": "taste",
    "itemitem": "similarItems",
    "plain": "popular",
    "friends": "friends",
    "popularity": "popular",
}
_COLD_REASON_OF = {**_REASON_OF, "graphsage": "attributes"}


@dataclass(frozen=True, slots=True)
class BlendWeights:
    """Weight of every named score; a score that is missing counts 0."""

    warm: Mapping[str, float]
    """For users with a history of their own."""
    cold: Mapping[str, float]
    """For users without one."""


@dataclass(frozen=True, slots=True)
class PlainModel:
    """p(u, i) = sigma(w_u . h_u + w_i . h_i + b), the field's formula, on the embeddings h."""

    user_weight: Floats
    """(D,)"""
    item_weight: Floats
    """(D,)"""
    bias: float

    def probability(self, users: Floats, items: Floats) -> Floats:
        """Return (N, I) probabilities for embeddings (N, D) and (I, D)."""
        logit = (users @ self.user_weight)[:, None] + (items @ self.item_weight)[None, :] + self.bias
        return (1.0 / (1.0 + np.exp(-logit))).astype(np.float32)


def similarity(users: Floats, items: Floats) -> Floats:
    """Return (N, I) cosines of unit rows (N, D) and (I, D)."""
    return users @ items.T


def popularity(count: NDArray[np.floating], users: int) -> Floats:
    """Return (N, I): log(1 + times acted on), the same for every user."""
    return np.broadcast_to(np.log1p(count).astype(np.float32), (users, len(count)))


def standardise(scores: Floats) -> Floats:
    """Return (N, I) scores with mean 0 and deviation 1 per row; a row without differences becomes zeros."""
    mean = scores.mean(axis=1, keepdims=True)
    deviation = scores.std(axis=1, keepdims=True)
    flat = deviation <= 1e-6 * np.maximum(np.abs(mean), 1e-30)
    return ((scores - mean) / np.where(flat, np.inf, deviation)).astype(np.float32)


def contributions(parts: Mapping[str, Floats], weights: Mapping[str, float]) -> dict[str, Floats]:
    """Return what each weighted part (N, I) adds to the score, by name: weight times the standardised part."""
    return {
        name: np.float32(weights[name]) * standardise(parts[name])
        for name in SCORES
        if name in parts and weights.get(name)
    }


def blend(contributed: Mapping[str, Floats], shape: tuple[int, int]) -> Floats:
    """Return (N, I): the sum of the contributions; zeros where there are none."""
    total = np.zeros(shape, dtype=np.float32)
    for part in contributed.values():
        total += part
    return total


def reasons(
    contributed: Mapping[str, Floats], chosen: NDArray[np.integer], *, is_cold: bool = False
) -> NDArray[np.uint8]:
    """Return the two reasons with the largest positive contributions to each chosen item.

    Args:
        contributed: (N, I) by name of score, from `contributions`.
        chosen: (N, K) items.
        is_cold: whether the users have no history, so that GraphSAGE speaks from attributes and friends alone.

    Returns:
        (N, K, 2) positions in REASONS, 255 for none; the larger contribution first.
    """
    reason_of = _COLD_REASON_OF if is_cold else _REASON_OF
    gathered: dict[int, Floats] = {}
    for name, part in contributed.items():
        share = np.take_along_axis(part, chosen, axis=1)
        code = REASONS.index(reason_of[name])
        gathered[code] = gathered[code] + share if code in gathered else share
    result = np.full((*chosen.shape, 2), NO_REASON, dtype=np.uint8)
    if not gathered:
        return result
    codes = np.array(sorted(gathered), dtype=np.uint8)
    shares = np.stack([gathered[int(code)] for code in codes], axis=-1)
    order = np.argsort(-shares, axis=-1, kind="stable")[..., :2]
    positive = np.take_along_axis(shares, order, axis=-1) > 0
    result[..., : order.shape[-1]] = np.where(positive, codes[order], NO_REASON)
    return result
