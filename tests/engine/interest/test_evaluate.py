"""The benchmark protocol end to end on a small folder, and the ranker behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.evaluation import truth_of
from engine.interest import evaluate
from engine.interest.training import EncoderSettings
from tests.engine.interest.communities import communities, write_folder

SETTINGS = EncoderSettings(width=16, steps=40, batch_users=64)
METRICS = ("recall@10", "recall@20", "ndcg@10", "ndcg@20", "precision@10", "precision@20", "hit@10", "coverage@20")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("bench")
    write_folder(communities(), folder)
    return evaluate.evaluate_interest(folder, seed=3, settings=SETTINGS)


def test_the_keys_are_those_of_the_contract(result: dict[str, Any]) -> None:
    assert all(0.0 <= result[name] <= 1.0 for name in METRICS)
    assert {*METRICS, "n"} <= set(result["cold"])
    assert result["cold"]["n"] == 1
    assert {"blend", "without_friends", "without_graphsage", "without_itemitem", "only_graphsage"} <= set(
        result["ablation"]
    )
    low, high = result["interval"]["ndcg@20"]
    assert low <= result["ndcg@20"] <= high
    assert list(result)[-4:] == ["seed", "seconds", "peak_mb", "n"]
    assert result["seed"] == 3


def test_known_communities_are_found(result: dict[str, Any]) -> None:
    assert result["recall@20"] > 0.7


def test_a_folder_without_friends_has_no_slice_of_them(tmp_path: Path) -> None:
    write_folder(communities(), tmp_path)
    (tmp_path / "social.csv").unlink()
    rows = [line for line in (tmp_path / "test.csv").read_text().splitlines() if not line.startswith("0,")]
    (tmp_path / "test.csv").write_text("\n".join(rows) + "\n")
    result = evaluate.evaluate_interest(tmp_path, settings=SETTINGS)
    assert result["cold"] is None
    assert not {"only_friends", "only_circle"} & set(result["ablation"])


def test_popularity_is_measured_with_known_items_masked() -> None:
    data = communities()
    count = np.bincount(data.positives.indices, minlength=data.items)
    order = [i for i in np.argsort(-count, kind="stable") if i not in data.positives.take(np.array([5])).indices]
    truth = truth_of(np.array([5, 5]), np.array([order[0], order[19]]))
    values = evaluate.measure_popularity(data, truth)
    assert values["recall@10"][0] == 0.5
    assert values["recall@20"][0] == 1.0
