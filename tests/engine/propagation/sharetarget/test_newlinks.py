"""New links on a small graph: signals against dense matrices, one answer per question, the protocol's keys."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.errors import DataError
from engine.propagation.sharetarget import newlinks
from engine.propagation.sharetarget.examples import Examples
from engine.propagation.sharetarget.links import EASE_RIDGE, NAMES, link_examples, link_graph


def random_links(users: int = 40, seed: int = 0, share: float = 0.12) -> tuple[np.ndarray, np.ndarray]:
    linked = np.random.default_rng(seed).random((users, users)) < share
    np.fill_diagonal(linked, val=False)
    inviter, voter = np.nonzero(linked)
    return inviter.astype(np.int64), voter.astype(np.int64)


def test_signals_are_those_of_dense_matrices() -> None:
    users = 40
    inviter, voter = random_links(users, share=0.3)
    assert np.bincount(voter, minlength=users).min() > 1  # all are in the linear model
    a = np.zeros((users, users))
    a[inviter, voter] = 1
    s = ((a + a.T) > 0).astype(float)
    degree = s.sum(1)
    adar = s @ np.diag(1 / np.log(1 + np.maximum(degree, 2))) @ s
    resource = s @ np.diag(1 / np.maximum(degree, 1)) @ s
    np.fill_diagonal(resource, 0)
    three = resource @ np.diag(1 / np.maximum(degree, 1)) @ s
    out, into = np.maximum(a.sum(1), 1), np.maximum(a.sum(0), 1)
    expected = {
        "back": a.T,
        "common": np.log1p(10 * s @ s),
        "adamic_adar": np.log1p(10 * adar),
        "resource": np.log1p(10 * resource),
        "to_to": np.log1p(10 * a @ np.diag(out**-0.5) @ a),
        "to_from": np.log1p(10 * a @ np.diag(into**-0.5) @ a.T),
        "from_to": np.log1p(10 * a.T @ np.diag(out**-0.5) @ a),
        "from_from": np.log1p(10 * a.T @ np.diag(into**-0.5) @ a.T),
        "three": np.log1p(100 * three),
        "popular": np.tile(np.log1p(a.sum(0)), (users, 1)),
        "inviter_too": np.tile(np.log1p(a.sum(1)), (users, 1)),
    }
    gram = s.T @ s + EASE_RIDGE * np.eye(users)
    weights = np.eye(users) - np.linalg.inv(gram) / np.diag(np.linalg.inv(gram))[None, :]
    linear = s @ weights
    expected["linear"] = np.sign(linear) * np.log1p(20 * np.abs(linear))
    examples = link_examples(link_graph(inviter, voter, users, 0), np.arange(users))
    row = examples.row
    assert not a[row, examples.user].any()
    assert (row != examples.user).all()
    for name, dense in expected.items():
        found = examples.signals[:, NAMES.index(name)]
        assert found == pytest.approx(dense[row, examples.user], rel=2e-3, abs=2e-4), name


def test_a_question_has_one_answer_and_none_of_the_others() -> None:
    examples = Examples(
        np.arange(5, dtype=np.float32)[:, None], np.array([3, 4, 6, 1, 2]), np.array([0, 3, 5]), np.full(2, -1)
    )
    true = np.array([True, False, True, False, True])
    found = newlinks._one_answer_each(examples, np.array([0, 0, 1]), np.array([0, 2, 4]), true)
    assert found.user.tolist() == [3, 4, 4, 6, 1, 2]
    assert found.indptr.tolist() == [0, 2, 4, 6]
    assert found.user[found.answer].tolist() == [3, 6, 2]
    assert found.signals[:, 0].tolist() == [0, 1, 1, 2, 3, 4]


def test_the_protocol_on_chats_of_friends(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    chat = np.repeat(np.arange(60), 10)  # everybody links within a chat of ten
    inviter, voter = np.nonzero((chat[:, None] == chat[None]) & (rng.random((600, 600)) < 0.6))
    kept = inviter != voter
    inviter, voter = inviter[kept], voter[kept]
    test = rng.random(len(inviter)) < 0.2
    for name, rows in (("train", ~test), ("test", test)):
        lines = [f"{u},{v}" for u, v in zip(inviter[rows], voter[rows], strict=True)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["inviter,voter", *lines, *lines[:5]]) + "\n")
    result = newlinks.evaluate_new_links(tmp_path, seed=1)
    assert result["recall@20"] > 0.9
    assert {"recall@20", "ndcg@20", "mrr@5", "hits@5", "inviters", "interval", "ablation"} <= set(result)
    assert list(result)[-4:] == ["seed", "seconds", "peak_mb", "n"]
    assert result["inviters"] == len(np.unique(inviter[test]))


def test_a_test_without_a_new_pair_is_refused(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text("inviter,voter\n1,2\n")
    with pytest.raises(DataError, match=r"test.csv: line 2: no new pair"):
        newlinks.evaluate_new_links(tmp_path)
