"""Where items that came after training stand in a published list; the vectors are known by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from api.catalogue import Catalogue
from api.encoders import Encoders
from api.new_items import CODE, NewItems
from benchmarks.drawn_model import write_model
from engine.serving.blend import NEW_ITEM, BlendWeights, Calibration

LISTED = (["a", "b", "c"], [2.0, 0.0, -1.0], [7, 8, 9])


@pytest.fixture
def encoders(tmp_path: Path) -> Encoders:
    """A version whose chance of a new item is sigma(4 cosine + 0.5 log(1 + acts) - 1)."""
    write_model(tmp_path / "v1", 30, 20, np.random.default_rng(0))
    made = Encoders(tmp_path)
    made.notice("v1")
    made.wait()
    version, bundle, until = made._kept
    assert bundle is not None
    chance = BlendWeights({}, {}, calibration={NEW_ITEM: Calibration(4.0, 0.5, -1.0)})
    made._kept = (version, replace(bundle, weights=chance), until)
    return made


def keeping(encoders: Encoders, vectors: np.ndarray) -> NewItems:
    made = NewItems(Catalogue(0), encoders)
    made._kept = ("v1", [f"n{n}" for n in range(len(vectors))], vectors.astype(np.float32))
    return made


def test_a_new_item_stands_where_its_chance_puts_it(encoders: Encoders) -> None:
    bundle = encoders._kept[1]
    assert bundle is not None
    at = bundle.artifact.user_ids.tolist().index("user3")
    own, acts = bundle.artifact.user_embedding[at], bundle.scorers.user_sizes[at, 1]
    kept = keeping(encoders, np.stack([own, 0.25 * own, -own]))
    logits = 4.0 * np.array([1.0, 0.25, -1.0]) * float(own @ own) + 0.5 * np.log1p(acts) - 1.0
    items, scores, codes = kept.merge(LISTED, "v1", "user3")
    known = dict(zip(("a", "b", "c", "n0", "n1", "n2"), [2.0, 0.0, -1.0, *logits], strict=True))
    expected = sorted((item for item in known if known[item] >= -1.0), key=lambda item: -known[item])
    assert list(items) == expected
    assert "n2" not in items  # below the last of the list
    assert {"n0", "n1"} <= set(items)
    assert list(scores) == pytest.approx([known[item] for item in expected], abs=1e-5)
    assert [code for item, code in zip(items, codes, strict=True) if item.startswith("n")] == [CODE, CODE]


def test_a_list_stays_as_it_is_for_others(encoders: Encoders) -> None:
    kept = keeping(encoders, np.eye(2, encoders._kept[1].artifact.user_embedding.shape[1]))  # type: ignore[union-attr]
    assert kept.merge(LISTED, "v2", "user3") == LISTED
    assert kept.merge(LISTED, "v1", "nobody") == LISTED
    assert kept.merge(([], [], []), "v1", "user3") == ([], [], [])
    version, bundle, until = encoders._kept
    assert bundle is not None
    encoders._kept = (version, replace(bundle, weights=BlendWeights({}, {})), until)
    assert kept.merge(LISTED, "v1", "user3") == LISTED
