from __future__ import annotations

import numpy as np
import pytest

from engine.errors import DataError
from engine.propagation.formula import MAX_WEIGHT, Circles, Weights, fit, item_to_user, shared_strength, user_to_user
from engine.types import Edges


def ties(*rows: tuple[int, int, float]) -> Edges:
    source, target, strength = zip(*rows, strict=True)
    return Edges(np.array(source, np.int32), np.array(target, np.int32), {"strength": np.array(strength, np.float32)})


# 0 is friends with 1 (.5), 2 (.25) and 3 (.25); 4 has nobody.
CIRCLES = Circles.of(ties((0, 1, 0.5), (0, 2, 0.25), (0, 3, 0.25)), 5)


def test_circles_hold_each_friendship_in_both_rows():
    assert CIRCLES.total.tolist() == [1.0, 0.5, 0.25, 0.25, 0.0]
    assert CIRCLES.size.tolist() == [3, 1, 1, 1, 0]
    assert CIRCLES.friend[: CIRCLES.indptr[1]].tolist() == [1, 2, 3]


def test_shared_strength_sums_the_ties_to_sharers():
    sharers = np.array([False, True, False, True, True])
    assert shared_strength(CIRCLES, np.arange(5), sharers).tolist() == [0.75, 0, 0, 0, 0]
    assert shared_strength(CIRCLES, np.array([2, 1]), np.array([True, False, False, False, False])).tolist() == [
        0.25,
        0.5,
    ]


def test_the_item_form_by_hand():
    shared = shared_strength(CIRCLES, np.arange(5), np.array([False, True, False, True, False]))
    interest = np.array([0.6, 0.6, 0.6, 0.6, 0.6])
    p = item_to_user(shared, CIRCLES.total, interest, CIRCLES.size, Weights(0.4, 0.5))
    # .4 * .75 / 1 + .5 * .6 / 3, then .5 * .6 / 1 for those whose one friend did not share; nobody to share with: 0.
    np.testing.assert_allclose(p, [0.4, 0.3, 0.3, 0.3, 0.0])


def test_the_item_form_is_clipped_to_a_probability():
    assert item_to_user([1.0], [1.0], [1.0], [1], Weights(0.9, 0.9)).tolist() == [1.0]


def test_the_user_form_divides_by_the_side_asked():
    edges = ties((0, 1, 0.6), (0, 2, 0.2), (3, 1, 0.2))
    acts = np.array([2.0, 0.0, 1.0])
    sender = user_to_user(edges, acts, 4, Weights(0.5, 0.25))
    # S / D(u): .6/.8, .2/.8, .2/.2; C / N(u): 2/2, 0/2, 1/1.
    np.testing.assert_allclose(sender.probability, [0.375 + 0.25, 0.125, 0.5 + 0.25], rtol=1e-6)
    receiver = user_to_user(edges, acts, 4, Weights(0.5, 0.25), tie_side="receiver", act_side="receiver")
    # S / D(v): .6/.8, .2/.2, .2/.8; C / N(v): 2/2, 0/1, 1/2.
    np.testing.assert_allclose(receiver.probability, [0.375 + 0.25, 0.5, 0.125 + 0.125], rtol=1e-6)
    shares = user_to_user(edges, acts, 4, Weights(0.0, 1.0), act_totals=np.array([8.0, 0, 0, 0]))
    np.testing.assert_allclose(shares.probability, [0.25, 0, 0])
    assert (sender.nodes, sender.source.tolist(), sender.target.tolist()) == (4, [0, 0, 3], [1, 2, 1])


def test_the_fit_finds_the_weights_that_made_the_outcomes():
    rng = np.random.default_rng(1)
    tie, act = rng.random(200_000), rng.random(200_000) / 10
    outcome = rng.random(200_000) < 0.1 * tie + 2.0 * act
    weights = fit(tie, act, outcome)
    assert weights.alpha == pytest.approx(0.1, abs=0.01)
    assert weights.beta == pytest.approx(2.0, abs=0.06)


def test_the_fit_minimises_cross_entropy_on_a_grid():
    rng = np.random.default_rng(2)
    tie, act = rng.random(3_000), rng.random(3_000)
    outcome = rng.random(3_000) < 0.2 * tie + 0.3 * act

    def loss(alpha: float, beta: float) -> float:
        p = np.clip(alpha * tie + beta * act, 1e-6, 1 - 1e-6)
        return float(-np.mean(np.where(outcome, np.log(p), np.log(1 - p))))

    weights = fit(tie, act, outcome)
    grid = min(loss(a, b) for a in np.linspace(0, 0.6, 61) for b in np.linspace(0, 0.6, 61))
    assert loss(weights.alpha, weights.beta) <= grid + 1e-6


def test_a_term_that_speaks_against_acting_gets_no_weight():
    rng = np.random.default_rng(3)
    tie, act = rng.random(20_000), rng.random(20_000)
    weights = fit(tie, act, rng.random(20_000) < 0.3 * (1 - tie) + 0.3 * act)
    assert 0 <= weights.alpha < 0.08
    assert weights.beta > 0.3
    assert fit(-tie, act, rng.random(20_000) < 0.3 * act).alpha >= 0


def test_the_fit_is_bounded_and_survives_terms_without_content():
    assert fit(np.zeros(4), np.full(4, 1e-9), np.ones(4)) == Weights(0.0, MAX_WEIGHT)
    assert fit(np.zeros(4), np.zeros(4), np.array([0, 1, 0, 1])).alpha == 0
    with pytest.raises(DataError):
        fit(np.zeros(0), np.zeros(0), np.zeros(0))
