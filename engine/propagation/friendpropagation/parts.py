"""The pairs that a model of friend propagation is fitted and judged on, with their signals and weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.propagation.friendpropagation.names import GROUPS, NAMES
from engine.propagation.friendpropagation.pairs import Float, Folder, Int, Pairs, pairs_of
from engine.propagation.friendpropagation.pairsignals import signals_of

MAX_ROWS = 600_000
"""Pairs that are fitted on: all positives, and of the negatives as many as have room."""
SIZE_POWER = 0.5
"""A cascade's pairs weigh size^-power: without it a few large cascades are most of what is learned."""


@dataclass(frozen=True, slots=True)
class Part:
    """Pairs with their signals."""

    pairs: Pairs
    signals: NDArray[np.float32]
    """(P, len(NAMES))"""
    kept: float = 1.0
    """Share of the negatives that these are."""


def training_part(folder: Folder, rows: Int, seed: int, *, live: bool) -> Part:
    """Return the pairs of train, each measured with the other cascades as the past.

    Raises:
        DataError: all pairs have one outcome.
    """
    rng = np.random.default_rng([seed, 17])
    pairs = pairs_of(folder, rows, rng)
    _both_outcomes(pairs, "first 80 %")
    positives = int(pairs.joins.sum())
    kept = min(1.0, max(MAX_ROWS - positives, positives) / (len(pairs) - positives))
    pairs = pairs.take(pairs.joins | (rng.random(len(pairs)) < kept))
    return Part(pairs, signals_of(folder, pairs, rows, seed, live=live), kept)


def held_part(folder: Folder, rows: Int, past: Int, seed: int, *, live: bool) -> Part:
    """Return all pairs of cascades that are not in the past.

    Raises:
        DataError: all pairs have one outcome, or there are too many.
    """
    pairs = pairs_of(folder, rows)
    _both_outcomes(pairs, f"cascades {rows[0] + 1} to {rows[-1] + 1} by start")
    return Part(pairs, signals_of(folder, pairs, past, seed, live=live))


def _both_outcomes(pairs: Pairs, where: str) -> None:
    if not pairs.joins.any() or pairs.joins.all():
        raise DataError(f"{where}: of {len(pairs)} neighbours of sharers none joins later, or all do")


def columns_of(without: str = "") -> Int:
    """Return the columns of the signals but for one group."""
    left_out = GROUPS.get(without, ())
    return np.array([at for at, name in enumerate(NAMES) if name not in left_out])


def weights_of(folder: Folder, pairs: Pairs) -> Float:
    """Return each pair's weight by its cascade's size, mean 1."""
    weight = np.diff(folder.cascades.indptr)[pairs.cascade].astype(np.float64) ** -SIZE_POWER
    return weight / weight.mean()
