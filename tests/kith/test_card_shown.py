"""A model card as a person reads it, made of a real training's."""

from __future__ import annotations

from typing import Any

import pytest

from engine import training
from engine.artifact import card as travelling
from engine.artifact import read_artifact
from engine.interest.training import EncoderSettings
from engine.world import WorldSettings, generate
from engine.world.export import to_snapshot
from kith import card


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    snapshot = to_snapshot(generate(WorldSettings(users=160, items=60, events=4000, seed=6)))
    settings = training.TrainSettings(threads=1, recommended=20, encoder=EncoderSettings(width=16, steps=10))
    folder = training.train(snapshot, settings, tmp_path_factory.mktemp("shown") / "m")
    return travelling.bounded(read_artifact(folder).metrics)


def model(metrics: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {
        "modelVersion": "m1",
        "trainedAt": "2026-01-01T00:00:00Z",
        "snapshotId": "s1",
        "codeVersion": "0.1.0",
        "publishedAt": "2026-01-01T00:01:00Z",
        "heldAt": None,
        "publicationSeq": 4,
        "live": True,
        "heldBack": False,
        "comparison": None,
        "card": metrics,
        **given,
    }


def shown(capsys: pytest.CaptureFixture[str], of: dict[str, Any]) -> str:
    card.show(of)
    return capsys.readouterr().out


def test_every_section_is_shown(metrics: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, model(metrics))
    assert "m1: live (publication 4" in text
    for heading in (
        "Data",
        "Chosen on",
        "Metrics on",
        "Parts of the cut",
        "Ablation",
        "Calibration",
        "Size",
        "Seconds",
    ):
        assert f"== {heading}" in text, heading
    measured = metrics["evaluation"]["model"]
    low, high = measured["interval"]["ndcg@20"]
    assert f"{measured['ndcg@20']:.4f} ({low:.4f} to {high:.4f})" in text
    assert "activity quartile 1" in text
    assert "popularity head" in text


def test_a_version_that_is_held_back_says_why(metrics: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    comparison = {"isWorse": True, "rule": "paired", "reason": "it is -0.0100", "champion": "m0"}
    held = model(
        metrics, live=False, heldBack=True, heldAt="2026-01-02T00:00:00Z", publishedAt=None, comparison=comparison
    )
    text = shown(capsys, held)
    assert "held back on 2026-01-02" in text
    assert "compared (paired): worse than m0: it is -0.0100" in text
    text = shown(capsys, model(metrics, comparison={**comparison, "isForced": True}))
    assert "published by force" in text


def test_a_card_of_before_is_shown(metrics: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    evaluation = metrics["evaluation"]
    before = {
        "data": {"users": 5, "items": 4, "positives": 3, "friendships": 2, "relations": ["user.acted.item"]},
        "evaluation": {key: evaluation[key] for key in ("users", "heldOut", "model", "popularity")},
        "training": metrics["training"],
        "ablation": metrics["ablation"],
        "timings": metrics["timings"],
    }
    text = shown(capsys, model(before))
    assert "5 users, 4 items" in text
    assert f"{evaluation['popularity']['ndcg@20']:.4f}" in text
    bare = {"evaluation": {"users": 9, "model": {key: evaluation["model"][key] for key in ("ndcg@20", "interval")}}}
    bare["evaluation"]["model"]["interval"] = {"ndcg@20": [0.0, 1.0]}
    assert "0.0000 to 1.0000" in shown(capsys, model(bare))


@pytest.mark.parametrize("small", [{}, {"evaluation": {"users": 0}}, {"leftOut": ["slices"], "ablation": {}}])
def test_a_card_that_lacks_sections_is_shown(small: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, model(small, live=False))
    assert "published on 2026-01-01" in text
    assert ("too small for a cut" in text) == (small.get("evaluation") is not None)
    assert ("left out" in text) == ("leftOut" in small)


def test_it_is_said_how_a_version_was_trained(metrics: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert "trained in full\n" in shown(capsys, model(metrics))
    lineage = {"kind": "incremental", "base": "m7", "trainings": 2, "full": "m5", "fullWatermarkS": 3}
    nothing = {"users": 0, "heldOut": "nothing: too few users; nothing was compared"}
    choice = {**metrics["choice"], "takenFrom": "m7"}
    text = shown(capsys, model({**metrics, "lineage": lineage, "evaluation": nothing, "choice": choice}))
    assert "trained further from m7, 2 since m5 was trained in full" in text
    assert "== Taken over from m7" in text
    assert "== Metrics: nothing: too few users" in text
    why = {**metrics["lineage"], "why": "6 incremental trainings have followed"}
    assert "in full all the same: 6 incremental" in shown(capsys, model({**metrics, "lineage": why}))
