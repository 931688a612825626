"""The rows of the encoder's ablation: which there are, and that each leaves out what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.artifact import write_snapshot
from engine.errors import DataError
from engine.interest.data import from_snapshot
from engine.interest.encoder_ablation import SETTINGS, evaluate_encoder, variants
from engine.interest.training import EncoderSettings
from engine.world import WorldSettings, generate, to_snapshot
from tests.engine.interest.communities import communities, write_folder

SMALL = EncoderSettings(width=16, steps=30, batch_users=64)


def test_a_row_leaves_out_what_it_says() -> None:
    data = from_snapshot(to_snapshot(generate(WorldSettings(users=80, items=60, events=3_000, seed=2))))
    rows = variants(data, SMALL, half_life_days=60.0)
    found = {name: row for name, row in rows.items() if row is not None}
    assert set(found) == set(rows)
    assert not found["without_social"].settings.with_social
    assert not found["friends_by_strength"].weighs_friends
    assert not len(found["without_attributes"].data.item_features.indices)
    texts, whole = found["without_texts"].data.item_features, found["whole"].data.item_features
    numbers, width = len(data.item_recipe.numbers), data.item_recipe.text_width
    assert not ((texts.indices >= numbers) & (texts.indices < numbers + width)).any()
    outside = (whole.indices < numbers) | (whole.indices >= numbers + width)
    assert np.array_equal(texts.indices, whole.indices[outside])
    assert found["without_decay"].data is data
    assert all(found[name].settings == replace(SMALL, **SETTINGS[name]) for name in SETTINGS)


def test_what_the_data_lacks_is_none(tmp_path: Path) -> None:
    write_folder(communities(), tmp_path)
    (tmp_path / "social.csv").unlink()
    result = evaluate_encoder(tmp_path, only=("without_social", "without_texts", "hardness_0.5"), settings=SMALL)
    assert result["rows"]["without_social"] is None
    assert result["rows"]["without_texts"] is None
    low, high = result["rows"]["hardness_0.5"]["interval"]
    assert low <= result["rows"]["hardness_0.5"]["difference"] <= high
    assert set(result["rows"]) == {"whole", "without_social", "without_texts", "hardness_0.5"}


def test_every_loss_learns_communities(tmp_path: Path) -> None:
    write_folder(communities(), tmp_path)
    only = ("loss_sampled", "loss_uncorrected", "loss_pairwise")
    rows = evaluate_encoder(tmp_path, only=only, settings=SMALL)["rows"]
    assert all(rows[name]["recall@20"] > 0.55 for name in only)  # a random list of 20 of 71 holds .28
    with pytest.raises(DataError, match="no such row: loss_of_time"):
        evaluate_encoder(tmp_path, only=("loss_of_time",), settings=SMALL)


def test_a_snapshot_is_read_too(tmp_path: Path) -> None:
    write_snapshot(to_snapshot(generate(WorldSettings(users=80, items=60, events=3_000, seed=2))), tmp_path / "s")
    result = evaluate_encoder(tmp_path / "s", only=("without_texts",), settings=SMALL)
    assert result["rows"]["without_texts"]["recall@20"] > 0
