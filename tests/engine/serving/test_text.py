"""The text model that a package brings: near texts are near, and it is left out where it is not installed."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from engine.errors import DataError
from engine.serving import features, text
from engine.serving.features import feature_rows, learn_recipe

ITEMS = {"title": np.array(["Knitted jumper", "", "Running shoes"], dtype=object),
         "description": np.array(["warm wool for winter", None, "for the road"], dtype=object)}  # fmt: skip


@pytest.fixture
def model() -> text.TextModel:
    found = text.text_model()
    if found is None:
        pytest.fail("the text model has no wheel for this machine; these tests need one")
    return found


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the package was not installed."""
    monkeypatch.setattr(text, "text_model", lambda: None)


def test_texts_that_mean_alike_are_nearer_than_others(model: text.TextModel) -> None:
    texts = [
        "woollen jumper for the winter",
        "Strickpullover für den Winter",
        "trainers for jogging",
        "running shoes",
        "",
    ]
    vectors = model.embed(texts)
    near = vectors @ vectors.T
    assert near[0, 1] > max(near[0, 2], near[0, 3])
    assert near[2, 3] > max(near[0, 2], near[0, 3])
    assert np.linalg.norm(vectors[:4], axis=1) == pytest.approx(1.0, abs=1e-5)
    assert not vectors[4].any()


def test_a_vector_does_not_depend_on_its_batch_nor_on_what_is_cut_off(model: text.TextModel) -> None:
    alone = model.embed(["a red lamp"])[0]
    assert np.array_equal(model.embed(["x"] * text.BATCH + ["a red lamp"])[-1], alone)
    long = "lamp " * text.MOST_CHARACTERS
    assert np.array_equal(model.embed([long])[0], model.embed([long[: text.MOST_CHARACTERS]])[0])


def test_rows_hold_the_vector_of_all_texts_between_numbers_and_buckets(model: text.TextModel) -> None:
    recipe = learn_recipe({**ITEMS, "weight": np.array([1.0, 2.0, 3.0])})
    assert (recipe.text_model, recipe.width) == (text.NAME, 1 + text.WIDTH + recipe.buckets)
    dense = feature_rows(recipe, ITEMS, 3).project(np.eye(recipe.width, dtype=np.float32))
    joined = ["Running shoes for the road", "Knitted jumper warm wool for winter"]
    order = [" ".join(str(ITEMS[name][n]) for name in recipe.texts) for n in (2, 0)]
    assert order == joined
    assert np.allclose(dense[[2, 0], 1 : 1 + text.WIDTH], model.embed(joined), atol=1e-6)
    assert not dense[1].any()


@pytest.mark.usefixtures("without")
def test_without_the_package_words_are_hashed_alone() -> None:
    recipe = learn_recipe(ITEMS)
    assert (recipe.text_model, recipe.width) == ("", recipe.buckets)
    assert len(feature_rows(recipe, ITEMS, 3).indices)


def test_a_recipe_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = learn_recipe(ITEMS)
    assert features.needs(recipe) == ""
    monkeypatch.setattr(text, "text_model", lambda: None)
    assert features.needs(recipe) == text.NAME
    with pytest.raises(DataError, match=f"{text.NAME}, which is not installed"):
        feature_rows(recipe, ITEMS, 3)


def test_the_package_is_looked_for_and_none_of_its_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    text.text_model.cache_clear()
    assert text.text_model() is None
    text.text_model.cache_clear()
