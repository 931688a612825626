"""Attributes as rows of numbers."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest

from engine.serving.features import FeatureRecipe, feature_rows, learn_recipe

COLUMNS = {
    "itemId": np.array(["a", "b", "c", "d"], dtype=object),
    "category": np.array(["shoes", "hats", "", "hats"], dtype=object),
    "title": np.array(["Red shoe", "red HAT", "", "blue"], dtype=object),
    "priceMinor": np.array([100.0, 10_000.0, np.nan, 1_000_000.0]),
    "stock": np.array([1, 2, 3, 4]),
}


def test_a_recipe_takes_attributes_and_leaves_ids_and_state() -> None:
    recipe = learn_recipe(COLUMNS)
    assert recipe.categories == ("category",)
    assert recipe.texts == ("title",)
    assert list(recipe.numbers) == ["priceMinor"]
    assert recipe.numbers["priceMinor"][2] is True
    assert FeatureRecipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_rows_hold_what_is_known() -> None:
    recipe = learn_recipe(COLUMNS)
    rows = feature_rows(recipe, COLUMNS, 4)
    dense = rows.project(np.eye(rows.width, dtype=np.float32))
    logs = np.log1p([100.0, 10_000.0, 1_000_000.0])
    assert dense[[0, 1, 3], 0] == pytest.approx((logs - logs.mean()) / logs.std(), abs=1e-5)
    assert not dense[2].any()
    first = 1 + recipe.text_width
    red, hats = (first + zlib.crc32(token.encode()) % recipe.buckets for token in ("=red", "category=hats"))
    assert dense[:2, red] == pytest.approx([0.5**0.5] * 2)
    assert dense[:, hats].tolist() == [0.0, 1.0, 0.0, 1.0]


def test_a_later_node_is_described_in_the_same_columns() -> None:
    recipe = learn_recipe(COLUMNS)
    later = feature_rows(recipe, {"category": ["hats"], "priceMinor": ["10000"], "unknown": [3]}, 1)
    whole = feature_rows(recipe, {name: COLUMNS[name] for name in ("category", "priceMinor")}, 4)
    eye = np.eye(recipe.width, dtype=np.float32)
    assert np.allclose(later.project(eye)[0], whole.project(eye)[1])


def test_nothing_to_learn_gives_rows_of_no_width() -> None:
    recipe = learn_recipe({"displayName": np.array(["x", "y"], dtype=object), "flag": np.array([True, True])})
    assert recipe.width == 0
    assert feature_rows(recipe, {}, 2).indptr.tolist() == [0, 0, 0]
