"""Sparse rows against dense numpy."""

from __future__ import annotations

import numpy as np
import pytest

from engine.interest.adjacency import Adjacency, empty, from_pairs


@pytest.fixture
def pair() -> tuple[Adjacency, np.ndarray]:
    rng = np.random.default_rng(0)
    row, column, value = rng.integers(0, 7, 40), rng.integers(0, 9, 40), rng.random(40)
    dense = np.zeros((7, 9))
    np.add.at(dense, (row, column), value)
    return from_pairs(row, column, (7, 9), value), dense


def test_pairs_of_the_same_place_are_summed(pair: tuple[Adjacency, np.ndarray]) -> None:
    matrix, dense = pair
    assert matrix.shape == (7, 9)
    assert np.allclose(matrix.dense(), dense)
    assert (np.diff(matrix.indices)[np.diff(matrix.row_of) == 0] > 0).all()


def test_views_equal_their_dense_counterparts(pair: tuple[Adjacency, np.ndarray]) -> None:
    matrix, dense = pair
    rows, columns = np.array([5, 0, 5]), np.array([1, 2, 8])
    assert np.allclose(matrix.transpose().dense(), dense.T)
    assert np.allclose(matrix.take(rows).dense(), dense[rows])
    assert np.allclose(matrix.take_columns(columns).dense(), dense[:, columns])
    left, right = np.arange(7.0), np.arange(9.0)
    assert np.allclose(matrix.scale(left, right).dense(), left[:, None] * dense * right)
    assert np.allclose(matrix.torch().to_dense().numpy(), dense)
    total = dense.sum(axis=1, keepdims=True)
    assert np.allclose(matrix.mean_rows().dense(), np.divide(dense, total, out=np.zeros_like(dense), where=total > 0))


def test_an_empty_matrix_has_every_view() -> None:
    matrix = empty((3, 4))
    assert len(matrix) == 0
    assert matrix.transpose().shape == (4, 3)
    assert not matrix.mean_rows().dense().any()
    assert matrix.take(np.array([2])).shape == (1, 4)
    assert from_pairs(np.zeros(0, int), np.zeros(0, int), (0, 0)).shape == (0, 0)
