"""The recipe on small generated worlds: a whole model folder, the same bytes again, odd graphs, clear errors."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import training
from engine.artifact import read_artifact, read_tables, read_weights, write_snapshot
from engine.errors import DataError
from engine.interest.training import EncoderSettings
from engine.lists import strongest
from engine.serving.bundle import load
from engine.serving.sharetarget.ranker import Ranker
from engine.types import EdgeProbabilities, Edges, GraphSnapshot, Nodes
from engine.world import WorldSettings, generate
from engine.world.export import to_snapshot

SETTINGS = training.TrainSettings(threads=1, recommended=30, encoder=EncoderSettings(width=16, steps=30))


@pytest.fixture(scope="module")
def snapshot() -> GraphSnapshot:
    return to_snapshot(generate(WorldSettings(users=200, items=100, events=6000, seed=1)))


@pytest.fixture(scope="module")
def folder(snapshot: GraphSnapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training.train(snapshot, SETTINGS, tmp_path_factory.mktemp("model") / "m")


def test_the_folder_holds_everything_publication_needs(snapshot: GraphSnapshot, folder: Path) -> None:
    model = read_artifact(folder)
    assert model.snapshot_id == snapshot.snapshot_id
    assert model.user_ids.tolist() == snapshot.users.ids.tolist()
    assert model.user_embedding.shape == (200, 16)
    assert np.allclose(np.linalg.norm(model.item_embedding, axis=1), 1.0, atol=1e-4)
    assert model.recommended.target.shape == (200, 30)
    assert (model.influence_score >= 1).all()
    assert (np.diff(model.recommended.score[:, :10], axis=1) <= 0).all()
    assert (model.similar.target != np.arange(100)[:, None]).all()
    assert ((model.influences.score > 0) == (model.influences.target >= 0)).all()


def test_nothing_a_user_acted_on_is_recommended(snapshot: GraphSnapshot, folder: Path) -> None:
    lists = read_artifact(folder).recommended.target
    acted = set(zip(snapshot.interactions.source.tolist(), snapshot.interactions.target.tolist(), strict=True))
    assert not acted & {(user, item) for user, row in enumerate(lists.tolist()) for item in row}


def test_share_targets_are_learned_or_it_is_said_why_not(snapshot: GraphSnapshot, folder: Path) -> None:
    card = read_artifact(folder).metrics["shareTargets"]
    ranker = Ranker.from_folder(read_tables(folder), read_weights(folder), snapshot.users.ids)
    assert card["learned"] == (ranker is not None)
    assert card["learned"] or "are needed" in card["reason"]


def test_the_metrics_are_a_model_card(folder: Path) -> None:
    metrics = read_artifact(folder).metrics
    assert metrics["positives"]["weights"]["PURCHASED"] == 2.0
    assert metrics["training"]["device"] in ("cpu", "cuda")
    assert metrics["evaluation"]["model"]["ndcg@20"] > metrics["evaluation"]["popularity"]["ndcg@20"]
    assert metrics["timings"]["epochS"] > 0
    assert {"blend", "without_graphsage", "only_popularity"} <= set(metrics["ablation"])


def test_the_same_snapshot_and_seed_give_the_same_bytes(snapshot: GraphSnapshot, folder: Path, tmp_path: Path) -> None:
    again = training.train(snapshot, SETTINGS, tmp_path / "again")
    for name in ("manifest.json", "tables.safetensors", "weights.safetensors", "metrics.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes(), name


def test_a_newcomer_is_served_from_the_folder(snapshot: GraphSnapshot, folder: Path) -> None:
    bundle = load(folder)
    acted = snapshot.interactions.target[snapshot.interactions.source == 7]
    assert float(bundle.embed_user(np.unique(acted)) @ bundle.artifact.user_embedding[7]) > 0.4


def bare(users: int, items: int, pairs: list[tuple[int, int]]) -> GraphSnapshot:
    """A snapshot of likes and nothing else."""
    none = np.zeros(0, np.int32)
    likes = np.array(pairs, dtype=np.int32).reshape(-1, 2)
    size = len(likes)
    empty_shares = {"occurred_at_s": none.astype(np.int64), "parent": none, "depth": none}
    return GraphSnapshot(
        snapshot_id="bare",
        watermark_s=0,
        users=Nodes(np.array([f"u{i}" for i in range(users)], dtype=object)),
        items=Nodes(np.array([f"i{i}" for i in range(items)], dtype=object)),
        interactions=Edges(
            likes[:, 0],
            likes[:, 1],
            {
                "type": np.ones(size, np.int8),
                "rating": np.full(size, np.nan, np.float32),
                "occurred_at_s": np.full(size, -1, np.int64),
                "count": np.ones(size, np.uint16),
            },
        ),
        friends=Edges(none, none, {"strength": none.astype(np.float32), "since_s": none.astype(np.int64)}),
        follows=Edges(none, none, {"since_s": none.astype(np.int64)}),
        shares=Edges(none, none, empty_shares),
        sends=Edges(none, none),
        opens=Edges(none, none, {"occurred_at_s": none.astype(np.int64)}),
        share_ids=np.zeros(0, dtype=object),
    )


@pytest.mark.parametrize(
    ("users", "items", "pairs"),
    [
        (3, 2, [(0, 0), (1, 1), (2, 0)]),
        (1, 1, [(0, 0)]),
        (3, 5, [(0, 0), (0, 1), (0, 2)]),
        (30, 4, [(u, u % 4) for u in range(30)]),
    ],
)
def test_tiny_graphs_without_ties_and_attributes_train(
    tmp_path: Path, users: int, items: int, pairs: list[tuple[int, int]]
) -> None:
    model = read_artifact(training.train(bare(users, items, pairs), SETTINGS, tmp_path / "m"))
    assert model.recommended.target.shape == (users, min(30, items))
    assert np.isfinite(model.user_embedding).all()


def test_a_snapshot_without_interactions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        training.train(bare(3, 3, []), SETTINGS, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_strongest_targets_by_hand() -> None:
    edges = EdgeProbabilities(
        np.array([1, 1, 1, 0], np.int32),
        np.array([2, 0, 3, 1], np.int32),
        np.array([0.2, 0.9, 0.2, 0.0], np.float32),
        4,
    )
    lists = strongest(edges, 2)
    assert lists.target.tolist() == [[-1, -1], [0, 2], [-1, -1], [-1, -1]]
    assert lists.score[1] == pytest.approx([0.9, 0.2])


def test_the_version_follows_from_the_input(snapshot: GraphSnapshot) -> None:
    name = training.derived_version(snapshot, SETTINGS)
    assert name == training.derived_version(snapshot, replace(SETTINGS, model_version="x"))
    assert name != training.derived_version(snapshot, replace(SETTINGS, seed=1))


def test_the_command_reports_progress_and_says_what_failed(tmp_path: Path) -> None:
    write_snapshot(bare(4, 3, [(0, 0), (1, 1), (2, 2), (3, 0)]), tmp_path / "s")
    command = [sys.executable, "-m", "engine.training", "--from", str(tmp_path / "s"), "--threads", "1"]
    run = subprocess.run(
        [*command, "--out", str(tmp_path / "m"), "--epochs", "2", "--progress-json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    events = [json.loads(line) for line in run.stdout.splitlines()]
    assert all({"stage", "done", "total", "message"} <= set(event) for event in events)
    assert events[-1]["stage"] == "done"
    run = subprocess.run([*command, "--out", str(tmp_path / "m")], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.strip().splitlines()[-1].startswith("training failed: ")
