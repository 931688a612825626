"""Weights and calibration of the blend on candidates whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from engine.interest.fitting import Candidates, fit_blend, fit_calibration, fit_weights, measure_calibration, restrained
from engine.serving.blend import BlendWeights, Calibration


def candidates(users: int = 900, seed: int = 0) -> Candidates:
    """Quiet users take by the first score, busy ones by the second; the third is noise."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(users, 80, 3)).astype(np.float32)
    acts = np.where(np.arange(users) % 2 == 0, 3, 30)
    signal = np.where((acts > 10)[:, None], scores[:, :, 1], scores[:, :, 0])
    relevant = rng.random((users, 80)) < 1.0 / (1.0 + np.exp(4.0 - 2.0 * signal))
    relevant[:, 0] = True
    return Candidates(("graphsage", "itemitem", "popularity"), scores, relevant, relevant.sum(axis=1), acts)


def test_weights_find_the_score_that_ranks() -> None:
    all_users = candidates()
    busy = all_users.take(all_users.acts > 10)
    weights = fit_weights(busy, {"graphsage": 1.0})
    assert weights["itemitem"] == 1.0
    assert max(weights["graphsage"], weights["popularity"]) <= 0.1
    pinned = fit_weights(busy, {"graphsage": 1.0}, frozenset(("itemitem",)))
    assert pinned["itemitem"] == 0.0


def test_weights_leave_noise_out() -> None:
    rng = np.random.default_rng(0)
    relevant = rng.random((200, 60)) < 0.1
    relevant[:, 0] = True
    good = relevant + rng.normal(0, 0.4, relevant.shape)
    noise = rng.normal(0, 1, relevant.shape)
    scores = np.stack([noise, good], axis=-1).astype(np.float32)
    part = Candidates(("graphsage", "itemitem"), scores, relevant, relevant.sum(axis=1), np.full(200, 5))
    weights = fit_weights(part, {"graphsage": 1.0, "itemitem": 0.3})
    assert weights["itemitem"] == 1.0
    assert weights["graphsage"] <= 0.05
    assert fit_weights(part, {"graphsage": 1.0}, frozenset(("itemitem",)))["itemitem"] == 0.0


def test_the_busy_half_gets_its_own_weights_only_where_that_pays() -> None:
    mixed = candidates(users=1200)
    mixed = mixed.take(np.r_[np.flatnonzero(mixed.acts == 3), np.flatnonzero(mixed.acts == 30)])
    first = BlendWeights({"graphsage": 1.0}, {"popularity": 1.0})
    apart = fit_blend(mixed, None, first)
    assert apart.busy is not None
    assert (apart.warm["graphsage"], apart.busy["itemitem"]) == (1.0, 1.0)
    assert (apart.segment(0), apart.segment(3), apart.segment(30)) == ("cold", "warm", "busy")
    alike = mixed.take(mixed.acts == 30)
    alike = Candidates(alike.names, alike.scores, alike.relevant, alike.counts, np.arange(len(alike)) + 1)
    assert fit_blend(alike, None, first).busy is None
    assert BlendWeights.from_json(apart.to_json()) == apart


def test_what_helps_users_without_a_history_by_no_more_than_noise_is_restrained() -> None:
    rng = np.random.default_rng(5)
    popular, other = rng.normal(size=(2, 600, 60)).astype(np.float32)
    scores = np.stack([other, popular], axis=-1)

    def by(logit: np.ndarray) -> Candidates:
        relevant = rng.random(logit.shape) < 1.0 / (1.0 + np.exp(3.0 - logit))
        relevant[:, 0] = True
        return Candidates(("friends", "popularity"), scores, relevant, relevant.sum(axis=1), np.zeros(600, int))

    fitted = {"friends": 1.0, "popularity": 1.0}
    assert restrained(by(2.0 * popular), {"friends": 0.02, "popularity": 1.0}) == {"friends": 0.0, "popularity": 1.0}
    assert restrained(by(1.5 * popular + 1.5 * other), fitted)["friends"] >= 0.5
    both = by(1.5 * popular + 1.5 * other)
    popularity_alone = BlendWeights({"graphsage": 1.0}, {"popularity": 0.05})
    few = fit_blend(None, both.take(np.arange(50)), popularity_alone)
    assert few.cold["friends"] > 0


def test_calibration_finds_the_chance_and_is_measured_on_others() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(800, 60, 1)).astype(np.float32)
    acts = rng.integers(1, 100, 800)
    logit = 1.5 * scores[:, :, 0] + 0.5 * np.log1p(acts)[:, None] - 4.0
    relevant = rng.random(logit.shape) < 1.0 / (1.0 + np.exp(-logit))
    part = Candidates(("graphsage",), scores, relevant, np.maximum(relevant.sum(axis=1), 1), acts)
    fitted = fit_calibration(part, scores[:, :, 0])
    assert (fitted.slope, fitted.activity, fitted.bias) == pytest.approx((1.5, 0.5, -4.0), abs=0.12)
    measured = measure_calibration(part, scores[:, :, 0])
    assert measured["ece"] < 0.01
    assert measured["bce"] < 0.9 * measured["bce_base"]
    turned = fit_calibration(part, -scores[:, :, 0])
    assert turned == Calibration()
