"""The learned chance that a sharer's friend joins the running cascade later: boosted trees beside a network, calibrated.

Both are fitted on the pairs of train with binary cross-entropy. Negatives are drawn, and the log-odds are put right by
the share that was kept (King and Zeng, Logistic regression in rare events data, 2001, section 4.1). A logistic
regression of both log-odds, fitted on the cascades that choose, blends and calibrates them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import DataError
from engine.propagation.friendpropagation.calibration import Logistic, fit_logistic
from engine.propagation.friendpropagation.measures import cross_entropy
from engine.propagation.friendpropagation.network import (
    EPOCHS,
    PairNetwork,
    fit_network,
    log_odds,
    rows_of,
    seen_range,
    standardised,
)
from engine.propagation.friendpropagation.pairs import Float, Folder, Int, Pairs, pairs_of
from engine.propagation.friendpropagation.pairsignals import GROUPS, NAMES, signals_of
from engine.propagation.friendpropagation.trees import PAIR_TREES, boost_pairs
from engine.propagation.sharetarget.boosting import TreeSettings
from engine.serving.sharetarget.trees import Trees

Report = Callable[[str, int, int], None]
MAX_ROWS = 600_000
"""Pairs that are fitted on: all positives, and of the negatives as many as have room."""
STEP = 40
"""Numbers of trees that are compared are multiples of this."""
SIZE_POWERS = (0.0, 0.5, 1.0)
"""A cascade's pairs weigh size^-power: without it a few large cascades are most of what is learned."""
RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class Part:
    """Pairs with their signals."""

    pairs: Pairs
    signals: NDArray[np.float32]
    """(P, len(NAMES))"""
    kept: float = 1.0
    """Share of the negatives that these are."""

    def columns(self, chosen: Int) -> Part:
        """Return the part with some signals alone."""
        return replace(self, signals=np.ascontiguousarray(self.signals[:, chosen]))


@dataclass(frozen=True, slots=True)
class Forest:
    """Boosted trees over some of the signals."""

    columns: Int
    base: float
    trees: Trees

    def log_odds(self, part: Part) -> Float:
        """Return (P,) log-odds."""
        return self.base + self.trees.score(np.ascontiguousarray(part.signals[:, self.columns]))


@dataclass(frozen=True, slots=True)
class Net:
    """The network over some of the signals."""

    columns: Int
    base: float
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    network: PairNetwork

    def log_odds(self, part: Part, folder: Folder) -> Float:
        """Return (P,) log-odds."""
        signals = standardised(part.signals[:, self.columns], self.mean, self.deviation)
        return self.base + log_odds(self.network, rows_of(folder, part.pairs, signals))


@dataclass(frozen=True, slots=True)
class FriendModel:
    """A fitted model."""

    forest: Forest
    net: Net
    blend: Logistic
    """Of the log-odds of trees and network."""

    def chance(self, part: Part, folder: Folder) -> Float:
        """Return (P,) the chance that the neighbour joins later."""
        return self.blend.chance(self.scores(part, folder))

    def scores(self, part: Part, folder: Folder) -> Float:
        """Return (P, 2) log-odds of trees and network, not calibrated."""
        return np.stack([self.forest.log_odds(part), self.net.log_odds(part, folder)], axis=1)


def training_part(folder: Folder, rows: Int, seed: int, *, live: bool) -> Part:
    """Return the pairs of train, each measured with the other cascades as the past."""
    rng = np.random.default_rng([seed, 17])
    pairs = pairs_of(folder, rows, rng)
    positives = int(pairs.joins.sum())
    if not positives or positives == len(pairs):
        raise DataError("no neighbour of a sharer joins later, or all do: there is nothing to learn")
    kept = min(1.0, max(MAX_ROWS - positives, positives) / (len(pairs) - positives))
    pairs = pairs.take(pairs.joins | (rng.random(len(pairs)) < kept))
    return Part(pairs, signals_of(folder, pairs, rows, seed, live=live), kept)


def held_part(folder: Folder, rows: Int, past: Int, seed: int, *, live: bool) -> Part:
    """Return all pairs of cascades that are not in the past."""
    pairs = pairs_of(folder, rows)
    return Part(pairs, signals_of(folder, pairs, past, seed, live=live))


def columns_of(without: str = "") -> Int:
    """Return the columns of the signals but for one group."""
    left_out = GROUPS.get(without, ())
    return np.array([at for at, name in enumerate(NAMES) if name not in left_out])


def weights_of(folder: Folder, pairs: Pairs, power: float) -> Float:
    """Return each pair's weight by its cascade's size, mean 1."""
    weight = np.diff(folder.cascades.indptr)[pairs.cascade].astype(np.float64) ** -power
    return weight / weight.mean()


def grow_forest(folder: Folder, train: Part, columns: Int, power: float, settings: TreeSettings, seed: int) -> Forest:
    """Return trees fitted on the pairs of train."""
    signals = np.ascontiguousarray(train.signals[:, columns])
    weight = weights_of(folder, train.pairs, power)
    base, trees = boost_pairs(signals, train.pairs.joins, weight, settings, seed)
    return Forest(columns, base + np.log(train.kept), trees)


def fit_nets(folder: Folder, train: Part, columns: Int, power: float, *, seed: int, epochs: int = EPOCHS) -> list[Net]:
    """Return the network after each epoch."""
    mean, deviation = seen_range(train.signals[:, columns])
    rows = rows_of(folder, train.pairs, standardised(train.signals[:, columns], mean, deviation))
    weight = weights_of(folder, train.pairs, power)
    nets = []
    for state in fit_network(folder, rows, train.pairs.joins, weight, seed=seed, epochs=epochs):
        network = PairNetwork(folder, len(columns))
        network.load_state_dict(state)
        nets.append(Net(columns, float(np.log(train.kept)), mean, deviation, network))
    return nets


def crossed(x: Float, pairs: Pairs, folds: int = 5) -> Float:
    """Return chances (P,) by a blend that each fold's cascades had no part in; for comparing on what chooses."""
    number = np.unique(pairs.cascade, return_inverse=True)[1] % folds
    found = np.empty(len(pairs))
    for fold in range(folds):
        out = number == fold
        found[out] = fit_logistic(x[~out], pairs.joins[~out], ridge=RIDGE).chance(x[out])
    return found
