from __future__ import annotations

import numpy as np
import pytest

from engine.serving.diversity import diversify, intra_list_diversity, likeness_of, scaled_neighbours

ALIKE = np.array([[1.0, 0.9, 0.0, 0.0], [0.9, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.5], [0.0, 0.0, 0.5, 1.0]])
RELEVANCE = [1.0, 0.9, 0.5, 0.0]


def test_without_weight_the_order_is_that_of_relevance() -> None:
    assert diversify(RELEVANCE, ALIKE, 4, 0.0) == [0, 1, 2, 3]


def test_what_is_like_the_first_waits() -> None:
    # After 0: 1 has 0.5 x 0.9 - 0.5 x 0.9 = 0, 2 has 0.25, 3 has 0; then 1 has 0 and 3 has -0.25.
    assert diversify(RELEVANCE, ALIKE, 4, 0.5) == [0, 2, 1, 3]


def test_with_all_weight_relevance_does_not_count_after_the_first() -> None:
    assert diversify([3.0, 2.0, 1.0], np.array([[1, 1, 0.2], [1, 1, 0.2], [0.2, 0.2, 1.0]]), 2, 1.0) == [0, 2]


def test_short_and_flat_pools_are_no_trouble() -> None:
    assert diversify([], np.zeros((0, 0)), 5, 0.5) == []
    assert diversify([2.0, 2.0], np.eye(2), 5, 0.5) == [0, 1]


def test_likeness_is_what_two_items_have_in_common_or_how_near_they_are() -> None:
    category, brand = np.array([0, 0, 1, -1]), np.array([5, 5, 5, -1])
    alike = likeness_of(["a", "b", "c", "d"], category, brand, {"a": {"c": 1.0, "x": 1.0}, "d": {"b": 0.4}})
    assert alike[0, 1] == pytest.approx(0.75)
    assert alike[1, 2] == pytest.approx(0.125)
    assert alike[0, 2] == alike[2, 0] == pytest.approx(1.0)
    assert alike[3, 1] == pytest.approx(0.4)
    assert alike[2, 3] == 0.0
    assert (alike == alike.T).all()


def test_neighbours_are_scaled_to_the_best() -> None:
    assert scaled_neighbours(["a", "b", "c"], [0.8, 0.4, 0.0]) == {"a": 1.0, "b": 0.5}
    assert scaled_neighbours([], []) == {}


def test_a_list_of_one_kind_is_not_diverse() -> None:
    assert intra_list_diversity(np.ones((3, 3))) == pytest.approx(0.0)
    assert intra_list_diversity(np.eye(3)) == pytest.approx(1.0)
    assert intra_list_diversity(ALIKE) == pytest.approx(1 - 2 * 1.4 / 12)
