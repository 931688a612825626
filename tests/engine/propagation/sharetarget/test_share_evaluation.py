"""The protocols end to end on a small world, the metrics by hand, and what a malformed file says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import DataError
from engine.propagation.sharetarget import evaluate
from engine.propagation.sharetarget.boosting import TreeSettings
from engine.propagation.sharetarget.examples import Examples
from engine.propagation.sharetarget.population import count_population, factors
from engine.propagation.sharetarget.ranks import NOT_LISTED, ranks, told
from engine.propagation.sharetarget.rows import read_events, read_links
from engine.propagation.sharetarget.training import RankSettings
from engine.serving.sharetarget.history import History
from engine.serving.sharetarget.signals import GROUPS
from kith.cli import main
from tests.engine.propagation.sharetarget.groups import write_folder

SETTINGS = RankSettings(hidden=8, networks=1, trees=TreeSettings(trees=30))


@pytest.fixture(scope="module", params=[False, True], ids=["frozen", "online"])
def result(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder, test = write_folder(tmp_path_factory.mktemp("shares"))
    return evaluate.evaluate_share_targets(folder, test, online=request.param, seed=3, settings=SETTINGS)


def test_the_keys_are_those_of_the_contract(result: dict[str, Any]) -> None:
    for name in ("mrr@5", "hits@5"):
        assert 0.0 < result[name] <= 1.0
        assert 0.0 <= result["new_pairs"][name] <= 1.0
        low, high = result["interval"][name]
        assert low <= result[name] <= high
    assert result["cold_inviters"] is None
    assert list(result)[-5:] == ["interval", "seed", "seconds", "peak_mb", "n"]
    assert {"full", "small", "counting", "formula_sender", "formula_receiver"} <= set(result["ablation"])
    assert {f"without_{group}" for group in GROUPS} <= set(result["ablation"])


def test_the_blend_is_the_best_of_those_tried(result: dict[str, Any]) -> None:
    tried, chosen = result["chosen"]["tried"], result["chosen"]
    blends = {name: mrr for name, mrr in tried.items() if name.startswith("trees=")}
    assert len(blends) == 2 * 5  # 20 and all 30 trees
    assert blends[f"trees={chosen['trees']} blend={chosen['blend']}"] == max(blends.values())
    # The model compared is the one that was chosen: it scores the cut as the search said.
    assert result["ablation"]["full"]["mrr@5"] == pytest.approx(max(blends.values()), abs=1e-9)


def test_habits_are_learned(result: dict[str, Any]) -> None:
    # Six of ten go to one friend: whoever knows the habits reaches well above this.
    assert result["mrr@5"] > 0.6
    assert result["hits@5"] > 0.9


def test_ranks_by_hand() -> None:
    examples = Examples(
        np.zeros((6, 1), np.float32), np.array([4, 5, 9, 1, 2, 3]), np.array([0, 3, 6, 6]), np.array([1, 5, -1])
    )
    score = np.array([0.5, 0.5, 0.9, 3.0, 2.0, 1.0])
    # 9 is ahead of 5, and 4 has the same score and the lower index; 3 is last of three; the third is no candidate.
    assert ranks(examples, score).tolist() == [3.0, 3.0, NOT_LISTED]


def test_scores_by_hand() -> None:
    found = told(np.array([1.0, 2.0, 6.0, NOT_LISTED]), np.array([7, 7, 8, 9]), seed=0)
    assert found["mrr@5"] == pytest.approx(1.5 / 4)
    assert found["hits@5"] == 0.5
    assert found["n"] == 4
    assert found["interval"]["hits@5"] == pytest.approx((0.0, 1.0))


def test_a_test_file_is_history_only_where_it_may_be(tmp_path: Path) -> None:
    train = "inviter,item,voter,timestamp\n1,1,2,2024-01-01 00:00:00\n"
    (tmp_path / "train.csv").write_text(train)
    (tmp_path / "more.csv").write_text("inviter,item,voter,timestamp\n5,9,2,2024-01-02 00:00:00\n")
    (tmp_path / "test.csv").write_text("inviter,item,voter,timestamp\n1,1,7,2024-01-03 00:00:00\n")
    data = evaluate.read_folder(tmp_path, tmp_path / "test.csv", [tmp_path / "more.csv"])
    assert (len(data.train), len(data.history), len(data.test), data.users) == (1, 2, 1, 4)
    assert data.history.sender.tolist() == [0, 2]
    assert data.test.recipient.tolist() == [3]


def test_a_population_counts_only_what_was(tmp_path: Path) -> None:
    two_days = 2 * 86_400
    history = History.of([0, 0, 1, 2], [0, 1, 1, 1], [1, 1, 2, 1], [0, 86_401, two_days, two_days + 1], users=4)
    people = count_population(history, two_days + 1, seed=0, dimensions=2)
    assert people.counts[:, 0].tolist() == [0, 2, 1, 0]
    assert people.counts[1, 1] == pytest.approx(0.5 + 0.5**0.5, abs=1e-3)  # two days old, one day old
    assert people.counts[:, 2].tolist() == [0, 1, 1, 0]
    assert people.counts[:, 3].tolist() == [2, 1, 0, 0]
    # First meetings: 0 and 1 at the start, when 0 was new; 1 and 2 two days later, when 1 was not. The last is unseen.
    assert people.counts[:, 5] == pytest.approx([0, 0.5, 1.0, 0], abs=1e-3)
    assert people.counts[:, 6] == pytest.approx([0, 0.5, 0.0, 0], abs=1e-3)
    assert people.active.tolist() == [1, 2]


def test_those_who_receive_from_the_same_people_are_alike() -> None:
    # 0 sends to 2 and 3, 1 sends to 4 and 5.
    history = History.of([0, 0, 1, 1], [0, 0, 0, 0], [2, 3, 4, 5], [1, 2, 3, 4], users=6)
    people = count_population(history, 5, seed=0, dimensions=2)
    assert people.alike[[2, 3, 4, 5], 0].tolist() == [3, 2, 5, 4]
    assert people.alike[0].max() == -1  # 0 never received


def test_factors_give_the_matrix_back() -> None:
    rng = np.random.default_rng(0)
    source, target = np.nonzero(rng.random((12, 12)) < 0.4)
    weight = rng.random(len(source)) + 0.5
    dense = np.zeros((12, 12))
    dense[source, target] = weight
    scaled = dense / np.sqrt(np.maximum(dense.sum(1), 1e-9)[:, None] * np.maximum(dense.sum(0), 1e-9)[None])
    sends, receives = factors(source, target, weight, 12, dimensions=3, seed=0)
    left, values, right = np.linalg.svd(scaled)
    best = (left[:, :3] * values[:3]) @ right[:3]
    assert np.allclose(sends @ receives.T, best, atol=2e-2)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("inviter,item,voter\n1,2,3\n", 1, "no column 'timestamp'"),
        ("inviter,item,voter,timestamp\n1,2,3,2024-01-01\n1,x,3,2024-01-01\n", 3, "'x' is no whole number for item"),
        ("inviter,item,voter,timestamp\n1,2,3,yesterday\n", 2, "'yesterday' is not a time"),
        ("inviter,item,voter,timestamp\n1,2,,2024-01-01\n", 2, "is no whole number for voter"),
        ("inviter,item,voter,timestamp\n-1,2,3,2024-01-01\n", 2, "is no whole number for inviter"),
        ("inviter,item,voter,timestamp\n", 2, "there is no row"),
    ],
)
def test_a_malformed_file_exits_two_with_file_line_and_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, line: int, reason: str
) -> None:
    (tmp_path / "train.csv").write_text(text)
    (tmp_path / "test.csv").write_text("inviter,item,voter,timestamp\n1,1,7,2024-01-03\n")
    command = ["evaluate", "share-target", "--data", str(tmp_path), "--test", str(tmp_path / "test.csv")]
    assert main(command) == 2
    told_lines = capsys.readouterr().err.strip().splitlines()
    assert len(told_lines) == 1
    assert f"train.csv: line {line}: " in told_lines[0]
    assert reason in told_lines[0]


def test_missing_files_and_missing_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "share-target", "--data", str(tmp_path)]) == 2
    assert "--test" in capsys.readouterr().err
    with pytest.raises(DataError, match="no such file"):
        read_events(tmp_path / "nothing.csv")
    (tmp_path / "links.csv").write_text("inviter,voter\n1,2\n3,two\n")
    with pytest.raises(DataError, match="line 3: 'two'"):
        read_links(tmp_path / "links.csv")
