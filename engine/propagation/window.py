"""How many events follow after one window: a forecast in log2(1 + events), and how far off it may be.

The interval is split-conformal (Papadopoulos et al., Inductive confidence machines for regression, ECML 2002, section
3): quantiles of the errors of forecasts that were made forward, from earlier cascades only. It is as wide as errors are
near that forecast: errors weigh by a Gaussian in the forecast's distance (Guan, Localized conformal prediction,
Biometrika 2023, section 2) and by how recent they are (Barber et al., Conformal prediction beyond exchangeability,
Annals of Statistics 2023, section 3.1). Counts are whole numbers, so coverage comes in steps; the level asked of the
quantiles is the one that covers nearest to LEVEL on errors that were held out of the table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.propagation import kernelridge
from engine.propagation.kernelridge import Float, Regression

LEVEL = 0.9
"""Share of cascades whose count is to be inside the interval."""
ALARM_LEVEL = 0.995
"""A count above this quantile of the forecast's errors is an explosion."""
MIN_ROWS = 60
"""A window is learned from at least so many past cascades."""
FEW = 5
"""A cascade with fewer events is forecast from its count alone."""
MIN_FEW = 20
"""A count of its own in that table needs so many past cascades; else all small ones stand together."""
_GRID = np.arange(0.0, 12.5, 0.5)
_NEAR = 0.6
_RECENT = 600.0
"""Rows after which an error weighs half."""
_FOLDS = 5
_TAILS = np.arange(0.02, 0.1001, 0.005)


@dataclass(frozen=True, slots=True)
class Errors:
    """Quantiles of y - forecast by forecast."""

    forecast: Float
    """(G,) ascending."""
    low: Float
    """(G,)"""
    high: Float
    """(G,)"""
    alarm: Float
    """(G,)"""


@dataclass(frozen=True, slots=True)
class Expected:
    """Forecasts of N cascades in log2(1 + events after the window), each (N,), low <= y <= high <= alarm."""

    y: Float
    low: Float
    high: Float
    alarm: Float


@dataclass(frozen=True, slots=True)
class Window:
    """What was learned for one age of a cascade."""

    age_s: float
    regression: Regression
    errors: Errors
    few: Float
    """(FEW - 1, 4) y, low, high, alarm of cascades with 1, 2, ... events."""
    rows: int
    """Past cascades behind it."""

    def expected(self, x: Float) -> Expected:
        """Return the forecast of each row of signals."""
        y = np.maximum(self.regression.predict(x), 0.0)
        table = self.errors
        low, high, alarm = (np.interp(y, table.forecast, of) for of in (table.low, table.high, table.alarm))
        return _in_order(y, y + low, y + high, y + alarm)

    def expected_of_few(self, events: int) -> Expected:
        """Return the forecast of a cascade with so many events, 1 <= events < FEW, as arrays of length 1."""
        y, low, high, alarm = (self.few[events - 1, [column]] for column in range(4))
        return _in_order(y, low, high, alarm)


def counted(y: Float) -> Float:
    """Return whole numbers of events for log2(1 + events)."""
    return np.rint(np.exp2(np.maximum(y, 0.0)) - 1.0)


def covered(expected: Expected, y: Float) -> NDArray[np.bool_]:
    """Tell whose true count is inside the interval, (N,)."""
    events = counted(y)
    return (counted(expected.low) <= events) & (events <= counted(expected.high))


def between(first: Expected, second: Expected, share: float) -> Expected:
    """Return the forecast that lies `share` in [0, 1] of the way from the first to the second."""

    def mixed(a: Float, b: Float) -> Float:
        return (1.0 - share) * a + share * b

    return Expected(
        mixed(first.y, second.y),
        mixed(first.low, second.low),
        mixed(first.high, second.high),
        mixed(first.alarm, second.alarm),
    )


def learn_window(age_s: float, x: Float, y: Float, few: Float, seed: int = 0) -> Window:
    """Learn one window.

    Args:
        age_s: the window's length.
        x: (N, F) signals of past cascades in the order of time, N >= MIN_ROWS.
        y: (N,) log2(1 + events after the window until the horizon).
        few: the table of `learn_few`.
        seed: of the regression's landmarks.
    """
    fit = kernelridge.fit(x, y, seed)
    forecast, error = np.maximum(fit.forecast, 0.0), y[fit.row] - np.maximum(fit.forecast, 0.0)
    recent = 0.5 ** (np.arange(len(error))[::-1] / _RECENT)
    tail = _tail(forecast, error, recent)
    table = _quantiles(forecast, error, recent, np.array([tail, 1.0 - tail, ALARM_LEVEL]))
    return Window(age_s, fit.regression, Errors(_GRID, *table), few, len(y))


def learn_few(events: NDArray[np.int64], y: Float) -> Float:
    """Return (FEW - 1, 4): y, low, high, alarm of past cascades with 1, 2, ... events at the window's end.

    Args:
        events: (N,) events of every past cascade at the window's end, N >= 1.
        y: (N,) log2(1 + events after it).
    """
    small = y[events < FEW]
    rest = small if len(small) >= MIN_FEW else y
    rows: list[Float] = []
    for count in range(1, FEW):
        own = y[events == count]
        own = own if len(own) >= MIN_FEW else rest
        tail = (1.0 - LEVEL) / 2.0
        rows.append(np.array([own.mean(), *np.quantile(own, [tail, 1.0 - tail, ALARM_LEVEL])]))
    return np.stack(rows)


def _in_order(y: Float, low: Float, high: Float, alarm: Float) -> Expected:
    """Return bounds that hold the forecast between them and are never negative."""
    low, y = np.maximum(np.minimum(low, y), 0.0), np.maximum(y, 0.0)
    high = np.maximum(high, y)
    return Expected(y, low, high, np.maximum(alarm, high))


def _tail(forecast: Float, error: Float, recent: Float) -> float:
    """Return the share to leave out on each side for a coverage nearest to LEVEL on held-out errors."""
    fold = np.arange(len(error)) * _FOLDS // len(error)
    inside = np.zeros(len(_TAILS))
    for held in range(_FOLDS):
        out = fold == held
        bounds = _quantiles(forecast[~out], error[~out], recent[~out], np.concatenate([_TAILS, 1.0 - _TAILS]))
        at = np.stack([np.interp(forecast[out], _GRID, row) for row in bounds]) + forecast[out]
        y = forecast[out] + error[out]
        for place in range(len(_TAILS)):
            low, high = at[place], at[len(_TAILS) + place]
            is_in = covered(_in_order(forecast[out], low, high, high), y)
            inside[place] += recent[out][is_in].sum()
    return float(_TAILS[np.argmin(np.abs(inside / recent.sum() - LEVEL))])


def _quantiles(forecast: Float, error: Float, recent: Float, levels: Float) -> Float:
    """Return weighted quantiles of the errors near each point of the grid, (len(levels), G).

    One more error of weight 1, as large as the largest on either side, stands for the cascade to come.
    """
    order = np.argsort(error, kind="stable")
    at, ranked = forecast[order], error[order]
    found = np.empty((len(levels), len(_GRID)))
    for place, centre in enumerate(np.clip(_GRID, at.min(), at.max())):
        weight = recent[order] * np.exp(-0.5 * ((at - centre) / _NEAR) ** 2)
        total = np.cumsum(weight)
        upper = np.searchsorted(total, np.minimum(levels * (total[-1] + 1.0), total[-1]))
        lower = np.searchsorted(total, np.maximum(levels * (total[-1] + 1.0) - 1.0, 0.0))
        chosen = np.where(levels < 0.5, lower, upper)
        found[:, place] = ranked[np.minimum(chosen, len(ranked) - 1)]
    return found
