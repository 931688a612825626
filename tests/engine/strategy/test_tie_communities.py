"""Communities on graphs where everybody can see them."""

from __future__ import annotations

import numpy as np

from engine.strategy.communities import communities
from tests.engine.influence.graphs import graph


def test_two_cliques_with_a_weak_bridge_are_two_communities():
    first = [(u, v, 0.5) for u in range(5) for v in range(5) if u != v]
    second = [(u, v, 0.5) for u in range(5, 10) for v in range(5, 10) if u != v]
    edges = graph(11, *first, *second, (4, 5, 0.1))
    for seed in range(5):
        found = communities(edges, np.random.default_rng(seed))
        assert found.tolist() == [0] * 5 + [1] * 5 + [2]


def test_a_seed_gives_one_answer_and_the_direction_of_a_tie_does_not_count():
    rng = np.random.default_rng(5)
    ends = rng.integers(0, 60, (200, 2))
    one = communities(graph(60, *((u, v, 0.3) for u, v in ends)), np.random.default_rng(1))
    again = communities(graph(60, *((u, v, 0.3) for u, v in ends)), np.random.default_rng(1))
    turned = communities(graph(60, *((v, u, 0.3) for u, v in ends)), np.random.default_rng(1))
    assert one.tolist() == again.tolist() == turned.tolist()


def test_nobody_and_nobody_tied():
    assert communities(graph(0), np.random.default_rng(1)).tolist() == []
    assert communities(graph(3), np.random.default_rng(1)).tolist() == [0, 1, 2]
