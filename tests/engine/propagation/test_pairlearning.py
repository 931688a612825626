"""The learned P(u->v): that it learns what the rate lacks, and that it gives way where there is nothing to learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.propagation import pairlearning
from engine.propagation.censoring import between
from engine.propagation.comparison import calibration_error, cross_entropy
from engine.propagation.estimation import MAX_PROBABILITY, edge_probabilities
from engine.propagation.outcomes import count_outcomes
from engine.propagation.pairlearning import Window, factors_by, learned_probabilities
from engine.propagation.pairsnapshot import NAMES, signals_of_pairs
from engine.types import EdgeProbabilities, Edges, Nodes
from engine.world import WorldSettings, generate, to_snapshot
from tests.engine.propagation.test_censoring import timed
from tests.engine.propagation.test_outcomes import snapshot

PAIRS = 4_000


@pytest.fixture(scope="module")
def graph():
    return to_snapshot(generate(WorldSettings(users=1_000, items=200, events=80_000, seed=3)))


def window(weight: float, seed: int) -> Window:
    """Pairs whose log-odds are the rate's and `weight` times their taste; five trials each."""
    rng = np.random.default_rng(seed)
    signals = rng.normal(size=(PAIRS, len(NAMES))).astype(np.float32)
    signals[:, NAMES.index("rate")] = rng.normal(-2.5, 0.7, PAIRS)
    odds = signals[:, NAMES.index("rate")].astype(float)
    chance = 1 / (1 + np.exp(-odds - weight * signals[:, NAMES.index("taste")]))
    trials = np.full(PAIRS, 5.0)
    source = rng.integers(0, 500, PAIRS).astype(np.int32)
    return Window(signals, 1 / (1 + np.exp(-odds)), source, trials, rng.binomial(5, chance).astype(float))


def test_what_the_rate_lacks_is_learned():
    first, second = window(1.0, seed=1), window(1.0, seed=2)
    model = pairlearning._fit([first], seed=0)
    told = pairlearning._compare(model, second)
    assert told["model"] == "learned"
    assert told["bce"]["learned"] < told["bce"]["rate"] - 0.02
    odds = second.signals[:, NAMES.index("rate")].astype(float) + second.signals[:, NAMES.index("taste")]
    truth = 1 / (1 + np.exp(-odds))
    learned = model.chance(second.signals)
    assert np.corrcoef(truth, learned)[0, 1] > 0.95 > np.corrcoef(truth, second.rate)[0, 1]
    assert told["ece"]["learned"] < 0.01
    assert (learned <= MAX_PROBABILITY).all()


def test_drawn_pairs_stand_for_all(monkeypatch):
    first, second = window(1.0, seed=1), window(1.0, seed=2)
    whole = pairlearning._fit([first], seed=0).chance(second.signals)
    monkeypatch.setattr(pairlearning, "MAX_SPARED", 2_500)
    some = pairlearning._fit([first], seed=0).chance(second.signals)
    assert some.mean() == pytest.approx(whole.mean(), rel=0.05)
    assert np.corrcoef(some, whole)[0, 1] > 0.97


def test_more_pairs_than_there_is_room_for_keep_the_rate(graph, monkeypatch):
    monkeypatch.setattr(pairlearning, "MAX_PAIRS", 100)
    assert learned_probabilities(graph, seed=0)[1]["reason"] == "more than 100 pairs"


def test_the_rate_stays_where_it_lacks_nothing():
    told = pairlearning._compare(pairlearning._fit([window(0.0, seed=1)], seed=0), window(0.0, seed=2))
    assert told["model"] == "rate"
    assert told["bce"]["learned"] < told["bce"]["rate"] + 0.005  # and little would have been lost


def test_measures_of_a_window_by_hand():
    two = Window(np.zeros((2, 1), np.float32), np.zeros(2), np.zeros(2, np.int32), np.array([4.0, 1.0]),
                 np.array([1.0, 1.0]))  # fmt: skip
    chance = np.array([0.25, 0.5])
    assert cross_entropy(two.trials, two.acts, chance).tolist() == pytest.approx(
        [-np.log(0.25) - 3 * np.log(0.75), np.log(2)]
    )
    assert calibration_error(two.trials, two.acts, chance) == pytest.approx((0.0 + 0.5) / 5)


def test_signals_know_nothing_that_comes_later(graph):
    """What a window is learned from is the same whether or not anything happened after its start."""
    start_s = int(np.quantile(graph.shares.columns["occurred_at_s"], 0.7))

    def told(whole):
        past = between(whole, 0, start_s)
        known = count_outcomes(past, "reshare")
        return known, signals_of_pairs(past, known, np.full(len(known.source), 0.1), start_s, seed=0)

    known, signals = told(graph)
    later = graph.shares.columns["occurred_at_s"] >= start_s
    moved = np.where(later, (graph.shares.source + 5) % len(graph.users), graph.shares.source).astype(np.int32)
    other_known, other = told(replace(graph, shares=Edges(moved, graph.shares.target, graph.shares.columns)))
    np.testing.assert_array_equal(known.source, other_known.source)
    np.testing.assert_array_equal(signals, other)
    assert signals.shape == (len(known.source), len(NAMES))
    assert np.isfinite(signals).all()


def test_signals_of_a_pair_by_hand():
    # 0 shares three times, 1 opens two of them; 1 shares once, which 0 does not open.
    graph = timed(
        [(0, -1, 0), (0, -1, 10), (1, -1, 20), (0, -1, 990)],
        [(0, 1, 5), (1, 1, 15)],
        [(1, 0, 900), (1, 1, 995)],
        friends=[(0, 1, 0.5), (0, 2, 1.0), (1, 2, 1.0)],
        watermark_s=1_000,
    )
    known = count_outcomes(graph, "open")
    found = dict(zip(NAMES, signals_of_pairs(graph, known, np.full(6, 0.5), 1_000, seed=0)[0], strict=True))
    assert (known.source[0], known.target[0]) == (0, 1)
    assert found["rate"] == 0.0
    assert found["acts"] == pytest.approx(np.log1p(2))
    assert found["trials"] == pytest.approx(np.log1p(3))
    assert found["sender_trials"] == pytest.approx(np.log1p(6))  # three shares, two friends
    assert found["receiver_acts"] == pytest.approx(np.log1p(2))
    assert (found["back_acts"], found["back_trials"]) == (0.0, pytest.approx(np.log1p(1)))
    assert (found["friend"], found["strength"]) == (1.0, 0.5)
    assert found["common"] == pytest.approx(np.log1p(1))
    assert found["sender_lately"] == pytest.approx(np.log1p(1))  # the share at 990 of a span of 1,000
    assert found["receiver_lately"] == pytest.approx(np.log1p(1))  # the act at 995
    assert found["receiver_idle"] == pytest.approx(np.log1p(5 / 86_400))


def test_the_card_says_which_and_why(graph):
    edges, told = learned_probabilities(graph, seed=0)
    assert told["model"] in {"rate", "learned"}
    assert set(told["bce"]) == {"rate", "learned"}
    assert told["act"] == "reshare"
    assert set(told["byKind"]) <= {"product", "content"}
    assert all(0.5 < factor < 2 for factor in told["byCategory"].values())  # this world knows no difference
    assert edges.probability.max() <= MAX_PROBABILITY
    again, same = learned_probabilities(graph, seed=0)
    assert same == told
    np.testing.assert_array_equal(edges.probability, again.probability)


def test_few_shares_keep_the_rate_and_none_the_ties():
    few = timed([(0, -1, 10), (0, -1, 20)], [(0, 1, 15)], friends=[(0, 1, 1.0)], watermark_s=100)
    edges, told = learned_probabilities(few, seed=0)
    assert (told["model"], told["reason"]) == ("rate", "too few shares with a time")
    np.testing.assert_allclose(edges.probability, edge_probabilities(few).probability)
    none = snapshot(friends=[(0, 1, 1.0)])
    edges, told = learned_probabilities(none, seed=0)
    assert told == {"model": "ties", "reason": "no share was acted on"}
    np.testing.assert_array_equal(edges.probability, edge_probabilities(none).probability)


def test_factors_of_categories_by_hand():
    # 400 shares of tea, all opened, 400 of art, none, 400 of books, half: P says a half for each.
    shares = [(0, -1, 10 * n) for n in range(1_200)]
    opens = [(n, 1, 10 * n + 1) for n in range(1_200) if n % 3 == 0 or (n % 3 == 2 and n % 2 == 0)]
    graph = timed(shares, opens, friends=[(0, 1, 1.0)], watermark_s=100_000)
    graph = replace(
        graph,
        items=Nodes(np.array(["a", "b", "c"], object), {"category": np.array(["tea", "art", "books"], object)}),
        shares=Edges(graph.shares.source, np.arange(1_200, dtype=np.int32) % 3, graph.shares.columns),
    )
    edges = EdgeProbabilities(np.zeros(1, np.int32), np.ones(1, np.int32), np.full(1, 0.5, np.float32), 5)
    found = factors_by(graph, "open", edges, graph.items.columns["category"][graph.shares.target])
    assert found["tea"] == pytest.approx(2.0, abs=0.05)
    assert found["books"] == pytest.approx(1.0, abs=0.02)
    assert found["art"] == pytest.approx(0.0, abs=0.05)
