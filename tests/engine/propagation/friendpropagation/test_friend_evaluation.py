"""The protocol of `kith evaluate friend-propagation`, and that what can be learned is learned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.errors import DataError
from engine.propagation.friendpropagation import evaluate, network
from engine.propagation.friendpropagation.evaluate import evaluate_friends
from engine.propagation.friendpropagation.names import GROUPS
from engine.propagation.friendpropagation.pairs import pairs_of, read_folder
from engine.propagation.friendpropagation.parts import held_part, training_part
from kith.cli import main
from tests.engine.propagation.friendpropagation.shop import hand, taught


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return taught(tmp_path_factory.mktemp("friends"))


@pytest.fixture(scope="module")
def found(folder, tmp_path_factory) -> dict:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "GROUPS", {"counts": GROUPS["counts"]})
        return evaluate_friends(folder, seed=1)


def test_the_keys_are_those_of_the_contract(found):
    assert {"auc", "ap", "recall@10", "bce", "bce_base", "ece", "interval", "ablation", "in_time"} <= set(found)
    assert list(found)[-4:] == ["seed", "seconds", "peak_mb", "n"]
    assert sum(bin_["count"] for bin_ in found["reliability"]) == found["n"] == found["pairs"]["test"]
    for name, (low, high) in found["interval"].items():
        assert low <= high
        assert name == "ece" or low <= found[name] <= high
    json.dumps(found, allow_nan=False)


def test_circles_are_learned(found, folder):
    """Friends of the root's circle join with chance .35, others with .02; nobody can order them better than that."""
    assert found["auc"] > 0.8
    assert found["bce"] < found["bce_base"] - 0.05
    assert found["ece"] < 0.05
    assert found["auc"] > found["baselines"]["formula_receiver"]["auc"] + 0.05
    assert found["in_time"]["auc"] > 0.75


def test_negatives_are_drawn_and_the_share_is_kept(folder, monkeypatch):
    from engine.propagation.friendpropagation import parts

    data = read_folder(folder)
    train, _, _ = data.parts()
    every = pairs_of(data, train)
    positives = int(every.joins.sum())
    monkeypatch.setattr(parts, "MAX_ROWS", 3 * positives)
    part = training_part(data, train, 0, live=False)
    assert part.pairs.joins.sum() == positives
    negatives = len(every) - positives
    assert part.kept == pytest.approx(2 * positives / negatives)
    assert len(part.pairs) - positives == pytest.approx(2 * positives, rel=0.05)


def test_the_test_changes_nothing_that_is_learned(folder):
    """Of the test part only the pairs are asked: neither train nor what chooses is measured with it."""
    data = read_folder(folder)
    train, choose, test = data.parts()
    user = data.cascades.user.copy()
    events = data.cascades.events_of(test)
    user[events] = np.roll(user[events], 1)
    other = type(data)(
        type(data.cascades)(data.cascades.start_s, data.cascades.indptr, data.cascades.seconds, user), data.neighbours
    )
    for rows in (choose,):
        mine, theirs = (held_part(each, rows, train, 0, live=False) for each in (data, other))
        np.testing.assert_array_equal(mine.signals, theirs.signals)
    mine, theirs = (training_part(each, train, 0, live=False) for each in (data, other))
    np.testing.assert_array_equal(mine.signals, theirs.signals)


def test_a_repeated_seed_repeats(folder, found, monkeypatch):
    monkeypatch.setattr(evaluate, "GROUPS", {})
    again = evaluate_friends(folder, seed=1)
    assert [again[name] for name in ("auc", "bce", "interval")] == [found[name] for name in ("auc", "bce", "interval")]


def test_a_folder_without_outcomes_is_refused(tmp_path, capsys):
    hand(tmp_path)
    (tmp_path / "edges.txt").write_text("5,8\n")
    assert main(["evaluate", "friend-propagation", "--data", str(tmp_path)]) == 2
    assert "none joins later, or all do" in capsys.readouterr().err
    with pytest.raises(DataError, match="none joins later"):
        evaluate_friends(tmp_path)


def test_the_network_knows_who_belongs_together(folder):
    """Signals that say nothing: the embeddings alone have to tell the circles apart."""
    import torch

    data = read_folder(folder)
    train, choose, _ = data.parts()
    pairs, asked = pairs_of(data, train), pairs_of(data, choose)
    rows = network.rows_of(data, pairs, np.zeros((len(pairs), 1), np.float32))
    torch.set_num_threads(1)
    *_, last = network.fit_network(data, rows, pairs.joins, np.ones(len(pairs)), seed=0, epochs=20)
    model = network.PairNetwork(data, 1)
    model.load_state_dict(last)
    from engine.evaluation import auc

    scores = network.log_odds(model, network.rows_of(data, asked, np.zeros((len(asked), 1), np.float32)))
    assert auc(asked.joins, scores) > 0.65  # chance is .5: the signals are constant
