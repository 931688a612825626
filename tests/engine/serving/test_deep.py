"""The deep scorer by hand, smaller forms of it, and its training on known tastes."""

from __future__ import annotations

import numpy as np
import pytest

from engine.interest.deep import fit_deep
from engine.serving.deep import BLOCK, DeepModel, item_numbers, pruned, quantised, restored, user_numbers
from engine.serving.features import FeatureRows
from tests.engine.interest.communities import communities


def tiny() -> DeepModel:
    side = {
        "w1": np.array([[1.0], [0.0]], np.float32), "e": np.array([[2.0]], np.float32), "b1": np.zeros(1, np.float32),
        "w2": np.array([[1.0]], np.float32), "b2": np.array([-1.0], np.float32), "g": np.array([[0.5]], np.float32),
    }  # fmt: skip
    weights = {f"{each}.{name}": value for each in ("user", "item") for name, value in side.items()}
    return DeepModel({**weights, "pair.w": np.array([3.0], np.float32), "pair.b": np.array([0.25], np.float32)})


def test_logits_by_hand() -> None:
    model = tiny()
    users = model.tower("user", np.array([[2.0, 9.0]], np.float32), None)
    described = FeatureRows(np.array([0, 1, 1]), np.array([0], np.int32), np.array([1.0], np.float32), 1)
    items = model.tower("item", np.array([[1.0, 9.0], [-4.0, 9.0]], np.float32), described)
    # user: t = 2, a = 1, g = 1; items: t = 1 + 2 = 3, a = 2, g = 1.5 and t = 0, a = -1, g = 0
    assert model.logits(users, items).tolist() == [[3 * 3 + 1.5 + 0.25, 0.25]]


def test_logits_of_many_items_are_those_of_each_alone() -> None:
    model, count, rng = tiny(), 2 * BLOCK + 3, np.random.default_rng(0)
    items = rng.normal(size=(count, 1)).astype(np.float32), rng.normal(size=(count, 1)).astype(np.float32)
    users = np.array([[0.5], [-0.5]], np.float32), np.array([[1.0], [2.0]], np.float32)
    whole = 3 * np.maximum(users[0] + items[0].T, 0) + users[1] * items[1].T + 0.25
    assert model.logits(users, items) == pytest.approx(whole, rel=1e-5, abs=1e-5)


def test_pruning_zeroes_the_smallest_weights_of_matrices_alone() -> None:
    rng = np.random.default_rng(0)
    model = DeepModel({"a": rng.normal(size=(10, 10)).astype(np.float32), "b": np.full(3, 1e-9, np.float32)})
    small = pruned(model, 0.7)
    assert (small.weights["a"] == 0).sum() == 70
    assert np.abs(model.weights["a"][small.weights["a"] == 0]).max() < np.abs(small.weights["a"]).max()
    assert small.weights["b"].tolist() == model.weights["b"].tolist()
    with pytest.raises(ValueError, match="in \\[0, 1\\)"):
        pruned(model, 1.0)


def test_int8_is_within_half_a_step_of_each_column() -> None:
    rng = np.random.default_rng(0)
    model = DeepModel({"a": rng.normal(size=(40, 5)).astype(np.float32), "b": np.ones(2, np.float32)})
    small, rest = quantised(model)
    assert small["a"].dtype == np.int8
    again = restored(small, rest)
    step = np.abs(model.weights["a"]).max(axis=0) / 127
    assert (np.abs(again.weights["a"] - model.weights["a"]) <= step / 2 + 1e-7).all()
    assert again.weights["b"].tolist() == [1.0, 1.0]


def test_training_learns_the_communities_and_repeats() -> None:
    data = communities()
    rng = np.random.default_rng(0)
    groups = np.eye(4, 8, dtype=np.float32)
    users = groups[np.arange(160) % 4] + 0.1 * rng.normal(size=(160, 8)).astype(np.float32)
    items = groups[np.arange(80) % 4] + 0.1 * rng.normal(size=(80, 8)).astype(np.float32)
    cold = np.zeros_like(users)
    model = fit_deep(data, users, cold, items, steps=150, learning_rate=0.01)
    again = fit_deep(data, users, cold, items, steps=150, learning_rate=0.01)
    assert all(np.array_equal(model.weights[name], again.weights[name]) for name in model.weights)
    count = np.bincount(data.positives.indices, minlength=80)
    towers = model.tower("item", item_numbers(items, count), data.item_features)
    numbers = user_numbers(users, data.positives.degree, data.friends.degree)
    logits = model.logits(model.tower("user", numbers, None), towers)
    same = (np.arange(160) % 4)[:, None] == (np.arange(80) % 4)[None, :]
    assert logits[same].mean() > logits[~same].mean() + 1.0
