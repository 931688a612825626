"""The scoring functions by hand."""

from __future__ import annotations

import numpy as np
import pytest

from engine.serving.blend import PlainModel, blend, contributions, popularity, reasons, similarity, standardise
from engine.types import REASONS


def test_standardise_gives_mean_zero_and_deviation_one_and_zeros_for_a_flat_row() -> None:
    scaled = standardise(np.array([[1.0, 2.0, 3.0], [4.0, 4.0, 4.0]], dtype=np.float32))
    assert scaled[0] == pytest.approx([-np.sqrt(1.5), 0.0, np.sqrt(1.5)])
    assert scaled[1].tolist() == [0.0, 0.0, 0.0]


def test_blend_adds_weighted_standardised_parts_and_ignores_the_rest() -> None:
    parts = {"itemitem": np.array([[0.0, 0.0, 3.0]], np.float32), "popularity": np.array([[5.0, 1.0, 3.0]], np.float32)}
    wanted = 2.0 * standardise(parts["itemitem"]) + 0.5 * standardise(parts["popularity"])
    got = contributions(parts, {"itemitem": 2.0, "popularity": 0.5, "friends": 9.0})
    assert blend(got, (1, 3)) == pytest.approx(wanted)
    assert not blend(contributions(parts, {}), (1, 3)).any()


def test_reasons_are_the_two_largest_positive_contributions() -> None:
    parts = {
        "graphsage": np.array([[1.0, 0.0, -1.0]], np.float32),
        "itemitem": np.array([[0.0, 1.0, -1.0]], np.float32),
        "popularity": np.array([[-1.0, -1.0, 2.0]], np.float32),
        "plain": np.array([[-1.0, -1.0, 2.0]], np.float32),
    }
    weights = {"graphsage": 1.0, "itemitem": 0.5, "popularity": 0.1, "plain": 0.1}
    codes = reasons(contributions(parts, weights), np.array([[0, 1, 2]]))
    names = [[REASONS[c] if c < 255 else None for c in pair] for pair in codes[0].tolist()]
    assert names == [["taste", None], ["similarItems", None], ["popular", None]]
    both = contributions({**parts, "itemitem": parts["graphsage"]}, {"graphsage": 1.0, "itemitem": 0.5})
    assert [REASONS[c] for c in reasons(both, np.array([[0]]))[0, 0]] == ["taste", "similarItems"]
    cold = reasons(contributions(parts, {"graphsage": 1.0}), np.array([[0]]), is_cold=True)
    assert REASONS[cold[0, 0, 0]] == "attributes"


def test_the_plain_model_is_a_sigmoid_of_a_sum() -> None:
    model = PlainModel(np.array([1.0, 0.0], np.float32), np.array([0.0, 2.0], np.float32), -1.0)
    got = model.probability(np.array([[3.0, 9.0]], np.float32), np.array([[9.0, 1.0], [9.0, -1.0]], np.float32))
    assert got == pytest.approx(np.array([[1 / (1 + np.exp(-4.0)), 0.5]]))


def test_similarity_and_popularity() -> None:
    assert similarity(np.array([[1.0, 0.0]]), np.array([[0.6, 0.8]])).tolist() == [[0.6]]
    assert popularity(np.array([0.0, np.e - 1.0]), 2) == pytest.approx(np.array([[0.0, 1.0], [0.0, 1.0]]))
