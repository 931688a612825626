"""The learned score of a candidate: a linear screen, then a few small networks and trees, in numpy.

    score(x) = (1 - b) mean_n ( w_n . z + relu(relu(z A_n + a_n) B_n + b_n) . c_n ) + b sum_t tree_t(z)
    z = clip((x - mean) / scale, -LIMIT, LIMIT)

Networks and trees score the `screened` candidates of a question that the screen puts first; the rest follow in its
order, as their scores are lowered below the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.errors import ArtifactError
from engine.serving.sharetarget.history import Float, Int
from engine.serving.sharetarget.population import Floats
from engine.serving.sharetarget.trees import Trees

LIMIT = 6.0
SCREENED = 48
LAYERS = ("w", "A", "a", "B", "b", "c")
BELOW = 1e6
"""What is taken from the screen's score of a candidate that is not scored."""


@dataclass(frozen=True, slots=True)
class RankModel:
    """Weights of the score; F signals, N networks."""

    mean: Floats
    """(F,)"""
    scale: Floats
    """(F,) > 0."""
    screen: Floats
    """(F,) weights of the screen."""
    networks: tuple[Mapping[str, Floats], ...]
    """Each LAYERS: w (F,), A (F, H), a (H,), B (H, K), b (K,), c (K,)."""
    screened: int = SCREENED
    """Candidates of a question that networks and trees score."""
    trees: Trees | None = None
    blend: float = 0.0
    """Weight of the trees, [0, 1]."""

    def score(self, signals: NDArray[np.float32], row: Int) -> Float:
        """Return (C,) scores; `row` (C,) is each candidate's question, ascending."""
        z = self.standardised(signals)
        first = (z @ self.screen).astype(np.float64)
        chosen = screened(first, row, self.screened)
        found = first - BELOW
        found[chosen] = self.blended(z[chosen])
        return found

    def standardised(self, signals: NDArray[np.float32]) -> Floats:
        """Return (C, F) standardised signals."""
        return np.clip((signals - self.mean) / self.scale, -LIMIT, LIMIT)

    def to_arrays(self) -> dict[str, Floats]:
        """Return the weights by name."""
        arrays = {
            "mean": self.mean,
            "scale": self.scale,
            "screen": self.screen,
            "screened": np.array([self.screened], np.float32),
        }
        if self.trees is not None:
            arrays["blend"] = np.array([self.blend], np.float32)
            arrays |= {f"trees.{name}": array for name, array in self.trees.to_arrays().items()}
        for place, network in enumerate(self.networks):
            arrays |= {f"net{place}.{name}": network[name] for name in LAYERS}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats], width: int) -> RankModel:
        """Return the model that `to_arrays` stored.

        Raises:
            ArtifactError: an array is missing or does not fit `width` signals.
        """
        try:
            count = sum(name.endswith(".w") for name in arrays)
            networks = tuple({name: arrays[f"net{place}.{name}"] for name in LAYERS} for place in range(count))
            model = cls(arrays["mean"], arrays["scale"], arrays["screen"], networks, int(arrays["screened"][0]))
            if "blend" in arrays:
                own = {name.removeprefix("trees."): array for name, array in arrays.items()}
                model = replace(model, trees=Trees.from_arrays(own, width), blend=float(arrays["blend"][0]))
        except KeyError as error:
            raise ArtifactError(f"the share-target model lacks the array {error}") from None
        shapes = {len(model.mean), len(model.scale), len(model.screen), *(len(each["A"]) for each in networks)}
        if shapes != {width} or not networks:
            raise ArtifactError(f"the share-target model is made for other signals than these {width}")
        return model

    def blended(self, z: Floats) -> Float:
        """Return (C,) the score of standardised signals (C, F) by networks and trees."""
        if self.trees is None:
            return self.by_networks(z)
        return (1.0 - self.blend) * self.by_networks(z) + self.blend * self.trees.score(z)

    def by_networks(self, z: Floats) -> Float:
        """Return (C,) the mean of the networks' scores."""
        total = np.zeros(len(z))
        for net in self.networks:
            hidden = np.maximum(z @ net["A"] + net["a"], 0.0)
            hidden = np.maximum(hidden @ net["B"] + net["b"], 0.0)
            total += z @ net["w"] + hidden @ net["c"]
        return total / len(self.networks)


def screened(first: Float, row: Int, limit: int) -> Int:
    """Return the places of the `limit` candidates of each question that the screen puts first, ascending."""
    order = np.lexsort((np.arange(len(row)), -first, row))
    start = np.searchsorted(row, row)
    return np.sort(order[np.arange(len(row)) - start < limit])
