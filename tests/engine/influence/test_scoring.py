from __future__ import annotations

import numpy as np
import pytest

from engine.influence import diffusion
from engine.influence.scoring import PILOT_SETS, percentiles, score_users
from tests.engine.influence.graphs import KNOWN, exact_spread, graph, random_graph


@pytest.mark.parametrize("name", KNOWN)
def test_scores_are_the_spreads_known_by_hand(name):
    edges, known = KNOWN[name]
    scores = score_users(edges, np.random.default_rng(1), sets_per_user=20_000)
    assert (np.abs(scores.score - known) <= 5 * scores.standard_error + 1e-6).all()
    assert (scores.score >= 1).all()


@pytest.mark.parametrize("seed", range(4))
def test_scores_agree_with_enumeration(seed):
    edges = random_graph(seed)
    scores = score_users(edges, np.random.default_rng(seed), sets_per_user=30_000)
    exact = np.array([exact_spread(edges, {u}) for u in range(edges.nodes)])
    assert (np.abs(scores.score - exact) <= 5 * scores.standard_error + 1e-6).all()


def test_scores_agree_with_forward_simulation_and_know_their_error():
    rng = np.random.default_rng(5)
    nodes = 300
    pairs = rng.integers(0, nodes, (2_000, 2))
    edges = graph(nodes, *((int(a), int(b), float(p)) for (a, b), p in zip(pairs, rng.random(2_000) / 6, strict=True)))
    scores = score_users(edges, rng, sets_per_user=2_000)
    mean, error = diffusion.simulate_each(edges, np.arange(nodes), 4_000, rng)
    off = (scores.score - mean) / np.sqrt(error**2 + scores.standard_error**2 + 1e-12)
    assert np.abs(off).max() < 5
    assert 0.7 < np.std(off[error > 0]) < 1.2


def test_a_user_who_reaches_nobody_scores_exactly_one():
    scores = score_users(graph(2, (0, 1, 0.5)), np.random.default_rng(1), sets_per_user=100)
    assert (scores.score[1], scores.standard_error[1]) == (1, 0)


def test_the_same_generator_gives_the_same_scores_on_any_number_of_threads():
    edges = random_graph(1)
    one, two = (score_users(edges, np.random.default_rng(3), sets_per_user=9_000, threads=t) for t in (1, 2))
    np.testing.assert_array_equal(one.score, two.score)
    assert one.sets == two.sets > 9_000


def test_limits_hold_and_leave_the_score_unbiased():
    edges, known = KNOWN["wide star"]
    scores = score_users(edges, np.random.default_rng(2), sets_per_user=20_000, max_visits=100_000)
    assert PILOT_SETS < scores.sets < 60_000  # of two members each
    assert np.abs(scores.score[0] - known[0]) <= 5 * scores.standard_error[0]
    assert score_users(edges, np.random.default_rng(2), sets_per_user=20_000, max_visits=1).sets == PILOT_SETS
    assert score_users(edges, np.random.default_rng(2), max_sets=100).sets == 100


def test_an_empty_graph_has_no_scores():
    assert len(score_users(graph(0), np.random.default_rng(0)).score) == 0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0, 1.0, 2.0], [100, 0, 50]),
        ([1.0, 1.0, 2.0], [25, 25, 100]),
        ([4.0, 4.0], [50, 50]),
        ([7.0], [50]),
        ([], []),
    ],
)
def test_percentiles_average_ties(values, expected):
    assert percentiles(np.array(values)).tolist() == expected
