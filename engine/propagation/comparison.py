"""Which of two models of chances foretells better what was seen, and by how much."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def compare(trials: Float, acts: Float, unit: NDArray[np.integer], **chances: Float) -> dict[str, Any]:
    """Return cross-entropies and calibration errors of two models, and which is used.

    The second is used if its cross-entropy is lower by more than the standard error of the difference.

    Args:
        trials: (R,) of each row, >= its acts.
        acts: (R,)
        unit: (R,) rows of one unit are not independent.
        chances: (R,) each by its model's name, the simpler one first, strictly between 0 and 1.
    """
    simpler, other = chances
    loss = {name: cross_entropy(trials, acts, p) for name, p in chances.items()}
    total = trials.sum()
    _, place = np.unique(unit, return_inverse=True)
    gain = np.bincount(place, loss[simpler] - loss[other])
    error = float(np.sqrt(np.sum((gain - gain.mean()) ** 2)) / total)
    difference = float(gain.sum() / total)
    return {
        "model": other if difference > error else simpler,
        "bce": {name: float(each.sum() / total) for name, each in loss.items()},
        "ece": {name: calibration_error(trials, acts, p) for name, p in chances.items()},
        "gain": difference,
        "gainStandardError": error,
    }


def cross_entropy(trials: Float, acts: Float, chance: Float) -> Float:
    """Return the summed cross-entropy of each row's trials, (R,)."""
    return -(acts * np.log(chance) + (trials - acts) * np.log1p(-chance))


def calibration_error(trials: Float, acts: Float, chance: Float, bins: int = 15) -> float:
    """Return the mean gap between predicted and observed acts a trial, over bins of like numbers of trials."""
    order = np.argsort(chance, kind="stable")
    done = np.cumsum(trials[order])
    place = np.minimum((done / done[-1] * bins).astype(np.int64), bins - 1)
    gap = np.bincount(place, (acts - trials * chance)[order], bins)
    return float(np.abs(gap).sum() / done[-1])
