"""EASE against its textbook formula, in item space and in user space."""

from __future__ import annotations

import numpy as np
import pytest

from engine.interest import itemitem
from engine.interest.adjacency import Adjacency, from_pairs
from engine.interest.linear import strongest_weights

RIDGE, EXPONENT = 3.0, 0.2


def history(users: int, items: int) -> Adjacency:
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((users, items)) < 0.25 * rng.random(items))
    return from_pairs(user, item, (users, items))


def textbook(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return scaled history and B, from Steck (2019), eq. 8, in float64."""
    scaled = x * np.maximum((x > 0).sum(axis=0), 1.0) ** -EXPONENT
    p = np.linalg.inv(scaled.T @ scaled + RIDGE * np.eye(x.shape[1]))
    b = np.eye(x.shape[1]) - p / np.diag(p)
    return scaled, b


@pytest.mark.parametrize(("users", "items"), [(40, 25), (25, 40)])
def test_scores_equal_the_textbook(users: int, items: int) -> None:
    seen = history(users, items)
    scaled, b = textbook(seen.dense().astype(float))
    model = itemitem.fit(seen, RIDGE, EXPONENT)
    assert model.in_user_space == (users < items)
    chosen = np.array([3, 0, 11], dtype=np.int32)
    assert np.allclose(model.scores(chosen), (scaled @ b)[chosen], atol=1e-4)
    assert np.allclose(model.scores_of(seen.take(chosen)), (scaled @ b)[chosen], atol=1e-4)
    mix = from_pairs(np.array([0, 0, 1]), np.array([3, 4, 5]), (2, users), np.array([0.5, 0.5, 1.0]))
    assert np.allclose(model.mixed(mix), mix.dense() @ (scaled @ b + scaled), atol=1e-4)


@pytest.mark.parametrize(("users", "items"), [(40, 25), (25, 40)])
def test_neighbours_are_the_strongest_weights(users: int, items: int) -> None:
    seen = history(users, items)
    _, b = textbook(seen.dense().astype(float))
    scale = np.maximum((seen.dense() > 0).sum(axis=0), 1.0) ** -EXPONENT
    unscaled = b * scale[:, None]
    np.fill_diagonal(unscaled, 0.0)
    lists = strongest_weights(itemitem.fit(seen, RIDGE, EXPONENT), 5)
    for item in range(items):
        largest = np.argsort(-np.abs(unscaled[item]), kind="stable")[:5]
        best = largest[np.argsort(-unscaled[item][largest], kind="stable")]
        wanted = [j for j in best if unscaled[item, j] > 1e-6]
        got = [j for j, s in zip(lists.target[item], lists.score[item], strict=True) if s > 1e-6]
        assert got == wanted
        assert np.allclose(lists.score[item][: len(wanted)], unscaled[item, wanted], atol=1e-5)


def test_all_neighbours_rebuild_the_scores() -> None:
    seen = history(40, 25)
    model = itemitem.fit(seen, RIDGE, EXPONENT)
    assert np.allclose(seen.dense() @ model.rows(25).dense(), model.scores(np.arange(40)), atol=1e-4)


def test_beyond_the_limit_only_popular_items_take_part() -> None:
    seen = history(40, 25)
    model = itemitem.fit(seen, RIDGE, EXPONENT, limit=10)
    popularity = seen.dense().sum(axis=0)
    assert len(model.items) == 10
    assert popularity[model.items].min() >= np.delete(popularity, model.items).max()
    scores = model.scores(np.arange(40))
    assert scores.shape == (40, 25)
    assert not np.delete(scores, model.items, axis=1).any()
    assert not np.delete(model.rows(3).degree, model.items).any()
