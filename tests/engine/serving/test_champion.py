"""The rules of champion and challenger at their edges, and two real versions of one shop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from engine import training
from engine.artifact import read_artifact, write_artifact
from engine.errors import ArtifactError
from engine.evaluation import truth_of
from engine.interest.heldout import first_acts
from engine.interest.training import EncoderSettings
from engine.serving.champion import LEAST_PAIRED_USERS, champion_lists, compare, judge_paired, judge_recorded
from engine.serving.lineage import Lineage
from engine.types import NO_TIME, Edges, GraphSnapshot
from engine.world import WorldSettings, generate
from engine.world.export import to_snapshot

SETTINGS = training.TrainSettings(threads=1, recommended=60, encoder=EncoderSettings(width=16, steps=30))


def card(value: float, low: float, high: float) -> dict[str, Any]:
    return {"evaluation": {"model": {"ndcg@20": value, "interval": {"ndcg@20": [low, high]}}}}


@pytest.mark.parametrize(
    ("upper", "is_worse"), [(0.2999, True), (0.3, False), (0.3001, False)], ids=["below", "touching", "above"]
)
def test_recorded_figures_refuse_only_intervals_apart(upper: float, is_worse: bool) -> None:
    verdict = judge_recorded(card(0.28, 0.25, upper), card(0.32, 0.3, 0.34), "m1")
    assert (verdict.is_worse, verdict.rule, verdict.champion) == (is_worse, "recorded", "m1")
    told = verdict.to_json()
    assert (told["champion"], told["championMean"], told["championInterval"]) == ("m1", 0.32, [0.3, 0.34])


@pytest.mark.parametrize("nothing", [{}, {"evaluation": {"users": 0}}, card(float("nan"), float("nan"), float("nan"))])
def test_without_figures_nothing_is_refused(nothing: dict[str, Any]) -> None:
    good = card(0.3, 0.29, 0.31)
    for pair in ((nothing, good), (good, nothing)):
        verdict = judge_recorded(*pair, "m1")
        assert (verdict.is_worse, verdict.rule) == (False, "none")


def test_paired_differences_refuse_what_is_surely_worse() -> None:
    always = np.full(300, -0.01)
    assert judge_paired(always, "m1", {}).is_worse
    assert not judge_paired(np.zeros(300), "m1", {}).is_worse  # the bound is 0, not below it
    assert not judge_paired(-always, "m1", {}).is_worse


def test_the_paired_bound_is_one_sided() -> None:
    # Mean 1.8 standard errors below 0: past 1.645, the one-sided 95 % bound, and short of 1.96, the two-sided one.
    drawn = np.random.default_rng(5).normal(size=400)
    unit = (drawn - drawn.mean()) / drawn.std()
    error = 0.1 / np.sqrt(400)
    verdict = judge_paired(0.1 * unit - 1.8 * error, "m1", {})
    assert verdict.is_worse
    assert verdict.figures["upper"] == pytest.approx((1.645 - 1.8) * error, abs=0.1 * error)
    assert not judge_paired(0.1 * unit - 1.5 * error, "m1", {}).is_worse


def act(kind: int, when: int, count: int = 1) -> tuple[int, int, int]:
    return kind, when, count


def snapshot_of(rows: list[tuple[int, int, tuple[int, int, int]]], world: GraphSnapshot) -> GraphSnapshot:
    user, item, what = zip(*rows, strict=True)
    kind, when, count = np.array(what).T
    columns = {
        "type": kind.astype(np.int8),
        "occurred_at_s": when.astype(np.int64),
        "count": count.astype(np.uint16),
        "rating": np.full(len(rows), np.nan, np.float32),
    }
    none = np.zeros(0, np.int32)
    shares = Edges(none, none, {"occurred_at_s": none.astype(np.int64), "parent": none, "depth": none})
    edges = Edges(np.array(user, np.int32), np.array(item, np.int32), columns)
    return replace(world, interactions=edges, shares=shares)


def test_a_pair_began_with_its_first_act_and_folded_views_hide_when(world: GraphSnapshot) -> None:
    rows = [
        (0, 1, act(1, 900)),
        (0, 1, act(5, 500)),
        (0, 2, act(0, 700, count=1)),
        (1, 2, act(0, 800, count=2)),
        (1, 2, act(1, 900)),
        (2, 3, act(1, NO_TIME)),
    ]
    truth = truth_of(np.array([0, 0, 1, 2, 2]), np.array([1, 2, 2, 3, 4]))
    assert first_acts(snapshot_of(rows, world), truth).tolist() == [500, 700, NO_TIME, NO_TIME, NO_TIME]


@pytest.fixture(scope="module")
def world() -> GraphSnapshot:
    return to_snapshot(generate(WorldSettings(users=700, items=120, events=26_000, seed=2)))


def before(snapshot: GraphSnapshot, until_s: int) -> GraphSnapshot:
    """What an export would have given then, without shares: who is compared does not depend on them."""
    acts, opens = snapshot.interactions, snapshot.opens
    kept = acts.columns["occurred_at_s"] <= until_s
    acts = Edges(acts.source[kept], acts.target[kept], {name: c[kept] for name, c in acts.columns.items()})
    none = np.zeros(0, np.int32)
    shares = Edges(none, none, {name: c[:0] for name, c in snapshot.shares.columns.items()})
    return replace(
        snapshot,
        snapshot_id=f"s{until_s}-early",
        watermark_s=until_s,
        interactions=acts,
        shares=shares,
        sends=Edges(none, none),
        opens=Edges(none, none, {name: c[:0] for name, c in opens.columns.items()}),
        share_ids=snapshot.share_ids[:0],
    )


@pytest.fixture(scope="module")
def versions(world: GraphSnapshot, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    home = tmp_path_factory.mktemp("versions")
    until_s = int(np.quantile(world.interactions.columns["occurred_at_s"], 0.6))
    old = training.train(before(world, until_s), SETTINGS, home / "old")
    return old, training.train(before(world, world.watermark_s), SETTINGS, home / "new")


def judged(challenger: Path, champion: Path) -> Any:
    return compare(challenger, read_artifact(challenger).metrics, champion, read_artifact(champion).metrics)


def rewritten(folder: Path, to: Path, lineage: Lineage | None = None, **changed: NDArray[Any]) -> Path:
    model = read_artifact(folder)
    told = {} if lineage is None else {"lineage": lineage.to_json()}
    write_artifact(
        to,
        model_version=to.name,
        snapshot_id=model.snapshot_id,
        code_version=model.code_version,
        user_ids=model.user_ids,
        item_ids=model.item_ids,
        tables={**load_file(folder / "tables.safetensors"), **changed},
        weights=load_file(folder / "weights.safetensors"),
        metrics={**model.metrics, **told},
    )
    return to


def test_a_version_that_knows_more_is_compared_on_what_neither_has_seen(versions: tuple[Path, Path]) -> None:
    old, new = versions
    verdict = judged(new, old)
    assert verdict.rule == "paired"
    assert not verdict.is_worse
    assert verdict.figures["users"] >= LEAST_PAIRED_USERS
    difference = verdict.figures["challengerMean"] - verdict.figures["championMean"]
    assert verdict.figures["difference"] == pytest.approx(difference)
    assert difference <= verdict.figures["upper"]


def test_what_was_compared_is_newer_than_the_champions_snapshot(versions: tuple[Path, Path]) -> None:
    old, new = versions
    tables = load_file(new / "tables.safetensors")
    late = tables["heldout_first_at_s"] > read_artifact(old).metrics["data"]["snapshot"]["watermarkS"] + 300
    rows = np.repeat(np.arange(len(tables["heldout_user"])), np.diff(tables["heldout_indptr"]))
    new_names = read_artifact(new).user_ids[tables["heldout_user"][np.unique(rows[late])]]
    other = load_file(old / "tables.safetensors")["heldout_user"]
    assert judged(new, old).figures["users"] == len(set(new_names) & set(read_artifact(old).user_ids[other]))


def test_a_challenger_that_ranks_blindly_is_worse(versions: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = versions
    lists = load_file(new / "tables.safetensors")["heldout_list"]
    blind = np.random.default_rng(0).permuted(np.tile(np.arange(120, dtype=np.int32), (len(lists), 1)), axis=1)
    verdict = judged(rewritten(new, tmp_path / "blind", heldout_list=blind[:, :100].copy()), old)
    assert (verdict.rule, verdict.is_worse) == ("paired", True)
    assert verdict.figures["upper"] < 0


def test_a_champion_that_ranks_blindly_loses(versions: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = versions
    shape = load_file(old / "tables.safetensors")["heldout_list"].shape
    blind = np.random.default_rng(0).permuted(np.tile(np.arange(120, dtype=np.int32), (shape[0], 1)), axis=1)
    verdict = judged(new, rewritten(old, tmp_path / "blind", heldout_list=blind[:, : shape[1]].copy()))
    assert (verdict.rule, verdict.is_worse) == ("paired", False)
    assert verdict.figures["difference"] > 0


def test_the_champions_list_is_without_what_the_user_knows_by_now() -> None:
    ids = np.array(["a", "b", "c", "d"], dtype=object)
    tables = {
        "user": np.array([0, 1]),
        "user_ids": np.array(["u0", "u1"], dtype=object),
        "item_ids": ids,
        "known_indptr": np.array([0, 2, 2]),
        "known_item": np.array([0, 2]),
    }
    older = {
        "user": np.array([1]),
        "user_ids": np.array(["t", "u0"], dtype=object),
        "item_ids": np.array(["c", "gone", "d", "a", "b"], dtype=object),
        "list": np.array([[3, 2, 1, 4, 0, -1]], dtype=np.int32),
    }
    kept, lists = champion_lists(tables, older, np.array([0, 1]))
    assert kept.tolist() == [0]  # u1 is not in the champion's cut
    assert lists[0, :3].tolist() == [3, 1, -1]  # a and c are known, one item is gone: d, b
    assert lists.shape == (1, 20)


def test_a_champion_of_the_same_time_is_compared_by_its_card(versions: tuple[Path, Path]) -> None:
    _, new = versions
    verdict = judged(new, new)
    assert (verdict.rule, verdict.is_worse) == ("recorded", False)
    assert verdict.figures["whyNotPaired"].startswith("0 users")


def test_a_champion_whose_folder_is_gone_is_compared_by_its_card(versions: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = versions
    metrics = read_artifact(old).metrics
    verdict = compare(new, read_artifact(new).metrics, tmp_path / "m-gone", metrics)
    assert verdict.rule == "recorded"
    assert "not on this machine" in verdict.figures["whyNotPaired"]


FURTHER = Lineage("old", 1, "old", 0)


def blind_lists(folder: Path, table: str) -> NDArray[np.int32]:
    shape = load_file(folder / "tables.safetensors")[table].shape
    drawn = np.random.default_rng(0).permuted(np.tile(np.arange(120, dtype=np.int32), (shape[0], 1)), axis=1)
    return drawn[:, : shape[1]].copy()


def test_a_version_trained_further_is_compared_with_the_published_lists(
    versions: tuple[Path, Path], tmp_path: Path
) -> None:
    old, new = versions
    further = rewritten(new, tmp_path / "further", FURTHER)
    verdict = judged(further, old)
    assert verdict.rule == "paired"
    # By hand: the champion's published items that the user does not know by now, for users with newer held-out items.
    tables, published = (
        load_file(new / "tables.safetensors"),
        load_file(old / "tables.safetensors")["recommended_target"],
    )
    ids, old_ids = read_artifact(new), read_artifact(old)
    late = tables["heldout_first_at_s"] > old_ids.metrics["data"]["snapshot"]["watermarkS"] + 300
    item_of, user_of = old_ids.item_ids.tolist(), old_ids.user_ids.tolist()
    found = []
    for row, user in enumerate(tables["heldout_user"].tolist()):
        start, stop = tables["heldout_indptr"][row : row + 2]
        held = set(ids.item_ids[tables["heldout_item"][start:stop][late[start:stop]]].tolist())
        if not held or ids.user_ids[user] not in user_of:
            continue
        start, stop = tables["heldout_known_indptr"][row : row + 2]
        known = set(ids.item_ids[tables["heldout_known_item"][start:stop]].tolist())
        listed = [item_of[place] for place in published[user_of.index(ids.user_ids[user])] if place >= 0]
        top = [name for name in listed if name not in known][:20]
        gain = sum(1 / np.log2(rank + 2) for rank, name in enumerate(top) if name in held)
        found.append(gain / sum(1 / np.log2(rank + 2) for rank in range(min(len(held), 20))))
    assert verdict.figures["users"] == len(found)
    assert verdict.figures["championMean"] == pytest.approx(np.mean(found))


def test_what_the_champions_cut_lists_does_not_count_for_a_version_trained_further(
    versions: tuple[Path, Path], tmp_path: Path
) -> None:
    old, new = versions
    further = rewritten(new, tmp_path / "further", FURTHER)
    told = judged(further, old).figures
    of_cut = rewritten(old, tmp_path / "cut", heldout_list=blind_lists(old, "heldout_list"))
    assert judged(further, of_cut).figures["difference"] == told["difference"]
    of_all = rewritten(old, tmp_path / "all", recommended_target=blind_lists(old, "recommended_target"))
    assert judged(further, of_all).figures["difference"] > told["difference"]
    blind = rewritten(new, tmp_path / "blind", FURTHER, heldout_list=blind_lists(new, "heldout_list"))
    assert judged(blind, old).is_worse


def test_a_version_trained_further_is_never_compared_by_its_card(versions: tuple[Path, Path], tmp_path: Path) -> None:
    _, new = versions
    verdict = judged(rewritten(new, tmp_path / "further", FURTHER), new)
    assert (verdict.rule, verdict.is_worse) == ("none", False)
    assert verdict.reason.startswith("nothing was compared: 0 users")


def test_a_full_version_is_not_compared_with_one_trained_further(versions: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = versions
    verdict = judged(new, rewritten(old, tmp_path / "further", FURTHER))
    assert (verdict.rule, verdict.is_worse) == ("none", False)
    assert "nothing was compared" in verdict.reason


@pytest.mark.parametrize(
    ("table", "value"),
    [("heldout_item", 120), ("heldout_known_item", -1), ("heldout_list", -2), ("heldout_user", 10_000)],
)
def test_held_out_tables_that_contradict_themselves_are_refused(
    versions: tuple[Path, Path], tmp_path: Path, table: str, value: int
) -> None:
    old, new = versions
    changed = load_file(new / "tables.safetensors")[table].copy()
    changed[-1] = value
    with pytest.raises(ArtifactError, match=table):
        judged(rewritten(new, tmp_path / "bad", **{table: changed}), old)
