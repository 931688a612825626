from __future__ import annotations

import numpy as np
import pytest

from engine.errors import DataError
from engine.influence import diffusion
from tests.engine.influence.graphs import CHAIN, KNOWN, exact_spread, random_graph


@pytest.mark.parametrize("name", KNOWN)
def test_each_users_spread_is_the_one_known_by_hand(name):
    edges, known = KNOWN[name]
    mean, error = diffusion.simulate_each(edges, np.arange(edges.nodes), 20_000, np.random.default_rng(1))
    assert (np.abs(mean - known) <= 5 * error + 1e-9).all()
    assert (error < 0.05).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_seed_sets_spread_agrees_with_enumeration(seed):
    edges = random_graph(seed)
    spread = diffusion.simulate(edges, np.array([0, 3]), 40_000, np.random.default_rng(seed))
    assert abs(spread.mean - exact_spread(edges, {0, 3})) < 5 * spread.standard_error + 1e-9


def test_a_seed_named_twice_counts_once():
    assert diffusion.simulate(KNOWN["no edges"][0], np.array([1, 1]), 3, np.random.default_rng(0)).mean == 1


def test_the_same_generator_gives_the_same_spread():
    first, again, other = (diffusion.simulate(CHAIN, np.array([0]), 500, np.random.default_rng(s)) for s in (5, 5, 6))
    assert first == again != other


def test_impossible_requests_are_refused():
    with pytest.raises(DataError):
        diffusion.simulate(CHAIN, np.array([0]), 0, np.random.default_rng(0))
    with pytest.raises(DataError):
        diffusion.simulate(CHAIN, np.array([4]), 1, np.random.default_rng(0))
