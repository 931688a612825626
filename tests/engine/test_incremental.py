"""Training on from a version: what stays, what is new, what is held out, what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import training
from engine.artifact import identified, read_artifact, read_tables, read_weights, write_artifact, write_snapshot
from engine.errors import ArtifactError, DataError
from engine.interest import fitted, incremental
from engine.interest.base import Base, Limits, read_base
from engine.interest.data import POSITIVE_WEIGHTS, from_snapshot
from engine.interest.incremental import advance, newer_cut
from engine.interest.training import EncoderSettings
from engine.serving.champion import LATE_S
from engine.serving.lineage import Lineage
from engine.types import Edges, GraphSnapshot, Nodes
from engine.world import WorldSettings, generate
from engine.world.export import to_snapshot

SETTINGS = training.TrainSettings(threads=1, recommended=60, encoder=EncoderSettings(width=16, steps=30))
DAY_S = 86_400


def part(edges: Edges, kept: np.ndarray) -> Edges:
    return Edges(edges.source[kept], edges.target[kept], {name: c[kept] for name, c in edges.columns.items()})


def without_newcomers(snapshot: GraphSnapshot, users: int, items: int, until_s: int) -> GraphSnapshot:
    """The snapshot as it was: without its last users and items, without what happened later, without shares."""
    acts, none = snapshot.interactions, np.zeros(0, np.int32)
    old = (acts.source < users) & (acts.target < items) & (acts.columns["occurred_at_s"] <= until_s)
    among = {
        name: part(edges, (edges.source < users) & (edges.target < users))
        for name, edges in (("friends", snapshot.friends), ("follows", snapshot.follows))
    }
    return identified(
        replace(
            snapshot,
            watermark_s=until_s,
            users=Nodes(snapshot.users.ids[:users], {n: c[:users] for n, c in snapshot.users.columns.items()}),
            items=Nodes(snapshot.items.ids[:items], {n: c[:items] for n, c in snapshot.items.columns.items()}),
            interactions=part(acts, old),
            shares=part(snapshot.shares, np.zeros(len(snapshot.shares), bool)),
            sends=Edges(none, none),
            opens=part(snapshot.opens, np.zeros(len(snapshot.opens), bool)),
            share_ids=snapshot.share_ids[:0],
            **among,
        )
    )


@pytest.fixture(scope="module")
def now() -> GraphSnapshot:
    world = to_snapshot(generate(WorldSettings(users=240, items=110, events=9_000, seed=1)))
    return without_newcomers(world, 240, 110, world.watermark_s)


@pytest.fixture(scope="module")
def before(now: GraphSnapshot) -> GraphSnapshot:
    return without_newcomers(now, 220, 100, now.watermark_s - 6 * DAY_S)


@pytest.fixture(scope="module")
def base_folder(before: GraphSnapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training.train(before, SETTINGS, tmp_path_factory.mktemp("base") / "b")


@pytest.fixture(scope="module")
def base(base_folder: Path) -> Base:
    return read_base(base_folder)


@pytest.fixture(scope="module")
def further(now: GraphSnapshot, base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training.train(now, SETTINGS, tmp_path_factory.mktemp("next") / "n", base=base_folder)


def test_without_a_step_on_the_same_graph_nothing_moves(before: GraphSnapshot, base: Base, base_folder: Path) -> None:
    data = from_snapshot(before, POSITIVE_WEIGHTS, base.recipes)
    ranker = advance(data, base.start, fitted.known_rows(base, before), SETTINGS.encoder, steps=0)
    tables = read_tables(base_folder)
    assert np.allclose(ranker.user_embedding, tables["user_embedding"], atol=1e-5)
    assert np.allclose(ranker.models.encoder.item_embedding, tables["item_embedding"], atol=1e-5)
    for name in ("user_layer0", "user_layer1", "item_layer0"):
        kind, depth = name.split("_layer")
        assert np.allclose(ranker.models.encoder.layers[int(depth)][kind], tables[name], atol=1e-4), name


def test_newcomers_start_from_what_the_encoder_gives_them(now: GraphSnapshot, base: Base) -> None:
    data = from_snapshot(now, POSITIVE_WEIGHTS, base.recipes)
    ranker = advance(data, base.start, fitted.known_rows(base, now), SETTINGS.encoder, steps=0)
    layer0 = ranker.models.encoder.layers[0]
    for kind, first in (("user", 220), ("item", 100)):
        described = incremental.features_of(data, kind).project(base.start.projection[kind])
        assert np.allclose(layer0[kind][first:], described[first:], atol=1e-5)
        assert np.allclose(layer0[kind][:first] - described[:first], base.start.ids[kind], atol=1e-4)
    length = np.linalg.norm(ranker.models.encoder.item_embedding[100:], axis=1)
    assert np.allclose(length, 1.0, atol=1e-4)


def test_the_version_says_what_it_went_on_from(base_folder: Path, further: Path, now: GraphSnapshot) -> None:
    base, model = read_artifact(base_folder), read_artifact(further)
    assert base.metrics["lineage"] == {
        "kind": "full",
        "base": None,
        "trainings": 0,
        "full": base.model_version,
        "fullWatermarkS": now.watermark_s - 6 * DAY_S,
    }
    assert model.metrics["lineage"] == {
        **base.metrics["lineage"],
        "kind": "incremental",
        "base": base.model_version,
        "trainings": 1,
    }
    assert model.user_embedding.shape == (240, 16)
    assert np.isfinite(model.recommended.score).all()
    assert model.metrics["serving"]["blend"] == base.metrics["serving"]["blend"]
    assert model.metrics["choice"]["takenFrom"] == base.model_version


def test_the_same_base_snapshot_and_seed_give_the_same_bytes(
    now: GraphSnapshot, base_folder: Path, further: Path, tmp_path: Path
) -> None:
    again = training.train(now, SETTINGS, tmp_path / "again", base=base_folder)
    for name in ("manifest.json", "tables.safetensors", "weights.safetensors", "metrics.json"):
        assert (again / name).read_bytes() == (further / name).read_bytes(), name


def test_another_base_gives_another_name(now: GraphSnapshot, base: Base) -> None:
    names = {
        training.derived_version(now, SETTINGS),
        training.derived_version(now, SETTINGS, base),
        training.derived_version(now, SETTINGS, replace(base, model_version="another")),
    }
    assert len(names) == 3


def test_the_cut_holds_no_pair_that_the_base_may_have_seen(now: GraphSnapshot, further: Path, base: Base) -> None:
    tables = read_tables(further)
    first = tables["heldout_first_at_s"]
    assert len(first) > 0
    assert (first > base.watermark_s + LATE_S).all()
    # By hand, from the acts themselves: the first act of every pair that is held out.
    acts = now.interactions
    user = np.repeat(tables["heldout_user"], np.diff(tables["heldout_indptr"]))
    for u, i in zip(user.tolist(), tables["heldout_item"].tolist(), strict=True):
        assert acts.columns["occurred_at_s"][(acts.source == u) & (acts.target == i)].min() > base.watermark_s
    card = read_artifact(further).metrics["evaluation"]
    assert card["users"] == len(tables["heldout_user"])
    assert base.model_version in card["heldOut"]


def test_with_too_little_that_is_newer_nothing_is_compared(
    before: GraphSnapshot, base_folder: Path, tmp_path: Path
) -> None:
    model = read_artifact(training.train(before, SETTINGS, tmp_path / "n", base=base_folder))
    assert model.metrics["evaluation"]["users"] == 0
    assert "nothing was compared" in model.metrics["evaluation"]["heldOut"]
    assert len(read_tables(tmp_path / "n")["heldout_user"]) == 0


def test_what_is_newer_is_told_by_the_first_act_alone(now: GraphSnapshot, base: Base) -> None:
    data = from_snapshot(now, POSITIVE_WEIGHTS, base.recipes)
    is_newer = fitted.newer_than(now, data, base.watermark_s)
    assert 0 < is_newer.sum() < len(is_newer)
    cut = newer_cut(data, is_newer, seed=0)
    assert not len(cut.validation)
    assert not len(cut.cold)
    assert len(newer_cut(data, np.zeros_like(is_newer), seed=0).test) == 0


def test_a_chain_ends_in_a_full_training(now: GraphSnapshot, further: Path, tmp_path: Path) -> None:
    full = read_artifact(training.train(now, SETTINGS, tmp_path / "f", base=further, limits=Limits(trainings=1)))
    lineage = full.metrics["lineage"]
    assert (lineage["kind"], lineage["base"], lineage["full"]) == ("full", None, full.model_version)
    assert "1 incremental trainings have followed" in lineage["why"]
    assert full.model_version == training.derived_version(now, SETTINGS)


@pytest.mark.parametrize(("days", "is_due"), [(7.0, False), (6.0, False), (5.9, True)])
def test_a_full_training_is_due_by_the_age_of_the_last(
    base: Base, now: GraphSnapshot, days: float, is_due: bool
) -> None:
    assert bool(base.full_is_due(now.watermark_s, Limits(days=days))) is is_due


def test_a_chain_counts_from_the_full_training(base: Base, now: GraphSnapshot) -> None:
    long = replace(base, lineage=Lineage("m5", 6, "m0", now.watermark_s))
    assert "6 incremental trainings" in long.full_is_due(now.watermark_s, Limits())
    assert not long.full_is_due(now.watermark_s, Limits(trainings=7))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"encoder": EncoderSettings(width=32, steps=30)}, "width 16, this run 32"),
        ({"encoder": EncoderSettings(width=16, steps=30, layers=1)}, "layers"),
        ({"positive_weights": {"LIKED": 1.0}}, "counts as interest"),
    ],
    ids=["width", "layers", "positives"],
)
def test_other_settings_are_refused(
    now: GraphSnapshot, base_folder: Path, tmp_path: Path, changed: dict[str, object], named: str
) -> None:
    with pytest.raises(DataError, match=named) as told:
        training.train(now, replace(SETTINGS, **changed), tmp_path / "n", base=base_folder)
    assert "train in full" in str(told.value)
    assert not (tmp_path / "n").exists()


def test_other_attributes_are_refused(now: GraphSnapshot, base_folder: Path, tmp_path: Path) -> None:
    colours = np.array(["red", "blue"] * 55, dtype=object)
    columns = {name: c for name, c in now.items.columns.items() if name != "category"}
    for changed, named in (({**columns, "colour": colours}, "category"), (columns, "no longer described by category")):
        other = replace(now, items=Nodes(now.items.ids, changed))
        with pytest.raises(DataError, match=named):
            training.train(other, SETTINGS, tmp_path / "n", base=base_folder)


def test_a_base_of_other_people_is_refused(now: GraphSnapshot, base_folder: Path, tmp_path: Path) -> None:
    strangers = np.array([f"x{name}" for name in now.users.ids], dtype=object)
    other = replace(now, users=Nodes(strangers, now.users.columns))
    with pytest.raises(DataError, match="240 of 240 users are not in"):
        training.train(other, SETTINGS, tmp_path / "n", base=base_folder)


def test_a_damaged_or_missing_base_is_refused(now: GraphSnapshot, base_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="train in full"):
        training.train(now, SETTINGS, tmp_path / "n", base=tmp_path / "nowhere")
    damaged = Path(shutil.copytree(base_folder, tmp_path / "damaged"))
    content = bytearray((damaged / "tables.safetensors").read_bytes())
    content[-1] ^= 1
    (damaged / "tables.safetensors").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"damaged or altered.*train in full"):
        training.train(now, SETTINGS, tmp_path / "n", base=damaged)


@pytest.mark.parametrize("missing", ["user_id_vector", "item_id_vector"])
def test_a_folder_of_an_older_form_is_refused(base_folder: Path, tmp_path: Path, missing: str) -> None:
    model = read_artifact(base_folder)
    write_artifact(
        tmp_path / "old",
        model_version=model.model_version,
        snapshot_id=model.snapshot_id,
        code_version=model.code_version,
        user_ids=model.user_ids,
        item_ids=model.item_ids,
        tables={name: each for name, each in read_tables(base_folder).items() if name != missing},
        weights=read_weights(base_folder),
        metrics=model.metrics,
    )
    with pytest.raises(ArtifactError, match="train in full"):
        read_base(tmp_path / "old")


def test_the_command_takes_a_base(now: GraphSnapshot, base_folder: Path, tmp_path: Path) -> None:
    write_snapshot(now, tmp_path / "s")
    (tmp_path / "settings.json").write_text(json.dumps({"encoder": {"width": 16}}))
    command = [sys.executable, "-m", "engine.training", "--from", str(tmp_path / "s"), "--threads", "1"]
    command += ["--settings", str(tmp_path / "settings.json"), "--epochs", "4", "--base", str(base_folder)]
    run = subprocess.run([*command, "--out", str(tmp_path / "m")], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert read_artifact(tmp_path / "m").metrics["lineage"]["trainings"] == 1
    run = subprocess.run(
        [*command[:-1], str(tmp_path / "none"), "--out", str(tmp_path / "x")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "train in full" in run.stderr.strip().splitlines()[-1]
