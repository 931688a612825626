"""Cold start on worlds whose tastes are known: each path ahead of popularity where it knows something, and not else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.artifact import write_snapshot
from engine.interest.coldstart import evaluate_cold_start
from engine.interest.training import EncoderSettings
from engine.world import WorldSettings, generate
from engine.world.export import to_snapshot
from tests.engine.interest.communities import communities, write_folder

SETTINGS = EncoderSettings(width=16, steps=40, batch_users=64)


def test_friends_of_the_same_taste_help_and_strangers_do_not_hurt(tmp_path: Path) -> None:
    write_folder(communities(), tmp_path)
    result = evaluate_cold_start(tmp_path, draws=1, settings=SETTINGS)
    friends = result["friends"]
    assert friends["users"] == 53  # a third of the 159 with a history
    assert friends["interval"][0] > 0
    assert friends["ahead"] == 1.0
    assert friends["recall@20"] > friends["popularity"]["recall@20"] + 0.2
    assert result["attributes"] is None
    assert result["items"] is None


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("snapshot") / "s"
    world = to_snapshot(generate(WorldSettings(users=500, items=300, events=25_000, seed=1)))
    kind = np.array([f"k{n % 3}" for n in range(len(world.items))], dtype=object)
    write_snapshot(replace(world, items=replace(world.items, columns={**world.items.columns, "line": kind})), folder)
    return folder


def test_a_snapshot_has_every_path(snapshot: Path) -> None:
    result = evaluate_cold_start(snapshot, draws=1, settings=SETTINGS)
    for path in ("friends", "attributes", "friends_and_attributes", "items"):
        found = result[path]
        low, high = found["interval"]
        assert low <= found["difference"] <= high
        assert found["difference"] == pytest.approx(found["ndcg@20"] - found["popularity"]["ndcg@20"])
    lists = result["items_in_lists"]
    assert lists["interval"][0] <= lists["difference"] <= lists["interval"][1]
    assert result["items"]["ahead"] > 0.95
