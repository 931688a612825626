from __future__ import annotations

import numpy as np
import pytest

from engine.propagation.window import FEW, counted, covered, learn_few, learn_window

FEW_TABLE = np.zeros((FEW - 1, 4))


def growths(rows: int, seed: int):
    """Return rows whose spread of log2(1 + count) grows with the first column: from .2 to 2."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, size=(rows, 2))
    y = 3 + 3 * x[:, 0] + rng.normal(size=rows) * (0.2 + 1.8 * x[:, 0])
    return x, np.log2(1 + counted(y))


@pytest.fixture(scope="module")
def window():
    return learn_window(3_600.0, *growths(1_500, seed=0), FEW_TABLE)


def test_nine_of_ten_are_covered_where_the_order_does_not_matter(window):
    x, y = growths(4_000, seed=1)
    inside = covered(window.expected(x), y)
    assert 0.87 < inside.mean() < 0.93  # the standard error of 600 errors learned from is .012
    calm, wild = x[:, 0] < 0.3, x[:, 0] > 0.7
    assert 0.82 < inside[calm].mean() < 0.98
    assert 0.82 < inside[wild].mean() < 0.98


def test_the_interval_is_wide_where_errors_are(window):
    calm, wild = (window.expected(np.array([[at, 0.5]])) for at in (0.05, 0.95))
    assert (calm.high - calm.low)[0] < 2.5
    assert (wild.high - wild.low)[0] > 4.5  # 2 * 1.645 * 1.91 = 6.3, cut at 0 and smoothed over forecasts


def test_the_parts_of_a_forecast_are_in_order(window):
    found = window.expected(np.random.default_rng(2).normal(0, 3, size=(500, 2)))
    assert (found.low >= 0).all()
    assert (found.low <= found.y).all()
    assert (found.y <= found.high).all()
    assert (found.high <= found.alarm).all()


def test_counts_are_whole():
    assert counted(np.array([-1.0, 0.0, 1.0, 2.0, 3.3])).tolist() == [0, 0, 1, 3, 9]


def test_small_cascades_are_forecast_by_those_with_as_many_events():
    events = np.repeat([1, 2, 3, 7], [40, 40, 5, 10])
    y = np.concatenate([np.linspace(0, 4, 40), np.full(40, 1.0), np.full(5, 2.0), np.full(10, 9.0)])
    few = learn_few(events, y)
    assert few[0] == pytest.approx([2.0, 0.2, 3.8, 3.98])  # quantiles .05, .95, .995 of an even line from 0 to 4
    assert few[1].tolist() == [1, 1, 1, 1]
    small = y[events < FEW]
    assert few[2] == pytest.approx([small.mean(), *np.quantile(small, [0.05, 0.95, 0.995])])  # 5 are too few
    assert few[3].tolist() == few[2].tolist()
