"""The sections of a model card: slices by hand, and what a whole training writes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine import training
from engine.artifact import card as travelling
from engine.artifact import read_artifact
from engine.evaluation import truth_of
from engine.interest import card
from engine.interest.training import EncoderSettings
from engine.types import GraphSnapshot
from engine.world import WorldSettings, generate
from engine.world.export import to_snapshot


@pytest.fixture(scope="module")
def snapshot() -> GraphSnapshot:
    return to_snapshot(generate(WorldSettings(users=240, items=90, events=7000, seed=4)))


@pytest.fixture(scope="module")
def metrics(snapshot: GraphSnapshot, tmp_path_factory: pytest.TempPathFactory) -> dict:
    settings = training.TrainSettings(threads=1, recommended=30, encoder=EncoderSettings(width=16, steps=20))
    return dict(read_artifact(training.train(snapshot, settings, tmp_path_factory.mktemp("card") / "m")).metrics)


def test_quartiles_are_quarters_and_keep_equal_numbers_together() -> None:
    assert card.quartile(np.array([1, 2, 3, 4, 5, 6, 7, 8])).tolist() == [0, 0, 0, 1, 1, 2, 2, 3]
    assert set(card.quartile(np.array([5, 5, 5, 5])).tolist()) == {0}
    assert card.quartile(np.zeros(0, dtype=np.int64)).tolist() == []


def test_a_slice_of_items_counts_its_own_held_out_items_alone() -> None:
    truth = truth_of(np.array([0, 0, 1, 2]), np.array([1, 3, 3, 2]))
    top = np.full((3, 20), -1, dtype=np.int32)
    top[0, :3], top[1, :2], top[2, :1] = [3, 0, 1], [0, 3], [2]
    is_in = np.array([False, True, False, True])
    found = card.restricted(top, truth, is_in)
    assert found["recall@20"].tolist() == [1.0, 1.0]  # user 2 has nothing held out among them
    ideal = 1.0 + 1.0 / np.log2(3)
    assert found["ndcg@20"] == pytest.approx([(1.0 + 0.5) / ideal, 1.0 / np.log2(3)])


@pytest.mark.parametrize(
    ("born", "group"),
    [
        ("2010-06-01", "under 18"),
        ("2000-01-01", "25 to 34"),
        ("1955-03-03", "65 or more"),
        ("2007-12-31", "18 to 24"),
        ("yesterday", ""),
        (None, ""),
    ],
)
def test_groups_of_age(born: str | None, group: str) -> None:
    assert card.age_group(born, 1_767_225_600) == group  # 2026-01-01


def test_the_card_counts_the_snapshot(snapshot: GraphSnapshot, metrics: dict) -> None:
    data = metrics["data"]
    likes = int((snapshot.interactions.columns["type"] == 1).sum())
    assert data["acts"]["LIKED"] == {"count": likes, "weight": 1.0}
    assert data["acts"]["SHARED"]["count"] == len(snapshot.shares)
    assert data["snapshot"] == {"id": snapshot.snapshot_id, "watermarkS": snapshot.watermark_s}
    assert data["span"]["first"] < data["span"]["last"]
    assert "personalisation" in data["consent"]


def test_every_metric_has_an_interval_around_it(metrics: dict) -> None:
    model = metrics["evaluation"]["model"]
    assert {"recall@10", "recall@20", "ndcg@10", "ndcg@20", "precision@20", "hit@10"} <= set(model["interval"])
    for name, (low, high) in model["interval"].items():
        assert low <= model[name] <= high, name


def test_the_slices_of_a_world_are_there_and_add_up(metrics: dict) -> None:
    slices = metrics["slices"]
    assert {"activity", "cold", "ageGroup", "city", "popularity", "kind"} <= set(slices)
    assert sum(part["users"] for part in slices["activity"].values()) == metrics["evaluation"]["users"]
    assert slices["popularity"]["head"]["items"] + slices["popularity"]["tail"]["items"] == 90
    assert slices["popularity"]["head"]["items"] < slices["popularity"]["tail"]["items"]
    assert all(part["users"] >= card.LEAST_USERS for part in slices["city"].values())
    mean = sum(part["users"] * part["ndcg@20"] for part in slices["activity"].values()) / metrics["evaluation"]["users"]
    assert mean == pytest.approx(metrics["evaluation"]["model"]["ndcg@20"])


def test_what_was_chosen_says_what_it_was_compared_with(metrics: dict) -> None:
    choice = metrics["choice"]
    compared = choice["itemitem"]["compared"]
    assert {each["form"] for each in compared} == {"sparse", "dense"}
    assert max(compared, key=lambda each: each["ndcg@20"])["form"] == choice["itemitem"]["form"]
    assert choice["halfLifeDays"]["compared"] == [None, 180.0, 60.0, 20.0]
    assert 0.0 <= metrics["calibration"]["ece"] <= 1.0
    assert metrics["sizes"]["weights"] > 0


def test_the_card_travels_within_its_limit(metrics: dict) -> None:
    whole = travelling.bounded(metrics)
    assert "serving" not in whole
    assert "leftOut" not in whole
    assert len(json.dumps(whole)) < travelling.CARD_BYTES
    less = travelling.bounded(metrics, travelling.size(whole) - 1)
    assert less["leftOut"] == ["training.history"]
    assert travelling.size(less) < travelling.size(whole)
    least = travelling.bounded(metrics, 2_000)
    assert least["evaluation"] == whole["evaluation"]
    assert {"slices", "ablation"} & set(least) == set()


def test_the_summary_of_a_card_is_small_and_of_no_card_empty(metrics: dict) -> None:
    found = travelling.summary(metrics)
    assert found["ndcg@20"] == metrics["evaluation"]["model"]["ndcg@20"]
    assert found["interval"]["ndcg@20"] == list(metrics["evaluation"]["model"]["interval"]["ndcg@20"])
    assert travelling.size(found) < 1_000
    assert travelling.summary({})["ndcg@20"] is None
