"""P(u->v) learned from what came later: signals of a pair as of a moment, acts on the shares of the time after it.

The newest 30 % of the shares are cut into two windows of like size. The signals of every pair are taken as of a
window's start and the outcomes from inside it, so nothing that is learned from has seen its own outcome, and what is
learned has the meaning that it is used with. A logistic regression and boosted trees are fitted on the first window
with binary cross-entropy, each pair by its exposed trials and acts; both start from the shrunken rate (`estimation.py`)
and learn what it lacks. The second window tells whether that is better than the rate alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.propagation.censoring import between, end_of, exposure
from engine.propagation.comparison import compare
from engine.propagation.estimation import (
    MAX_PROBABILITY,
    as_edges,
    edge_probabilities,
    posterior,
    prior_shape,
    shrunken_rates,
)
from engine.propagation.friendpropagation.calibration import LEAST, Logistic, chance_of, fit_logistic
from engine.propagation.friendpropagation.network import seen_range, standardised
from engine.propagation.friendpropagation.trees import boost_pairs
from engine.propagation.outcomes import Act, acts_of, acts_shown, count_outcomes
from engine.propagation.pairsnapshot import MAX_PAIRS, NAMES, signals_of_pairs
from engine.propagation.sharetarget.boosting import TreeSettings
from engine.serving.sharetarget.trees import Trees
from engine.types import NO_TIME, EdgeProbabilities, GraphSnapshot

Float = NDArray[np.float64]
WINDOWS = (0.70, 0.85, 1.0)
"""Bounds of the two windows, as shares of the shares by time."""
FEWEST = 200
"""Acts of a window: with fewer nothing is compared and the shrunken rate stays."""
LEARNED_TREES = TreeSettings(trees=80, depth=4, rate=0.05, questions=0.7, signals=0.5, ridge=30.0, least=10.0)
RIDGE = 50.0
BEGINNING_S = 0
MAX_SPARED = 1_000_000
"""Pairs without an act that are fitted on; drawn ones stand for all."""
MOST_GROUPS = 30
"""Categories in the card."""


@dataclass(frozen=True, slots=True)
class Window:
    """Pairs as of a moment and what happened along them afterwards."""

    signals: NDArray[np.float32]
    """(E, F)"""
    rate: Float
    """(E,) the shrunken rate as of the moment."""
    source: NDArray[np.int32]
    """(E,)"""
    trials: Float
    """(E,) exposed, afterwards."""
    acts: Float
    """(E,) afterwards, at most `trials`."""


@dataclass(frozen=True, slots=True)
class PairModel:
    """The rate's log-odds and the mean of what a logistic regression and trees add to them."""

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    line: Logistic
    trees: Trees

    def chance(self, signals: NDArray[np.float32]) -> Float:
        """Return P of each pair, (E,) in [LEAST, MAX_PROBABILITY]."""
        line = self.line.log_odds(standardised(signals, self.mean, self.deviation))
        added = (line + self.trees.score(signals)) / 2.0
        return np.clip(chance_of(_offset(signals) + added), LEAST, MAX_PROBABILITY)


def learned_probabilities(snapshot: GraphSnapshot, seed: int) -> tuple[EdgeProbabilities, dict[str, Any]]:
    """Return P(u->v) along ties for the typical item, and what the model card says of it.

    Reshares are learned where the snapshot has any, else opens. Without either, probabilities are the weighted cascade
    of `edge_probabilities`. The card's `byCategory`, `byKind` and `byChannel` are the factors by which such shares are
    acted on more or less often than P says, drawn to 1 where acts are few.
    """
    shown = acts_shown(snapshot)
    if not shown:
        return edge_probabilities(snapshot), {"model": "ties", "reason": "no share was acted on"}
    edges, told = learn_pairs(snapshot, shown[0], seed)
    for column, name in (("category", "byCategory"), ("kind", "byKind")):
        if column in snapshot.items.columns:
            of_share = snapshot.items.columns[column][snapshot.shares.target]
            told[name] = factors_by(snapshot, shown[0], edges, of_share)
    if "channel" in snapshot.shares.columns:
        told["byChannel"] = factors_by(snapshot, shown[0], edges, snapshot.shares.columns["channel"])
    return edges, told


def factors_by(
    snapshot: GraphSnapshot, act: Act, edges: EdgeProbabilities, of_share: NDArray[np.object_]
) -> dict[str, float]:
    """Return acts over expected acts by a text of each share, (S,), for the MOST_GROUPS with most expected acts.

    A factor has a gamma prior of mean 1 whose width is estimated from all groups (`estimation.py`): a group of few
    shares stays near 1.
    """
    names, group = np.unique(of_share.astype(str), return_inverse=True)
    factor, due = group_factors(snapshot, act, edges, group, len(names))
    most = np.argsort(-due, kind="stable")[:MOST_GROUPS]
    return {str(names[at]): round(float(factor[at]), 4) for at in most if due[at] > 0 and names[at]}


def group_factors(
    snapshot: GraphSnapshot, act: Act, edges: EdgeProbabilities, of_share: NDArray[np.integer], groups: int
) -> tuple[Float, Float]:
    """Return acts over expected acts of each group of shares, drawn to 1, and the expected acts.

    Args:
        snapshot: the graph.
        act: what is counted.
        edges: P(u->v).
        of_share: (S,) group of each share, in [0, G).
        groups: G.

    Returns:
        both (G,).
    """
    reach = np.bincount(edges.source, edges.probability, edges.nodes)
    seen = exposure(snapshot, end_of(snapshot))
    due = np.bincount(of_share, seen * reach[snapshot.shares.source], groups)
    share, _ = acts_of(snapshot, act)
    acted = np.bincount(of_share[share], minlength=groups).astype(np.float64)
    due *= acted.sum() / max(float(due.sum()), 1e-12)
    shape = prior_shape(acted, due)
    return (acted + shape) / (due + shape), due


def learn_pairs(
    snapshot: GraphSnapshot, act: Act, seed: int, *, always: bool = False
) -> tuple[EdgeProbabilities, dict[str, Any]]:
    """Return P of the pairs of the snapshot, worth as many trials as the rate is, and what was compared.

    The learned model is used if its cross-entropy on the second window is below the shrunken rate's by more than the
    standard error of the difference (senders as units); then it is fitted anew on both windows. Else, or where a window
    has fewer than FEWEST acts, P is the shrunken rate.

    Args:
        snapshot: the graph.
        act: what v does.
        seed: of every draw.
        always: the learned model's P is returned also where it is no better, to be judged by a truth that is known.
    """
    outcomes = count_outcomes(snapshot, act, exposure(snapshot, end_of(snapshot)))
    rate, worth = posterior(outcomes)
    by_rate = as_edges(outcomes, rate, worth)
    bounds = window_bounds(snapshot)
    if bounds is None:
        return by_rate, {"model": "rate", "reason": "too few shares with a time"}
    if len(rate) > MAX_PAIRS:
        return by_rate, {"model": "rate", "reason": f"more than {MAX_PAIRS:,} pairs"}
    first, second = (_window(snapshot, act, *span, seed) for span in pairwise(bounds))
    acts = [int(window.acts.sum()) for window in (first, second)]
    if min(acts) < FEWEST:
        return by_rate, {"model": "rate", "reason": f"{min(acts)} acts in a window; at least {FEWEST} are needed"}
    told = _compare(_fit([first], seed), second) | {"act": act, "acts": acts}
    if told["model"] == "rate" and not always:
        return by_rate, told
    signals = signals_of_pairs(snapshot, outcomes, rate, end_of(snapshot), seed)
    return as_edges(outcomes, _fit([first, second], seed).chance(signals), worth), told


def window_bounds(snapshot: GraphSnapshot) -> list[int] | None:
    """Return the bounds of the windows in seconds; None where shares of known times are too few or too close."""
    at_s = snapshot.shares.columns["occurred_at_s"]
    at_s = at_s[at_s != NO_TIME]
    if len(at_s) < FEWEST:
        return None
    bounds = [int(np.quantile(at_s, part)) for part in WINDOWS[:-1]] + [end_of(snapshot) + 1]
    return bounds if bounds[0] < bounds[1] < bounds[2] else None


def _window(snapshot: GraphSnapshot, act: Act, start_s: int, end_s: int, seed: int) -> Window:
    """Return the pairs as of `start_s` with what happened in [start_s, end_s)."""
    past, later = between(snapshot, BEGINNING_S, start_s), between(snapshot, start_s, end_s)
    known = count_outcomes(past, act, exposure(past, start_s))
    rate = shrunken_rates(known)
    signals = signals_of_pairs(past, known, rate, start_s, seed)
    outcomes = count_outcomes(later, act, exposure(later, end_s))
    users = max(known.users, 1)
    key, wanted = (each.source.astype(np.int64) * users + each.target for each in (outcomes, known))
    place = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
    tried = (key[place] == wanted) & (outcomes.trials[place] > 0) if len(key) else np.zeros(len(wanted), np.bool_)
    at = place[tried]
    trials = outcomes.trials[at]
    return Window(signals[tried], rate[tried], known.source[tried], trials, np.minimum(outcomes.successes[at], trials))


def _fit(windows: list[Window], seed: int) -> PairModel:
    """Return the model of the windows' pairs: each a row of its acts and a row of the trials without one.

    Of the latter at most MAX_SPARED are drawn and weigh as much as all.
    """
    signals = np.concatenate([window.signals for window in windows])
    acts = np.concatenate([window.acts for window in windows])
    rest = np.concatenate([window.trials for window in windows]) - acts
    acted, spared = np.flatnonzero(acts > 0), np.flatnonzero(rest > 0)
    drawn = np.random.default_rng([seed, 19]).permutation(spared)[:MAX_SPARED]
    rows = np.concatenate([acted, drawn])
    outcome = np.arange(len(rows)) < len(acted)
    weight = np.concatenate([acts[acted], rest[drawn] * (rest.sum() / max(float(rest[drawn].sum()), 1e-12))])
    mean, deviation = seen_range(signals)
    scaled, offset = standardised(signals, mean, deviation)[rows], _offset(signals)[rows]
    line = fit_logistic(scaled, outcome, ridge=RIDGE, weight=weight, offset=offset)
    _, trees = boost_pairs(signals[rows], outcome, weight, LEARNED_TREES, seed, offset=offset)
    return PairModel(mean, deviation, line, trees)


def _offset(signals: NDArray[np.float32]) -> Float:
    """Return the rate's log-odds, (E,)."""
    return signals[:, NAMES.index("rate")].astype(np.float64)


def _compare(model: PairModel, window: Window) -> dict[str, Any]:
    """Return what `compare` tells of rate and model on a window, senders as units."""
    chances = {"rate": np.clip(window.rate, LEAST, MAX_PROBABILITY), "learned": model.chance(window.signals)}
    told = compare(window.trials, window.acts, window.source, **chances)
    return told | {"trials": round(float(window.trials.sum()))}
