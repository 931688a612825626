"""What past cascades look like, so that one that looks made by machines stands out.

Three plain measures, each with a threshold that one past cascade in a hundred is beyond. They point at cascades worth a
look; they prove nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.propagation.cascades import Cascades
from engine.propagation.signals import MACHINE_GAP_S

BURST, CLOCKWORK, FEW_USERS = "burst", "clockwork", "fewUsers"
MIN_EVENTS = 10
"""Smaller cascades are not judged: any three events can be regular."""
MIN_PAUSES = 8
"""Gaps longer than a machine's that regularity is judged by."""
MIN_PAST = 100
"""Past cascades that a threshold needs; with fewer nothing is unusual in that way."""
LOOKED_AT_S = 86_400.0
_RARE = 0.01
_FEWEST_USERS = 0.5
"""Where past users never came twice, a few who do are still nothing strange."""


@dataclass(frozen=True, slots=True)
class Usual:
    """Thresholds; infinite where there was too little to learn from."""

    burst: float
    """Largest usual share of gaps within MACHINE_GAP_S, 99 % quantile of past cascades."""
    deviation: float
    """Least usual standard deviation of log2(1 + gap) over longer gaps, 1 % quantile."""
    users: float
    """Least usual number of distinct users per event, 1 % quantile, at most 1/2."""

    def breaks(self, seconds: NDArray[np.float64], users: int | None = None) -> tuple[str, ...]:
        """Return the codes of what is unusual: BURST, CLOCKWORK, FEW_USERS.

        Args:
            seconds: (k,) ascending event times.
            users: distinct users among them; None: not known.
        """
        if len(seconds) < MIN_EVENTS:
            return ()
        found = (
            (BURST, _burst(seconds) > self.burst),
            (CLOCKWORK, _deviation(seconds) < self.deviation),
            (FEW_USERS, users is not None and users / len(seconds) < self.users),
        )
        return tuple(code for code, is_so in found if is_so)


def learn_usual(past: Cascades, end_s: float) -> Usual:
    """Learn the thresholds from the first day of cascades that are at least a day old at `end_s`."""
    old = past.take(np.flatnonzero(past.start_s + LOOKED_AT_S <= end_s)).before(LOOKED_AT_S)
    large = old.take(np.flatnonzero(np.diff(old.indptr) >= MIN_EVENTS))
    parts = [large.seconds[start:end] for start, end in zip(large.indptr[:-1], large.indptr[1:], strict=True)]
    bursts = np.array([_burst(part) for part in parts])
    deviations = np.array([_deviation(part) for part in parts])
    deviations = deviations[np.isfinite(deviations)]
    return Usual(
        _threshold(bursts, 1.0 - _RARE, np.inf),
        _threshold(deviations, _RARE, -np.inf),
        min(_threshold(_users_per_event(large), _RARE, _FEWEST_USERS), _FEWEST_USERS),
    )


def _threshold(values: NDArray[np.float64], level: float, unknown: float) -> float:
    return float(np.quantile(values, level)) if len(values) >= MIN_PAST else unknown


def _burst(seconds: NDArray[np.float64]) -> float:
    return float((np.diff(seconds) <= MACHINE_GAP_S).mean())


def _deviation(seconds: NDArray[np.float64]) -> float:
    """Standard deviation of log2(1 + gap) over gaps longer than a machine's; inf where there are too few."""
    gaps = np.diff(seconds)
    pauses = gaps[gaps > MACHINE_GAP_S]
    return float(np.log2(1.0 + pauses).std()) if len(pauses) >= MIN_PAUSES else np.inf


def _users_per_event(cascades: Cascades) -> NDArray[np.float64]:
    if cascades.user is None:
        return np.zeros(0)
    pair = np.unique(np.stack([cascades.cascade_of, cascades.user]), axis=1)[0]
    return np.bincount(pair, minlength=len(cascades)) / np.maximum(np.diff(cascades.indptr), 1)
