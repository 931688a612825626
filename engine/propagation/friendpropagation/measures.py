"""What is told of the chances of pairs: order, cross-entropy, calibration, and intervals by drawing cascades anew."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.evaluation import auc
from engine.propagation.friendpropagation.pairs import Float, Pairs

PLACES = 10
BINS = 15
"""Bins of the reliability picture, of like numbers of pairs; the calibration error is over the same."""
DRAWS = 500


def average_precision(labels: NDArray[np.bool_], scores: Float) -> float:
    """Mean precision at the positives, equal scores taken together; nan without a positive."""
    if not labels.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    hits = np.cumsum(labels[order])[ends]
    return float(np.sum(np.diff(hits, prepend=0) * hits / (ends + 1)) / hits[-1])


def recall_at_places(pairs: Pairs, scores: Float) -> float:
    """Share of all positives that are among the first PLACES of their sharer's; ties by the lower neighbour."""
    if not pairs.joins.any():
        return float("nan")
    question = pairs.question
    order = np.lexsort((np.arange(len(scores)), -scores, question))
    start = np.searchsorted(question, np.arange(question[-1] + 1))
    first = np.arange(len(scores)) - start[question] < PLACES
    return float((first & pairs.joins[order]).sum() / pairs.joins.sum())


def cross_entropy(labels: NDArray[np.bool_], chance: Float) -> Float:
    """(P,) binary cross-entropy in nats."""
    return -np.where(labels, np.log(chance), np.log1p(-chance))


def reliability(labels: NDArray[np.bool_], chance: Float) -> list[dict[str, float]]:
    """Return `predicted` (mean chance), `observed` (rate) and `count` of BINS bins of like numbers of pairs."""
    order = np.argsort(chance, kind="stable")
    return [
        {"predicted": float(chance[part].mean()), "observed": float(labels[part].mean()), "count": len(part)}
        for part in np.array_split(order, BINS)
        if len(part)
    ]


def calibration_error(labels: NDArray[np.bool_], chance: Float) -> float:
    """Mean gap between predicted and observed over the bins of `reliability`, by their counts."""
    bins = reliability(labels, chance)
    return float(sum(abs(b["predicted"] - b["observed"]) * b["count"] for b in bins) / max(len(labels), 1))


def scores_of(pairs: Pairs, chance: Float, base: float) -> dict[str, float]:
    """Return the keys of contracts.md; `base` is the rate that `bce_base` predicts for every pair."""
    return {
        "auc": auc(pairs.joins, chance),
        "ap": average_precision(pairs.joins, chance),
        f"recall@{PLACES}": recall_at_places(pairs, chance),
        "bce": float(cross_entropy(pairs.joins, chance).mean()),
        "bce_base": float(cross_entropy(pairs.joins, np.full(len(chance), base)).mean()),
        "ece": calibration_error(pairs.joins, chance),
    }


def intervals(pairs: Pairs, chance: Float, base: float, seed: int) -> dict[str, tuple[float, float]]:
    """Return 95 % intervals of `scores_of` when the cascades are drawn anew with replacement.

    The calibration error of a draw is no less than what its noise alone makes, so its interval lies high.
    """
    cascades, of = np.unique(pairs.cascade, return_inverse=True)
    bounds = np.searchsorted(of, np.arange(len(cascades) + 1))
    rng = np.random.default_rng(seed)
    drawn: list[dict[str, Any]] = []
    for _ in range(DRAWS):
        chosen = rng.integers(0, len(cascades), len(cascades))
        parts = [np.arange(bounds[c], bounds[c + 1]) for c in chosen]
        rows = np.concatenate(parts)
        again = pairs.take(rows)
        # A cascade drawn twice is two cascades.
        number = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        drawn.append(scores_of(Pairs(number, again.place, again.tie, again.joins), chance[rows], base))
    found: dict[str, tuple[float, float]] = {}
    for name in drawn[0]:
        values = np.array([draw[name] for draw in drawn])
        values = values[np.isfinite(values)]  # a draw without a positive has no order
        low, high = np.quantile(values, [0.025, 0.975]) if len(values) else (np.nan, np.nan)
        found[name] = (float(low), float(high))
    return found
