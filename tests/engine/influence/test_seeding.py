from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from engine.errors import DataError
from engine.influence.rrsets import Pool
from engine.influence.seeding import choose_seeds, cover
from tests.engine.influence.graphs import KNOWN, exact_spread, graph, random_graph

TWO_STARS = graph(9, *((0, v, 0.9) for v in (1, 2, 3, 4)), *((5, v, 0.8) for v in (6, 7, 8)))


def choose(edges, k, **options):
    return choose_seeds(edges, k, np.random.default_rng(1), pool_sets=40_000, judge_sets=40_000, **options)


def test_the_centres_of_two_stars_come_first():
    seeds = choose(TWO_STARS, 2)
    assert seeds.users.tolist() == [0, 5]
    known = 1 + 4 * 0.9 + 1 + 3 * 0.8
    assert seeds.spread_low < known < seeds.spread_high
    assert seeds.spread_low < seeds.spread < seeds.spread_high


def test_only_allowed_users_are_chosen_and_never_one_twice():
    allowed = np.ones(9, bool)
    allowed[0] = False
    assert choose(TWO_STARS, 1, allowed=allowed).users.tolist() == [5]
    assert sorted(choose(TWO_STARS, 20).users.tolist()) == list(range(9))
    assert choose(TWO_STARS, 20).spread == 9


@pytest.mark.parametrize("seed", range(4))
def test_greedy_comes_near_the_best_pair(seed):
    edges = random_graph(seed)
    seeds = choose(edges, 2)
    best = max(exact_spread(edges, set(pair)) for pair in combinations(range(edges.nodes), 2))
    reached = exact_spread(edges, set(seeds.users.tolist()))
    assert reached > 0.93 * best
    assert seeds.spread_low * 0.98 < reached < seeds.spread_high * 1.02


def test_coverage_by_hand():
    # Sets {0,1}, {0,2}, {2}, {3,2}, {0}: 0 and 2 tie at three; then 2 adds two, then 1 and 3 add nothing.
    pool = Pool(4, np.array([0, 2, 4, 5, 7, 8]), np.array([0, 1, 0, 2, 2, 3, 2, 0], np.int32))
    assert cover(pool, 3, np.ones(4, bool)).tolist() == [0, 2, 1]
    with pytest.raises(DataError):
        cover(pool, 3, np.array([True, True, False, False]))


def test_without_edges_the_spread_is_the_seeds():
    seeds = choose(KNOWN["no edges"][0], 2)
    assert (len(seeds.users), seeds.spread_low <= 2.0 <= seeds.spread_high) == (2, True)


def test_no_seeds_are_refused():
    with pytest.raises(DataError):
        choose(TWO_STARS, 0)
