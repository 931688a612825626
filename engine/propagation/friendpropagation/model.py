"""The learned chance that a sharer's friend joins the running cascade later: boosted trees and a network.

Both are fitted on the pairs of train with binary cross-entropy. Negatives are drawn, and the log-odds are put right by
the share that was kept (King and Zeng, Logistic regression in rare events data, 2001, section 4.1). A logistic
regression of both log-odds, fitted on the cascades that choose, blends and calibrates them; steps that only rise follow
where they are better there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.propagation.friendpropagation.calibration import Logistic, Steps, fit_logistic, fit_steps
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
from engine.propagation.friendpropagation.pairs import Float, Folder, Int, Pairs
from engine.propagation.friendpropagation.parts import Part, columns_of, weights_of
from engine.propagation.friendpropagation.trees import PAIR_TREES, boost_pairs
from engine.serving.sharetarget.trees import Trees

STEP = 30
"""Numbers of trees that are compared are multiples of this."""
RIDGE = 1.0
FOLDS = 5
Fit = Callable[[Float, NDArray[np.bool_]], Callable[[Float], Float]]


@dataclass(frozen=True, slots=True)
class Forest:
    """Boosted trees over some of the signals."""

    columns: Int
    base: float
    trees: Trees

    def log_odds(self, part: Part) -> Float:
        """Return (P,) log-odds."""
        return self.base + self.trees.score(np.ascontiguousarray(part.signals[:, self.columns]))

    def first(self, trees: int) -> Forest:
        """Return the first `trees` of them."""
        return Forest(self.columns, self.base, self.trees.first(trees))


@dataclass(frozen=True, slots=True)
class Net:
    """The network over all signals."""

    base: float
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    network: PairNetwork

    def log_odds(self, part: Part, folder: Folder) -> Float:
        """Return (P,) log-odds."""
        signals = standardised(part.signals, self.mean, self.deviation)
        return self.base + log_odds(self.network, rows_of(folder, part.pairs, signals))


@dataclass(frozen=True, slots=True)
class FriendModel:
    """A fitted model."""

    forest: Forest
    net: Net
    blend: Logistic
    """Of the log-odds of trees and network."""
    steps: Steps | None
    """Of the blend's log-odds, where they pay."""

    def scores(self, part: Part, folder: Folder) -> Float:
        """Return (P, 2) log-odds of trees and network, not calibrated."""
        return np.stack([self.forest.log_odds(part), self.net.log_odds(part, folder)], axis=1)

    def chance(self, part: Part, folder: Folder) -> Float:
        """Return (P,) the chance that the neighbour joins later."""
        scores = self.scores(part, folder)
        return self.blend.chance(scores) if self.steps is None else self.steps.chance(self.blend.log_odds(scores))


def fit_model(folder: Folder, train: Part, choose: Part, seed: int) -> tuple[FriendModel, dict[str, Any]]:
    """Fit on train; number of trees, epoch, blend and calibration by what chooses. Return also what was chosen."""
    forest, told = best_forest(folder, train, choose, columns_of(), seed)
    net, epoch = _best_net(folder, train, choose, forest.log_odds(choose), seed)
    joins = choose.pairs.joins
    scores = np.stack([forest.log_odds(choose), net.log_odds(choose, folder)], axis=1)
    blend = fit_logistic(scores, joins, ridge=RIDGE)
    plain, stepped = (crossed(scores, choose.pairs, fit) for fit in (blended, with_steps))
    losses = {name: float(cross_entropy(joins, p).mean()) for name, p in (("logistic", plain), ("steps", stepped))}
    pays = losses["steps"] < losses["logistic"]
    steps = fit_steps(blend.log_odds(scores), joins) if pays else None
    told |= {
        "epoch": epoch,
        "base": blend.base,
        "slopes": dict(zip(("trees", "network"), blend.slope.tolist(), strict=True)),
    }
    return FriendModel(forest, net, blend, steps), told | {
        "calibration": "steps" if pays else "logistic",
        "tried": losses,
    }


def best_forest(folder: Folder, train: Part, choose: Part, columns: Int, seed: int) -> tuple[Forest, dict[str, Any]]:
    """Return trees fitted on train, as many as are best on what chooses."""
    signals = np.ascontiguousarray(train.signals[:, columns])
    base, trees = boost_pairs(signals, train.pairs.joins, weights_of(folder, train.pairs), PAIR_TREES, seed)
    forest = Forest(columns, base + float(np.log(train.kept)), trees)
    counts = [*range(STEP, len(trees), STEP), len(trees)]
    losses = [_loss(forest.first(count).log_odds(choose)[:, None], choose.pairs) for count in counts]
    best = counts[int(np.argmin(losses))]
    return forest.first(best), {"trees": best}


def _best_net(folder: Folder, train: Part, choose: Part, beside: Float, seed: int) -> tuple[Net, int]:
    """Return the network of the epoch that is best blended with the trees' log-odds `beside`, and the epoch."""
    mean, deviation = seen_range(train.signals)
    rows = rows_of(folder, train.pairs, standardised(train.signals, mean, deviation))
    weight = weights_of(folder, train.pairs)
    best: tuple[float, Net, int] | None = None
    for epoch, state in enumerate(fit_network(folder, rows, train.pairs.joins, weight, seed=seed, epochs=EPOCHS), 1):
        network = PairNetwork(folder, train.signals.shape[1])
        network.load_state_dict(state)
        net = Net(float(np.log(train.kept)), mean, deviation, network)
        loss = _loss(np.stack([beside, net.log_odds(choose, folder)], axis=1), choose.pairs)
        if best is None or loss < best[0]:
            best = loss, net, epoch
    assert best is not None  # noqa: S101 - there is at least one epoch
    return best[1], best[2]


def _loss(x: Float, pairs: Pairs) -> float:
    return float(cross_entropy(pairs.joins, crossed(x, pairs)).mean())


def blended(x: Float, joins: NDArray[np.bool_]) -> Callable[[Float], Float]:
    """Fit a logistic blend and return what gives chances."""
    return fit_logistic(x, joins, ridge=RIDGE).chance


def with_steps(x: Float, joins: NDArray[np.bool_]) -> Callable[[Float], Float]:
    """Fit a logistic blend with rising steps after it and return what gives chances."""
    blend = fit_logistic(x, joins, ridge=RIDGE)
    steps = fit_steps(blend.log_odds(x), joins)
    return lambda rows: steps.chance(blend.log_odds(rows))


def crossed(x: Float, pairs: Pairs, fit: Fit = blended) -> Float:
    """Return chances (P,) by fits that each fold's cascades had no part in; for comparing on what chooses.

    A fold beside which one outcome is missing gets the rate of the others.
    """
    number = np.unique(pairs.cascade, return_inverse=True)[1] % FOLDS
    found = np.empty(len(pairs))
    for fold in range(FOLDS):
        out = number == fold
        known = pairs.joins[~out]
        if known.any() and not known.all():
            found[out] = fit(x[~out], known)(x[out])
        else:
            found[out] = (known.sum() + 0.5) / (len(known) + 1.0)
    return found
