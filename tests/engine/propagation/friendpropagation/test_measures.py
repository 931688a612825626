"""Measures by hand and beside scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss

from engine.propagation.friendpropagation.measures import (
    average_precision,
    calibration_error,
    cross_entropy,
    intervals,
    recall_at_places,
    reliability,
    scores_of,
)
from engine.propagation.friendpropagation.pairs import Pairs


def test_average_precision_by_hand_and_beside_another_implementation():
    # Places of the positives: 1, then two of a tie of three at 2..4 -> precision 3/4 for both.
    labels = np.array([True, False, True, True, False])
    assert average_precision(labels, np.array([0.9, 0.5, 0.5, 0.5, 0.1])) == pytest.approx((1 + 2 * 0.75) / 3)
    rng = np.random.default_rng(0)
    labels, scores = rng.random(500) < 0.1, np.round(rng.random(500), 1)
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores))
    assert np.isnan(average_precision(np.zeros(3, bool), np.ones(3)))


def test_recall_is_within_each_sharers_place():
    # Place (0, 0): 12 neighbours, the first 10 by score hold one of two; (0, 1): none joins; (3, 0): one of one.
    cascade = np.array([0] * 12 + [0] * 2 + [3])
    place = np.array([0] * 12 + [1] * 2 + [0])
    joins = np.zeros(15, bool)
    joins[[0, 11, 14]] = True
    pairs = Pairs(cascade, place, np.zeros(15, np.int64), joins)
    assert recall_at_places(pairs, -np.arange(15.0)) == pytest.approx(2 / 3)
    assert recall_at_places(pairs, np.zeros(15)) == pytest.approx(2 / 3)
    assert np.isnan(recall_at_places(pairs.take(np.array([12, 13])), np.zeros(2)))


def test_calibration_by_hand():
    chance = np.repeat([0.1, 0.4], [60, 90])
    labels = np.zeros(150, bool)
    labels[:6] = True  # .1 of the first 60: no gap
    labels[60:123] = True  # .7 of the others
    table = reliability(labels, chance)
    assert [row["count"] for row in table] == [10] * 15
    assert sum(row["observed"] * row["count"] for row in table) == pytest.approx(69)
    assert all(row["predicted"] == pytest.approx(0.1) for row in table[:6])
    # Equal chances are cut in the order given: 6 of the first 10, then none in 50; 63 of 90 in the others.
    gaps = [abs(0.6 - 0.1)] + [0.1] * 5 + [0.6] * 6 + [abs(0.3 - 0.4)] + [0.4] * 2
    assert calibration_error(labels, chance) == pytest.approx(np.mean(gaps))


def test_cross_entropy_beside_another_implementation():
    rng = np.random.default_rng(1)
    labels, chance = rng.random(200) < 0.2, rng.uniform(0.01, 0.9, 200)
    assert cross_entropy(labels, chance).mean() == pytest.approx(log_loss(labels, chance))


def test_intervals_hold_the_figures_and_repeat():
    rng = np.random.default_rng(2)
    cascade = np.sort(rng.integers(0, 20, 2_000))
    place = rng.integers(0, 4, 2_000)
    order = np.lexsort((place, cascade))
    chance = rng.uniform(0.01, 0.4, 2_000)
    pairs = Pairs(cascade[order], place[order], np.arange(2_000), rng.random(2_000) < chance)
    scores, found = scores_of(pairs, chance, 0.2), intervals(pairs, chance, 0.2, seed=4)
    for name in ("auc", "ap", "recall@10", "bce"):
        low, high = found[name]
        assert low < scores[name] < high
    assert found == intervals(pairs, chance, 0.2, seed=4)
