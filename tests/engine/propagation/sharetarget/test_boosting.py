"""Boosted trees: a step by hand, a rule that no sum of single signals holds, the same trees for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from engine.propagation.sharetarget.boosting import TreeSettings, boost
from engine.propagation.sharetarget.examples import Examples
from engine.propagation.sharetarget.ranks import mean_reciprocal, ranks


def pairs(signals: np.ndarray, answer: np.ndarray) -> Examples:
    """Return questions of two candidates each; `answer` (Q,) is 0 or 1."""
    questions = len(answer)
    rows = np.arange(questions) * 2
    return Examples(
        signals.astype(np.float32), np.tile([0, 1], questions), np.arange(0, 2 * questions + 1, 2), rows + answer
    )


def test_one_split_is_the_newton_step() -> None:
    """At score 0 each candidate has p = 1/2: g is -1/2 or 1/2, h 1/4. Two answers above: 1 / (1/2 + ridge 1) = 2/3."""
    examples = pairs(np.array([[1.0], [0.0], [0.0], [1.0]]), np.array([0, 1]))
    only = TreeSettings(trees=1, depth=1, rate=1.0, questions=1.0, signals=1.0, ridge=1.0, least=0.0)
    tree = boost(examples, only, seed=0)
    assert tree.score(examples.signals).tolist() == pytest.approx([2 / 3, -2 / 3, -2 / 3, 2 / 3])
    # The second step has p = e^(4/3) / (1 + e^(4/3)) of the answers; one that is too small for a leaf does not split.
    p = np.exp(4 / 3) / (1 + np.exp(4 / 3))
    step = 2 * (1 - p) / (2 * p * (1 - p) + 1)
    two = boost(examples, TreeSettings(trees=2, depth=1, rate=1.0, questions=1.0, signals=1.0, ridge=1.0, least=0.0), 0)
    assert two.score(examples.signals)[0] == pytest.approx(2 / 3 + step)
    none = boost(
        examples, TreeSettings(trees=1, depth=1, rate=1.0, questions=1.0, signals=1.0, ridge=1.0, least=9.0), 0
    )
    assert np.isinf(none.threshold).all()
    assert none.score(examples.signals).tolist() == [0.0] * 4


def test_trees_learn_what_holds_for_two_signals_together() -> None:
    rng = np.random.default_rng(0)
    signals = rng.normal(size=(4_000, 3)).astype(np.float32)
    wanted = (signals[:, 0] > 0) ^ (signals[:, 1] > 0)
    apart = wanted[0::2] != wanted[1::2]
    rows = np.repeat(apart, 2)
    examples = pairs(signals[rows], np.where(wanted[0::2][apart], 0, 1))
    settings = TreeSettings(trees=60, depth=3, rate=0.3, questions=0.8, signals=1.0)
    train, held = examples.part(np.arange(600)), examples.part(np.arange(600, len(examples)))
    grown = boost(train, settings, seed=1)
    assert mean_reciprocal(ranks(held, grown.score(held.signals))) > 0.95
    again = boost(train, settings, seed=1)
    assert np.array_equal(grown.value, again.value)
    assert not np.array_equal(grown.value, boost(train, settings, seed=2).value)
