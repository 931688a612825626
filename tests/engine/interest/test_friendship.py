"""Friends' weights: features by hand, a lift that is known, friends who do not help ignored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.evaluation import truth_of
from engine.interest.adjacency import from_pairs
from engine.interest.friendship import Friendship, fit_friendship, fit_poisson, warm_features
from engine.serving.friendship import TieModel
from tests.engine.interest.communities import communities


def test_features_of_a_tie_by_hand() -> None:
    data = communities()
    user, friend = np.array([0, 0, 1, 2]), np.array([1, 2, 2, 3])
    ties = from_pairs(np.r_[user, friend], np.r_[friend, user], (160, 160), np.r_[[2.0, 1, 1, 1], [2.0, 1, 1, 1]])
    acts = from_pairs(np.array([0, 0, 1, 1, 1]), np.array([3, 4, 4, 5, 6]), (160, 80))
    features = warm_features(replace(data, friends=ties, positives=acts))
    first = features[(ties.row_of == 0) & (ties.indices == 1)][0]
    # strength 2; 1 has friends 0 and 2, and three acts; 0 has two friends; 2 is a common friend; item 4 is common
    wanted = [np.log(2), np.log(3), np.log(4), np.log(3), np.log(2), np.sqrt(1 / np.sqrt(6)), np.log(3)]
    assert first == pytest.approx(wanted)


def test_a_known_lift_is_found() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(3.0, 2.0, (20_000, 2))
    expected = rng.uniform(0.1, 0.3, 20_000)
    hits = rng.poisson(expected * np.exp(0.4 * features[:, 0] - 1.0))
    model = fit_poisson(features, hits.astype(float), expected)
    assert np.log(model.lift(np.array([[3.0, 3.0], [5.0, 0.0]]))) == pytest.approx([0.2, 1.0], abs=0.05)


def test_friends_who_share_a_taste_weigh_and_strangers_do_not() -> None:
    data = communities(users=400)
    rng = np.random.default_rng(1)
    stranger = (np.arange(400)[:, None] + 1 + 4 * rng.integers(0, 99, (400, 5))) % 400  # always of another group
    user = np.repeat(np.arange(400), 5)
    ties = from_pairs(np.r_[user, stranger.ravel()], np.r_[stranger.ravel(), user], (400, 400))
    both = from_pairs(np.r_[data.friends.row_of, ties.row_of], np.r_[data.friends.indices, ties.indices], (400, 400))
    both = replace(both, values=np.ones(len(both), np.float32))
    held = rng.random(len(data.positives)) < 0.3
    cut = replace(data.without(held), friends=both)
    truth = truth_of(data.positives.row_of[held], data.positives.indices[held])
    friendship = fit_friendship(cut, truth, truth_of(np.zeros(0, int), np.zeros(0, int)))
    assert friendship.cold is None
    weight = friendship.weigh(cut).dense()
    same = (np.arange(400) % 4)[:, None] == (np.arange(400) % 4)[None, :]
    tied = both.dense() > 0
    assert weight[tied & same].mean() > 5 * weight[tied & ~same].mean()
    assert (weight[tied & ~same] == 0).mean() > 0.5


def test_a_lift_of_at_most_one_weighs_nothing() -> None:
    model = TieModel([0.0], [1.0], [1.0], 0.0)
    assert model.weights(np.array([[-1.0], [0.0], [np.log(3.0)]])) == pytest.approx([0.0, 0.0, 2.0])
    assert TieModel.from_json(model.to_json()).lift(np.array([[2.0]])) == pytest.approx([np.exp(2.0)])


def test_without_enough_hits_friends_count_by_strength() -> None:
    data = communities()
    nothing = truth_of(np.zeros(0, int), np.zeros(0, int))
    friendship = fit_friendship(data, nothing, nothing)
    assert friendship == Friendship(None, None)
    assert np.array_equal(friendship.weigh(data).dense(), data.friends.dense())
