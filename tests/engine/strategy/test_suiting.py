"""Interest in what is promoted: means that are kept, and the formula on vectors known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from engine.strategy.suiting import MAX_PROBABILITY, interest_factor, suited
from tests.engine.influence.graphs import graph

RNG = np.random.default_rng(0)


def unit(rows: int, width: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(rows, width))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_the_mean_over_all_items_is_one():
    users, items = unit(30, 8, 1), unit(50, 8, 2)
    factors = np.stack([interest_factor(users, items[[i]], items, RNG) for i in range(50)])
    assert factors.mean(axis=0) == pytest.approx(1.0, abs=1e-5)
    assert interest_factor(users, items, items, RNG) == pytest.approx(1.0, abs=1e-5)


def test_two_opposite_items():
    # cos is 1 and -1: e^2 / ((e^2 + e^-2) / 2) = 1.9640 and .0360.
    users, items = np.array([[1.0, 0.0]]), np.array([[1.0, 0.0], [-1.0, 0.0]])
    assert interest_factor(users, items[[0]], items, RNG)[0] == pytest.approx(1.9640, abs=1e-4)
    assert interest_factor(users, items[[1]], items, RNG)[0] == pytest.approx(0.0360, abs=1e-4)


def test_without_an_embedding_or_an_item_nothing_changes():
    items = unit(5, 4, 3)
    assert interest_factor(np.zeros((2, 4)), items[[0]], items, RNG).tolist() == [1.0, 1.0]
    assert interest_factor(unit(3, 4, 1), items[:0], items, RNG).tolist() == [1.0, 1.0, 1.0]


def test_the_receivers_interest_counts_up_to_the_cap():
    found = suited(graph(3, (0, 1, 0.2), (0, 2, 0.6)), np.array([9.0, 0.5, 4.0]))
    assert found.probability == pytest.approx([0.1, MAX_PROBABILITY])
