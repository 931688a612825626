"""What arrives after the base, what is ranked, and what is told of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.artifact import identified, write_snapshot
from engine.errors import DataError
from engine.interest.data import from_folder, from_snapshot
from engine.interest.incremental import steps_of
from engine.interest.incremental_evaluation import arrive, evaluate_incremental
from engine.interest.training import EncoderSettings
from engine.world import WorldSettings, generate, to_snapshot
from tests.engine.interest.communities import communities, write_folder

SMALL = EncoderSettings(width=16, steps=40, batch_users=64)


def test_a_fifth_of_each_history_arrives_and_the_test_file_is_ranked(tmp_path: Path) -> None:
    write_folder(communities(), tmp_path)
    arrival, bench = arrive(tmp_path, seed=0), from_folder(tmp_path)
    row = arrival.data.positives.row_of
    per_user = np.bincount(row[arrival.arrived], minlength=arrival.data.users)
    assert per_user.tolist() == np.rint(0.2 * arrival.data.positives.degree).tolist()
    assert arrival.test.item.tolist() == bench.test.item.tolist()


def test_on_the_cut_the_test_file_is_not_opened(tmp_path: Path) -> None:
    write_folder(communities(), tmp_path)
    whole = from_folder(tmp_path, with_test=False).data
    (tmp_path / "test.csv").unlink()
    arrival = arrive(tmp_path, seed=0, on_cut=True)
    assert len(arrival.data.positives) + len(arrival.test.item) == len(whole.positives)
    with pytest.raises(DataError, match=r"test\.csv"):
        arrive(tmp_path, seed=0)


def test_in_a_snapshot_the_newest_arrives_and_what_is_newer_still_is_ranked(tmp_path: Path) -> None:
    snapshot = identified(to_snapshot(generate(WorldSettings(users=80, items=60, events=3_000, seed=2))))
    write_snapshot(snapshot, tmp_path / "s")
    arrival, whole = arrive(tmp_path / "s", seed=0), from_snapshot(snapshot)
    age = arrival.data.age_days
    assert age is not None
    assert whole.age_days is not None
    row = arrival.data.positives.row_of
    key = whole.positives.row_of.astype(np.int64) * whole.items + whole.positives.indices
    for place, user in enumerate(arrival.test.user.tolist()):
        items = arrival.test.item[arrival.test.indptr[place] : arrival.test.indptr[place + 1]]
        newest = whole.age_days[np.isin(key, user * whole.items + items.astype(np.int64))]
        known, came = age[(row == user) & ~arrival.arrived], age[(row == user) & arrival.arrived]
        assert newest.max() <= min(came.min(initial=np.inf), known.min())
        assert came.max(initial=-np.inf) <= known.min()


def test_the_three_models_are_told_apart(tmp_path: Path) -> None:
    write_folder(communities(), tmp_path)
    found = evaluate_incremental(tmp_path, settings=SMALL)
    assert set(found["full"]) == set(found["incremental"]) == {"recall@20", "ndcg@20", "seconds"}
    assert set(found["stale"]) == {"recall@20", "ndcg@20"}
    for other in ("full", "stale"):
        told = found[f"incremental_minus_{other}"]
        assert told["ndcg@20"] == pytest.approx(found["incremental"]["ndcg@20"] - found[other]["ndcg@20"])
        assert told["interval"][0] <= told["ndcg@20"] <= told["interval"][1]
    assert found["incremental"]["ndcg@20"] > 0.3
    assert found["n"] == len(arrive(tmp_path, seed=0).test)


def test_a_quarter_of_the_steps_is_taken_and_one_at_least() -> None:
    # 240 steps at most; 60 epochs of 1 batch are 60.
    assert steps_of(EncoderSettings(), 10_000) == 60
    assert steps_of(EncoderSettings(), 300) == 15
    assert steps_of(EncoderSettings(steps=1), 300) == 1
