"""Seed sets on graphs known by hand, and their certificates against the best of all sets."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from engine.errors import DataError
from engine.influence import rrsets
from engine.influence.coverage import Limits
from engine.influence.seeding import BEST_GREEDY, Effort, choose_seeds, spread_of
from tests.engine.influence.graphs import KNOWN, exact_spread, graph, random_graph

TWO_STARS = graph(9, *((0, v, 0.9) for v in (1, 2, 3, 4)), *((5, v, 0.8) for v in (6, 7, 8)))


def choose(edges, limits, seed=1, **options):
    return choose_seeds(rrsets.prepare(edges), limits, np.random.default_rng(seed), Effort(**options))


def test_the_centres_of_two_stars_come_first():
    seeds = choose(TWO_STARS, Limits(2))
    assert seeds.users.tolist() == [0, 5]
    known = 1 + 4 * 0.9 + 1 + 3 * 0.8
    assert seeds.spread_low < known <= seeds.spread_high
    assert seeds.spread_low < seeds.spread <= seeds.spread_high
    assert seeds.best_high >= known
    assert seeds.guarantee >= BEST_GREEDY - 0.1
    assert seeds.marginal == pytest.approx([4.6, 3.4], abs=0.3)


def test_only_allowed_users_are_chosen_and_never_one_twice():
    allowed = np.arange(9) > 0
    assert choose(TWO_STARS, Limits(1, allowed=allowed)).users.tolist() == [5]
    assert choose(TWO_STARS, Limits(20)).spread == pytest.approx(9)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [1, 2])
def test_the_certificate_holds_against_the_best_set(seed, count):
    edges = random_graph(seed)
    best = max(exact_spread(edges, set(users)) for users in combinations(range(edges.nodes), count))
    for draw in range(5):
        seeds = choose(edges, Limits(count), draw, failure=0.01)
        reached = exact_spread(edges, set(seeds.users.tolist()))
        assert reached >= 0.93 * best
        assert reached >= (BEST_GREEDY - 0.1) * best
        assert seeds.spread_low <= reached <= seeds.spread_high
        assert seeds.best_high >= best
        assert reached >= seeds.guarantee * best - 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_a_budget_is_kept_and_the_certificate_holds(seed):
    edges, cost = random_graph(seed), np.array([3.0, 1.0, 2.0, 2.0, 1.0, 4.0])
    seeds = choose(edges, Limits(6, budget=4.0, cost=cost), failure=0.01)
    best = max(
        exact_spread(edges, set(users))
        for count in range(1, 5)
        for users in combinations(range(6), count)
        if cost[list(users)].sum() <= 4.0
    )
    assert cost[seeds.users].sum() <= 4.0
    assert seeds.guarantee * best - 1e-9 <= exact_spread(edges, set(seeds.users.tolist())) <= best + 1e-9
    assert seeds.best_high >= best


def test_without_edges_the_spread_is_the_seeds():
    seeds = choose(KNOWN["no edges"][0], Limits(2))
    assert (seeds.users.tolist(), seeds.spread, seeds.spread_low, seeds.best_high) == ([0, 1], 2, 2, 2)


def test_more_time_makes_more_sets_and_a_generator_repeats():
    edges = random_graph(5, nodes=40, edges=120)
    first, second = choose(edges, Limits(3)), choose(edges, Limits(3))
    assert first.users.tolist() == second.users.tolist()
    assert (first.spread, first.sets) == (second.spread, second.sets)
    assert choose(edges, Limits(3), budget_s=0.2).sets > 2 * first.sets


def test_a_pool_that_may_not_grow_says_what_is_certain():
    edges = random_graph(5, nodes=400, edges=1_200)
    seeds = choose(edges, Limits(3), max_members=20_000)
    assert 0 < seeds.guarantee < 1
    assert seeds.spread_low <= seeds.spread <= seeds.best_high


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"epsilon": 0.0}, "epsilon"),
        ({"epsilon": 0.7}, "epsilon"),
        ({"failure": 0.0}, "fail"),
        ({"failure": 1.0}, "fail"),
    ],
)
def test_bounds_that_cannot_be_asked_for_are_refused(options, why):
    with pytest.raises(DataError, match=why):
        choose(TWO_STARS, Limits(1), **options)
    with pytest.raises(DataError, match="at least one"):
        choose(TWO_STARS, Limits(0))


@pytest.mark.parametrize("seed", range(4))
def test_the_spread_of_given_users(seed):
    edges = random_graph(seed)
    spread, low, high = spread_of(rrsets.prepare(edges), np.array([1, 3]), np.random.default_rng(seed))
    exact = exact_spread(edges, {1, 3})
    assert low <= exact <= high
    assert spread == pytest.approx(exact, rel=0.02)
    with pytest.raises(DataError, match="outside"):
        spread_of(rrsets.prepare(edges), np.array([6]), np.random.default_rng(seed))
