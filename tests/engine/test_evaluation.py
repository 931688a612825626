"""Metrics by hand-known values, an independent implementation, and the properties of the cuts."""

from __future__ import annotations

import random

import numpy as np
import pytest
from sklearn.metrics import ndcg_score, roc_auc_score

from engine import evaluation as ev
from engine.errors import DataError
from engine.types import NO_TIME


def test_truth_groups_by_user_and_counts_repeated_pairs_once() -> None:
    truth = ev.truth_of(np.array([5, 2, 5, 5]), np.array([1, 9, 0, 1]))
    assert truth.user.tolist() == [2, 5]
    assert truth.item.tolist() == [9, 0, 1]
    assert truth.counts.tolist() == [1, 2]
    part = truth.take(np.array([1]))
    assert part.user.tolist() == [5]
    assert part.item.tolist() == [0, 1]


def test_top_k_breaks_ties_by_the_lower_index() -> None:
    scores = np.array([[1.0, 3.0, 3.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    assert ev.top_k(scores, 2).tolist() == [[1, 2], [0, 1]]
    assert ev.top_k(scores, 4).tolist() == [[1, 2, 3, 4], [0, 1, 2, 3]]
    assert ev.top_k(scores, 9).tolist() == [[1, 2, 3, 4, 0], [0, 1, 2, 3, 4]]


def test_top_k_equals_a_stable_sort() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 6, (50, 40)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.2] = -np.inf
    for k in (1, 7, 39, 40):
        assert np.array_equal(ev.top_k(scores, k), np.argsort(-scores, axis=1, kind="stable")[:, :k])


def test_top_k_of_wide_rows_equals_a_stable_sort() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(30, 3000)).astype(np.float32)
    scores[3] = 0.0
    scores[4, 5:] = -np.inf
    scores[5] = np.round(scores[5])
    for k in (1, 5, 20, 200):
        assert np.array_equal(ev.top_k(scores, k), np.argsort(-scores, axis=1, kind="stable")[:, :k])
    assert np.array_equal(ev.top_k(scores[3:4], 20), [np.arange(20)])


def test_metrics_of_one_list_by_hand() -> None:
    truth = ev.truth_of(np.array([0, 0, 0]), np.array([4, 7, 8]))
    hits = ev.hit_matrix(np.array([[7, 1, 4, -1]]), truth)
    assert hits.tolist() == [[True, False, True, False]]
    assert ev.recall_at(hits, truth.counts, 4)[0] == pytest.approx(2 / 3)
    assert ev.recall_at(hits, truth.counts, 1)[0] == pytest.approx(1 / 3)
    assert ev.precision_at(hits, 4)[0] == pytest.approx(0.5)
    assert ev.hit_at(hits, 1)[0] == 1.0
    ideal = 1 + 1 / np.log2(3) + 0.5
    assert ev.ndcg_at(hits, truth.counts, 4)[0] == pytest.approx((1 + 0.5) / ideal)
    assert ev.ndcg_at(hits, truth.counts, 2)[0] == pytest.approx(1 / (1 + 1 / np.log2(3)))
    assert ev.mrr_at(hits, 4)[0] == 1.0
    assert ev.map_at(hits, truth.counts, 4)[0] == pytest.approx((1 + 2 / 3) / 3)


def test_mrr_is_zero_outside_the_list() -> None:
    truth = ev.truth_of(np.array([0, 1]), np.array([2, 2]))
    hits = ev.hit_matrix(np.array([[0, 1, 2], [0, 1, 3]]), truth)
    assert ev.mrr_at(hits, 3).tolist() == pytest.approx([1 / 3, 0.0])
    assert ev.mrr_at(hits, 2).tolist() == [0.0, 0.0]


def test_ndcg_equals_scikit_learn_where_lists_are_long_enough() -> None:
    rng = np.random.default_rng(1)
    relevant = rng.random((30, 25)) < 0.4
    relevant[:, 0] = True
    scores = rng.permuted(np.tile(np.arange(25.0), (30, 1)), axis=1)
    truth = ev.truth_of(*np.nonzero(relevant))
    ours = ev.ndcg_at(ev.hit_matrix(ev.top_k(scores, 10), truth), truth.counts, 10)
    theirs = [ndcg_score(relevant[u : u + 1], scores[u : u + 1], k=10) for u in range(30)]
    assert ours == pytest.approx(theirs)


def test_coverage_counts_distinct_items() -> None:
    assert ev.coverage_at(np.array([[0, 1], [1, -1]]), 8, 2) == pytest.approx(0.25)
    assert ev.coverage_at(np.array([[0, 1], [1, -1]]), 8, 1) == pytest.approx(0.25)


def test_auc_equals_scikit_learn_with_ties() -> None:
    rng = np.random.default_rng(2)
    labels, scores = rng.random(200) < 0.3, rng.integers(0, 9, 200) / 9
    assert ev.auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    assert np.isnan(ev.auc(np.ones(3, bool), np.arange(3.0)))


def test_calibration_error_by_hand() -> None:
    labels = np.array([True, False, True, True])
    assert ev.expected_calibration_error(labels, np.array([0.05, 0.05, 0.95, 0.95]), bins=10) == pytest.approx(
        0.5 * 0.45 + 0.5 * 0.05
    )
    assert ev.expected_calibration_error(labels, labels.astype(float)) == 0.0


def test_bootstrap_interval_holds_the_mean_and_repeats() -> None:
    values = np.random.default_rng(3).normal(5.0, 1.0, 400)
    low, high = ev.bootstrap_interval(values, seed=1)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.2)
    assert (low, high) == ev.bootstrap_interval(values, seed=1)
    assert ev.bootstrap_interval(np.full(5, 2.0), seed=0) == (2.0, 2.0)


def test_holdout_cut_takes_its_share_of_every_user_and_keeps_one() -> None:
    user = np.repeat([0, 1, 2, 3], [10, 1, 5, 20])
    held = ev.holdout_cut(user, 0.2, np.random.default_rng(0).random(len(user)))
    assert np.bincount(user, weights=held).tolist() == [2, 0, 1, 4]
    assert not ev.holdout_cut(np.array([7]), 1.0, np.zeros(1)).any()


def test_time_cut_takes_the_newest_and_never_the_undated() -> None:
    times = np.array([10, 20, 30, 40, NO_TIME])
    assert ev.time_cut(times, 0.25).tolist() == [False, False, False, True, False]
    with pytest.raises(DataError):
        ev.time_cut(np.array([NO_TIME]), 0.5)


def test_shuffled_split_follows_the_protocol_word_for_word() -> None:
    rng = np.random.default_rng(4)
    pairs = np.unique(rng.integers(0, [12, 60], (300, 2)), axis=0)
    rows = rng.permutation(pairs)
    test = ev.shuffled_split(rows[:, 0], rows[:, 1], seed=42)
    generator, expected = random.Random(42), set()
    for user in sorted(set(pairs[:, 0].tolist())):
        items = sorted(pairs[pairs[:, 0] == user, 1].tolist())
        generator.shuffle(items)
        expected |= {(user, item) for item in items[: int(0.2 * len(items))]}
    assert {tuple(pair) for pair in rows[test].tolist()} == expected
