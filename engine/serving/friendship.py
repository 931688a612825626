"""How much more often a user takes what a friend took than its popularity says: the weight of each friend. Numpy only.

lift(u, v) = exp(w . f(u, v) + b); a friend whose lift is at most 1 tells nothing and weighs nothing, others weigh
lift - 1. Fitted by `engine.interest.friendship`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_LOG_LIFT = 6.0
"""Lifts are cut at e^6: what lies beyond was never seen in numbers."""


@dataclass(frozen=True, slots=True)
class TieModel:
    """A fitted log-linear lift over F features."""

    mean: Sequence[float]
    """(F,) of the features while fitting."""
    deviation: Sequence[float]
    """(F,) > 0."""
    weight: Sequence[float]
    """(F,) of the standardised features."""
    bias: float

    def lift(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the lift (P,) of pairs with features (P, F)."""
        scaled = (features - np.asarray(self.mean)) / np.asarray(self.deviation)
        return np.exp(np.clip(scaled @ np.asarray(self.weight) + self.bias, -LARGEST_LOG_LIFT, LARGEST_LOG_LIFT))

    def weights(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the weight (P,) of each friend, >= 0."""
        return np.maximum(self.lift(features) - 1.0, 0.0).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return the model as JSON-able values."""
        return {
            "mean": [float(each) for each in self.mean],
            "deviation": [float(each) for each in self.deviation],
            "weight": [float(each) for each in self.weight],
            "bias": float(self.bias),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TieModel:
        """Rebuild a model from `to_json`."""
        return cls(value["mean"], value["deviation"], value["weight"], value["bias"])


def newcomer_features(
    strength: NDArray[np.floating], friends_of_friend: NDArray[np.floating], acts_of_friend: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return (P, 4) features of a user's P ties that need no history of the user's own.

    Args:
        strength: (P,) of each tie, > 0.
        friends_of_friend: (P,) how many friends each friend has.
        acts_of_friend: (P,) how many items each friend acted on.
    """
    own = np.full(len(strength), np.log1p(len(strength)))
    return np.stack([np.log(strength), np.log1p(friends_of_friend), np.log1p(acts_of_friend), own], axis=1)
