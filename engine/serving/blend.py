"""The scoring functions: what is served is scored here, and so is what `kith evaluate` measures. Numpy only.

Every part is a named score of items for users. Parts are standardised per user, lifts over popularity taken as they
are, and all summed with weights that were fitted on a held-out cut; the two largest contributions to an item's score
are its reasons. A calibration turns the sum into the logit of the chance that the user takes the item next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.types import REASONS

Floats = NDArray[np.float32]

SCORES = ("graphsage", "itemitem", "deep", "plain", "circle", "friends", "popularity", "segment", "trend")
"""The named scores, in the order of their weights:

- graphsage: cosine of the embeddings; deep, plain: the scorers on top of them
- itemitem: the linear model on the user's own acts; circle: the same on the acts of the friends
- friends: how much more often friends took it than its popularity says; segment: users of the same attributes; trend:
  everybody lately
"""
LIFTS = frozenset(("friends", "segment", "trend"))
"""Logs of ratios, 0 where nothing is known: to standardise them per user would blow up the little that is known."""
PRIOR = 50.0
"""Acts of the popularity's own kind that a lift is smoothed with."""
NO_REASON = 255
NEW_ITEM = "newItem"
_REASON_OF = {
    "graphsage": "taste",
    "itemitem": "similarItems",
    "deep": "taste",
    "plain": "popular",
    "circle": "friends",
    "friends": "friends",
    "popularity": "popular",
    "segment": "peers",
    "trend": "trending",
}
_COLD_REASON_OF = {**_REASON_OF, "graphsage": "attributes", "deep": "attributes"}
Weights = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """logit = slope * score + activity * log(1 + acts) + bias."""

    slope: float = 1.0
    activity: float = 0.0
    bias: float = 0.0

    def logit(self, score: NDArray[np.floating], acts: NDArray[np.floating]) -> Floats:
        """Return logits of scores (N, K) of users with so many acts (N,); -inf stays."""
        own = self.activity * np.log1p(acts) + self.bias
        return (self.slope * score + own[:, None]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class BlendWeights:
    """Weight of every named score by the user's activity; a score that is missing counts 0."""

    warm: Weights
    """For users with a history of their own."""
    cold: Weights
    """For users without one."""
    busy: Weights | None = None
    """For users with at least `busy_from` acts; None: as `warm`."""
    busy_from: int = 0
    calibration: Mapping[str, Calibration] = field(default_factory=dict)
    """By segment (`warm`, `cold`, `busy`); none: scores stay as they are. `NEW_ITEM`: of the cosine of items that came
    after training."""

    def segment(self, acts: int) -> str:
        """Return the name of the segment of a user with so many acts."""
        if acts == 0:
            return "cold"
        return "busy" if self.busy is not None and acts >= self.busy_from else "warm"

    def of(self, segment: str) -> Weights:
        """Return a segment's weights."""
        return {"cold": self.cold, "warm": self.warm, "busy": self.busy or self.warm}[segment]

    def calibrated(self, segment: str) -> Calibration:
        """Return a segment's calibration."""
        return self.calibration.get(segment, Calibration())

    def to_json(self) -> dict[str, Any]:
        """Return the weights as JSON-able values."""
        return {
            "warm": dict(self.warm),
            "cold": dict(self.cold),
            "busy": dict(self.busy) if self.busy is not None else None,
            "busyFrom": self.busy_from,
            "calibration": {
                name: {"slope": each.slope, "activity": each.activity, "bias": each.bias}
                for name, each in self.calibration.items()
            },
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> BlendWeights:
        """Rebuild the weights from `to_json`."""
        calibration = {name: Calibration(**each) for name, each in value["calibration"].items()}
        return cls(value["warm"], value["cold"], value["busy"], value["busyFrom"], calibration)


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


def log_lift(counts: Floats, share: NDArray[np.floating], prior: float = PRIOR) -> Floats:
    """Return (N, I): log of how much more often items were taken in a part of the acts than in all of them.

    log((c_i + m s_i) / (sum c + m) / s_i), m the prior: 0 where the part is empty.

    Args:
        counts: (N, I) acts of the part, >= 0.
        share: (I,) share of each item in all acts, > 0.
        prior: m > 0.
    """
    total = counts.sum(axis=1, keepdims=True)
    relative = counts / (prior * share).astype(np.float32)
    return (np.log1p(relative) + np.log(prior / (total + prior))).astype(np.float32)


def shares(count: NDArray[np.floating]) -> Floats:
    """Return (I,) each item's share of all acts, > 0: half an act is added to each."""
    smoothed = np.asarray(count, dtype=np.float64) + 0.5
    return (smoothed / smoothed.sum()).astype(np.float32)


def standardise(scores: Floats) -> Floats:
    """Return (N, I) scores with mean 0 and deviation 1 per row; a row without differences becomes zeros."""
    mean = scores.mean(axis=1, keepdims=True)
    deviation = scores.std(axis=1, keepdims=True)
    flat = deviation <= 1e-6 * np.maximum(np.abs(mean), 1e-30)
    return ((scores - mean) / np.where(flat, np.inf, deviation)).astype(np.float32)


def scaled(name: str, part: Floats) -> Floats:
    """Return a part (N, I) as it is weighted: standardised per row, or as it is where it is a lift."""
    return part if name in LIFTS else standardise(part)


def contributions(parts: Mapping[str, Floats], weights: Mapping[str, float]) -> dict[str, Floats]:
    """Return what each weighted part (N, I) adds to the score, by name: weight times the standardised part or lift."""
    return {
        name: np.float32(weights[name]) * scaled(name, parts[name])
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
