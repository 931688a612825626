"""How long it takes until somebody passes on what they were shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError

LEVELS = 1_025
"""Quantiles of a table."""


@dataclass(frozen=True, slots=True)
class Delays:
    """Delays of E edges: one distribution for all, and a factor for each."""

    quantile_s: NDArray[np.float64]
    """(Q,) seconds at evenly spaced levels from 0 to 1, ascending, >= 0."""
    scale: NDArray[np.float64]
    """(E,) > 0: an edge's delay is so many times the common one."""

    def level(self, within_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the chance that the common delay is at most so long, same shape, in [0, 1]."""
        levels = np.linspace(0.0, 1.0, len(self.quantile_s))
        return np.interp(within_s, self.quantile_s, levels, left=0.0, right=1.0)


def delays_of(observed_s: NDArray[np.floating], scale: NDArray[np.floating]) -> Delays:
    """Return the delays whose common distribution is that of the observations.

    Args:
        observed_s: (K,) delays that were seen, each divided by its edge's scale, >= 0, K >= 1.
        scale: (E,) factors, > 0.

    Raises:
        DataError: there is no observation, or a number is out of range.
    """
    seen = np.asarray(observed_s, np.float64)
    factor = np.ascontiguousarray(scale, np.float64)
    if not len(seen) or not (seen >= 0.0).all() or not np.isfinite(seen).all():
        raise DataError("delays are learned from at least one, in seconds of at least 0")
    if not (factor > 0.0).all() or not np.isfinite(factor).all():
        raise DataError("a delay's factor is above 0")
    return Delays(np.quantile(seen, np.linspace(0.0, 1.0, LEVELS)), factor)
