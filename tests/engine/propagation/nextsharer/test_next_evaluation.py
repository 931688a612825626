"""The protocol of `kith evaluate next-sharer`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from engine.propagation.nextsharer.evaluate import cut, evaluate_next_sharer
from engine.propagation.nextsharer.signals import GROUPS, NAMES
from kith.cli import main
from tests.engine.propagation.nextsharer.made_cascades import chains, written

PUBLIC_DATA = Path(os.environ.get("TEST_DATA", Path(__file__).parents[5] / "shared" / "data"))
"""Where public benchmark folders lie, if they are there."""
KEYS = {"hits@10", "hits@50", "hits@100", "map@10", "map@50", "map@100"}


def folder_of(path: Path, rows: list[list[int]]) -> Path:
    (path / "cascades.txt").write_text(written(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def rows() -> list[list[int]]:
    return chains(200, 4)


def test_cuts_are_those_of_the_published_protocol():
    assert cut(589) == (471, 530)
    assert cut(3_435) == (2_748, 3_091)


def test_every_group_names_signals():
    assert all(name in NAMES for group in GROUPS.values() for name in group)
    assert len(set(NAMES)) == len(NAMES)


def test_the_keys_are_those_of_the_contract(rows, tmp_path, capsys):
    assert main(["evaluate", "next-sharer", "--data", str(folder_of(tmp_path, rows)), "--seed", "3"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(found) >= KEYS | {"with_end", "interval", "ablation"}
    assert list(found)[-4:] == ["seed", "seconds", "peak_mb", "n"]
    assert set(found["with_end"]) == KEYS | {"n"}
    assert found["cascades"] == {"train": 160, "choose": 20, "test": 20}
    assert found["n"] == 20 * 4  # five users a cascade, the first is not asked for
    assert found["with_end"]["n"] == 20 * 5
    assert set(found["ablation"]) >= {"full", "counting", "popularity", "small", "n"} | {f"without_{g}" for g in GROUPS}
    assert found["ablation"]["n"] == 20 * 4
    for name, (low, high) in found["interval"].items():
        assert low <= found[name] <= high
    assert found["hits@10"] > 0.5  # two of the four are the chain's, one may be; strangers come at random
    assert found["map@10"] > found["ablation"]["popularity"]["map@10"]


def test_nothing_that_is_chosen_depends_on_the_test_and_a_seed_repeats(rows, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    train, chosen = cut(len(rows))
    shuffled = [[int(user) for user in rng.permutation(60)[:5]] for _ in rows[chosen:]]
    first = evaluate_next_sharer(folder_of(tmp_path / "a", rows))
    other = evaluate_next_sharer(folder_of(tmp_path / "b", [*rows[:chosen], *shuffled]))
    again = evaluate_next_sharer(tmp_path / "a")
    assert first["ablation"] == other["ablation"]
    assert first["tried"] == other["tried"]
    assert first["counting"]["settings"] == other["counting"]["settings"]
    assert other["map@100"] < first["map@100"]
    for name in ("seconds", "peak_mb"):
        first.pop(name), again.pop(name)
    assert first == again
    assert train == 160


def test_rolling_cuts_never_read_the_last_tenth(rows, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = evaluate_next_sharer(folder_of(tmp_path / "a", rows), rolling=True)
    reversed_ = [row[::-1] for row in rows[180:]]
    other = evaluate_next_sharer(folder_of(tmp_path / "b", [*rows[:180], *reversed_]), rolling=True)
    assert [each["origin"] for each in first["origins"]] == [0.4, 0.5, 0.6, 0.7, 0.8]
    assert first["origins"] == other["origins"]
    assert first["n"] == 5 * 20 * 4
    pooled = first["hits@100"] - first["counting"]["hits@100"]
    assert first["against_counting"]["hits@100"] == pytest.approx(pooled)


def test_bad_input_ends_with_one_line(tmp_path, capsys):
    ask = ["evaluate", "next-sharer", "--data", str(tmp_path)]
    for text, problem in (
        ("1 10,2 20,\n", "cascades.txt: line 1: 1 cascades of 2 to 500 users; at least 100 are needed"),
        ("1 10,2 20,\n1 x,\n", "cascades.txt: line 2: a user or a time is not a number"),
    ):
        (tmp_path / "cascades.txt").write_text(text)
        assert main(ask) == 2
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1
        assert problem in said[0]
    (tmp_path / "cascades.txt").write_text("1 10,2 20,\n")
    (tmp_path / "edges.txt").write_text("1 2\n")
    assert main(ask) == 2
    assert "edges.txt: line 1: '1 2' is not USER,USER" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "n", "hits", "map_"), [("twitter_cascades", 7_861, 0.62, 0.26), ("christianity", 389, 0.594, 0.121)]
)
def test_the_bars_on_public_data(name, n, hits, map_):
    folder = PUBLIC_DATA / name
    if not folder.is_dir():
        pytest.skip(f"no public data in {PUBLIC_DATA}")
    found = evaluate_next_sharer(folder)
    assert found["n"] == n
    assert found["hits@100"] > hits
    assert found["map@100"] > map_
