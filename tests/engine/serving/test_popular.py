"""Popularity, trend and segments by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.interest import popular
from engine.interest.adjacency import from_pairs
from engine.interest.data import InterestData
from engine.serving.blend import PRIOR, log_lift, shares
from engine.serving.features import feature_rows, learn_recipe
from tests.engine.interest.communities import communities


def test_a_lift_by_hand() -> None:
    lift = log_lift(np.array([[30.0, 0.0], [0.0, 0.0]], np.float32), np.array([0.25, 0.75]), prior=10.0)
    wanted = [[np.log((30 + 2.5) / 40 / 0.25), np.log(7.5 / 40 / 0.75)], [0.0, 0.0]]
    assert lift == pytest.approx(np.array(wanted), abs=1e-6)


def described() -> InterestData:
    """160 users in 4 groups; `city` tells the group of the first 120, the others have cities of their own."""
    data = communities()
    city = np.array([f"g{n % 4}" if n < 120 else f"a{n % 10}" for n in range(160)], dtype=object)
    recipe = learn_recipe({"city": city})
    return replace(data, user_features=feature_rows(recipe, {"city": city}, 160), user_recipe=recipe)


def test_users_of_the_same_attributes_lift_their_items() -> None:
    data = described()
    model = popular.count_popular(data)
    parts = model.parts(160, data.user_features)
    own = (np.arange(160) % 4)[:, None] == (np.arange(80) % 4)[None, :]
    assert set(parts) == {"popularity", "segment"}
    assert parts["segment"][:120][own[:120]].mean() > 0.5 + parts["segment"][:120][~own[:120]].mean()
    assert not parts["segment"][120:].any()  # four users to a city: too few
    members = np.arange(0, 120, 4)
    counts = np.bincount(data.positives.take(members).indices, minlength=80).astype(np.float32)
    wanted = log_lift(counts[None, :], shares(model.count), PRIOR)
    assert parts["segment"][0] == pytest.approx(wanted[0], abs=1e-5)


def test_what_is_new_is_lifted_by_the_trend() -> None:
    data = communities()
    acts = from_pairs(np.array([0, 1, 2]), np.array([0, 1, 2]), (160, 80))
    data = replace(data, positives=acts, age_days=np.array([0.0, 14.0, np.nan], np.float32))
    model = popular.count_popular(data)
    assert model.recent[:4].tolist() == [1.0, 0.5, 0.0, 0.0]
    trend = model.parts(1, None)["trend"][0]
    assert trend[0] > trend[1] > trend[2]
    assert "trend" not in popular.count_popular(replace(data, age_days=None)).parts(1, None)
