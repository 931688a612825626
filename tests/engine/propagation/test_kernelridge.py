from __future__ import annotations

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from engine.propagation import kernelridge


def waves(rows: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3))
    return x, np.sin(2 * x[:, 0]) + 0.5 * x[:, 1] + rng.normal(0, 0.1, rows)


def test_with_every_row_a_landmark_it_is_kernel_ridge_regression():
    x, y = waves(120)
    fit = kernelridge.fit(x, y)
    model, weight = fit.regression, 0.5 ** (np.arange(120)[::-1] / kernelridge.HALF_LIFE)
    assert len(model.landmark) == 120
    plain = KernelRidge(alpha=fit.ridge, kernel="rbf", gamma=1 / (2 * model.width**2 * 3))
    z = model.scaled(x)
    plain.fit(z, y - np.average(y, weights=weight), sample_weight=weight)
    expected = np.average(y, weights=weight) + plain.predict(z)
    assert np.abs(model.predict(x) - expected).max() < 0.01


def test_a_curve_is_learned_from_few_landmarks():
    x, y = waves(1_500)
    fresh_x, fresh_y = waves(300, seed=1)
    model = kernelridge.fit(x, y).regression
    assert len(model.landmark) == kernelridge.MAX_LANDMARKS
    assert np.mean((model.predict(fresh_x) - fresh_y) ** 2) < 0.1 * fresh_y.var()


def test_a_forward_forecast_knows_nothing_later(monkeypatch):
    monkeypatch.setattr(kernelridge, "WIDTHS", (1.3,))
    monkeypatch.setattr(kernelridge, "RIDGES", (0.3,))
    x, y = waves(200)
    shaken = y.copy()
    shaken[160:] += 3
    first, second = kernelridge.fit(x, y), kernelridge.fit(x, shaken)
    assert first.row.tolist() == list(range(80, 200))
    assert first.forecast[:100].tolist() == second.forecast[:100].tolist()  # rows 80 to 179: from rows before 160
    assert first.forecast[100:].mean() < second.forecast[100:].mean() - 0.1


def test_recent_rows_weigh_more():
    x = np.random.default_rng(0).normal(size=(4_000, 2))
    y = np.concatenate([np.zeros(2_000), np.ones(2_000)])
    # Weights of the halves: 2^-2 (1 - 2^-2) to 1 - 2^-2, so the mean is 1 / (1 + 2^-2).
    assert kernelridge.fit(x, y).regression.mean == pytest.approx(0.8, abs=0.001)


def test_what_is_not_known_is_average_and_what_is_beyond_is_drawn_in():
    x, y = waves(300)
    x = np.column_stack([x, np.full(300, np.nan)])
    model = kernelridge.fit(x, y).regression
    assert np.isfinite(model.predict(x)).all()
    far = np.array([[1e9, -1e9, 0.0, 5.0]])
    edge = np.array([[model.high[0], model.low[1], 0.0, np.nan]])
    assert model.predict(far) == pytest.approx(model.predict(edge))
    unknown = np.array([[np.nan, 0.2, 0.1, np.nan]])
    assert model.predict(unknown) == pytest.approx(model.predict(np.array([[model.shift[0], 0.2, 0.1, np.nan]])))


def test_the_same_seed_gives_the_same_model():
    x, y = waves(400)
    first, second = (kernelridge.fit(x, y, seed=4).regression for _ in range(2))
    assert (first.landmark == second.landmark).all()
    assert (first.coefficient == second.coefficient).all()


def test_rows_that_are_all_alike_give_their_mean():
    model = kernelridge.fit(np.ones((90, 3)), np.tile([0.0, 2.0], 45)).regression
    assert model.predict(np.array([[1.0, 1.0, 1.0], [7.0, -7.0, 0.0]])) == pytest.approx([1.0, 1.0], abs=0.01)
