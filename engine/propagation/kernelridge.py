"""Kernel ridge regression on a few landmarks, recent rows weighing more; settings chosen by forecasting forward.

f(x) = mean + sum over M landmarks z of c_z exp(-|x - z|^2 / (2 width^2 F)) with
c = (K'WK + ridge K_zz)^-1 K'W(y - mean): kernel ridge regression in its Nystroem form (Rudi, Camoriano, Rosasco, Less
is more: Nystroem computational regularization, NIPS 2015, section 2) with row weights W. Normal equations are sums over
rows, so every earlier part of the stream has its fit for the price of one pass.

Sums and systems are plain loops in numba: BLAS would take them in an order that depends on its threads, and on a busy
machine its waiting threads took 88 ms for a system of 160 that takes 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numba
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

MAX_LANDMARKS = 160
WIDTHS = (0.9, 1.3, 2.0)
RIDGES = (0.1, 0.3, 1.0, 3.0)
HALF_LIFE = 1_000.0
"""Rows after which a row's weight has halved; the stream drifts."""
BLOCKS = 10
FIRST_BLOCK = 4
"""The first four tenths are only learned from; each later tenth is forecast from what came before it."""
_DIGITS = 4
_JITTER = 1e-7
_CLIP = (0.002, 0.998)


@dataclass(frozen=True, slots=True)
class Regression:
    """A fitted regression of F features on M landmarks."""

    shift: Float
    """(F,)"""
    scale: Float
    """(F,) > 0; a row is (x - shift) / scale."""
    low: Float
    """(F,) least value of each column of x; what lies beyond is drawn in, so nothing is extrapolated."""
    high: Float
    """(F,) largest value."""
    landmark: Float
    """(M, F) scaled."""
    coefficient: Float
    """(M,)"""
    mean: float
    width: float

    def predict(self, x: Float) -> Float:
        """Return the forecast of each row, (N,); nan in a row stands for the column's mean."""
        return self.mean + _weighted(_kernel(self.scaled(x), self.landmark, self.width), self.coefficient)

    def scaled(self, x: Float) -> Float:
        """Return rows as the landmarks are, (N, F)."""
        return (np.clip(np.where(np.isnan(x), self.shift, x), self.low, self.high) - self.shift) / self.scale


@dataclass(frozen=True, slots=True)
class Fit:
    """A regression and how well its like forecast what came next."""

    regression: Regression
    row: NDArray[np.int64]
    """(R,) rows that were forecast from earlier ones only."""
    forecast: Float
    """(R,)"""
    ridge: float


def fit(x: Float, y: Float, seed: int = 0) -> Fit:
    """Choose width and ridge by the squared error of forward forecasts, then fit on all rows.

    Args:
        x: (N, F) rows in the order of time, N >= BLOCKS; nan stands for the column's mean.
        y: (N,) what is to be forecast.
        seed: of the choice of landmarks.
    """
    frame = _frame(x)
    z = frame.scaled(x)
    chosen = np.random.default_rng(seed).permutation(len(z))[:MAX_LANDMARKS]
    landmark = np.round(z[np.sort(chosen)], _DIGITS)
    bounds = np.rint(np.linspace(0, len(y), BLOCKS + 1)).astype(np.int64)
    row = np.arange(bounds[FIRST_BLOCK], len(y))
    best: Fit | None = None
    best_error = np.inf
    for width in WIDTHS:
        kernel, among = _kernel(z, landmark, width), _kernel(landmark, landmark, width)
        sums = _sums(kernel, y, bounds)
        for ridge in RIDGES:
            forecast = _forward(kernel, among, sums, ridge, bounds)
            error = float(np.mean((forecast - y[row]) ** 2))
            if best is None or error < best_error:
                mean, coefficient = _solve(among, sums[-1], ridge)
                fitted = replace(frame, landmark=landmark, coefficient=coefficient, mean=mean, width=width)
                best, best_error = Fit(fitted, row, forecast, ridge), error
    if best is None:
        raise AssertionError("there are widths and ridges to choose from")
    return best


def _frame(x: Float) -> Regression:
    """Return a regression without landmarks: how columns are shifted, scaled and bounded."""
    filled = np.where(np.isnan(x).all(axis=0), 0.0, x)
    low, high = np.nanquantile(filled, _CLIP, axis=0)
    inside = np.clip(filled, low, high)
    shift, scale = np.nanmean(inside, axis=0), np.nanstd(inside, axis=0)
    return Regression(
        shift, np.where(scale > 1e-9, scale, 1.0), low, high, np.zeros((0, x.shape[1])), np.zeros(0), 0.0, 1.0
    )


@numba.njit(cache=True, nogil=True)
def _kernel(a: Float, b: Float, width: float) -> Float:
    """Return exp(-|a - b|^2 / (2 width^2 F)), (N, M)."""
    found = np.empty((len(a), len(b)))
    for i in range(len(a)):
        for j in range(len(b)):
            distance = 0.0
            for f in range(a.shape[1]):
                distance += (a[i, f] - b[j, f]) ** 2
            found[i, j] = np.exp(-distance / (2.0 * width**2 * a.shape[1]))
    return found


@numba.njit(cache=True, nogil=True)
def _add(kernel: Float, weight: Float, y: Float, gram: Float, target: Float, reach: Float) -> None:  # noqa: PLR0917
    """Add the weighted sums over some rows to those of `_Sums`."""
    m = kernel.shape[1]
    for row in range(len(kernel)):
        for i in range(m):
            part = weight[row] * kernel[row, i]
            target[i] += part * y[row]
            reach[i] += part
            for j in range(m):
                gram[i, j] += part * kernel[row, j]


def _weighted(kernel: Float, coefficient: Float) -> Float:
    """Return the sum over landmarks of each row, (N,)."""
    return (kernel * coefficient).sum(axis=1)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Weighted sums over a first part of the rows."""

    gram: Float
    """(M, M) K'WK."""
    target: Float
    """(M,) K'Wy."""
    reach: Float
    """(M,) K'W1."""
    weight: float
    total: float
    """sum of W y."""


def _sums(kernel: Float, y: Float, bounds: NDArray[np.int64]) -> list[_Sums]:
    """Return the sums over the rows before each bound from FIRST_BLOCK on; the newest row weighs 1."""
    m = kernel.shape[1]
    running = _Sums(np.zeros((m, m)), np.zeros(m), np.zeros(m), 0.0, 0.0)
    found: list[_Sums] = []
    for block in range(BLOCKS):
        start, end = bounds[block], bounds[block + 1]
        weight = 0.5 ** (np.arange(end - start)[::-1] / HALF_LIFE)
        fade = 0.5 ** ((end - start) / HALF_LIFE)
        gram, target, reach = fade * running.gram, fade * running.target, fade * running.reach
        _add(kernel[start:end], weight, y[start:end], gram, target, reach)
        running = _Sums(
            gram,
            target,
            reach,
            fade * running.weight + float(weight.sum()),
            fade * running.total + float((weight * y[start:end]).sum()),
        )
        if block >= FIRST_BLOCK - 1:
            found.append(running)
    return found


def _solve(among: Float, sums: _Sums, ridge: float) -> tuple[float, Float]:
    """Return (mean, coefficients (M,))."""
    mean = sums.total / sums.weight
    left = sums.gram + ridge * among
    left[np.diag_indices_from(left)] += _JITTER * sums.weight
    return mean, _cholesky_solve(left, sums.target - mean * sums.reach)


@numba.njit(cache=True, nogil=True)
def _cholesky_solve(left: Float, right: Float) -> Float:
    """Return x of left x = right for a symmetric positive definite matrix; `left` and `right` are overwritten.

    Golub and Van Loan, Matrix computations, 4th edition, algorithms 4.2.1 (by rows), 3.1.1 and 3.1.2.
    """
    m = len(right)
    for i in range(m):
        for j in range(i + 1):
            rest = left[i, j]
            for k in range(j):
                rest -= left[i, k] * left[j, k]
            left[i, j] = np.sqrt(rest) if i == j else rest / left[j, j]
        for j in range(i):
            right[i] -= left[i, j] * right[j]
        right[i] /= left[i, i]
    for i in range(m - 1, -1, -1):
        for j in range(i + 1, m):
            right[i] -= left[j, i] * right[j]
        right[i] /= left[i, i]
    return right


def _forward(kernel: Float, among: Float, sums: list[_Sums], ridge: float, bounds: NDArray[np.int64]) -> Float:
    """Return the forecasts of all rows from FIRST_BLOCK on, each block by what came before it."""
    parts: list[Float] = []
    for block in range(FIRST_BLOCK, BLOCKS):
        mean, coefficient = _solve(among, sums[block - FIRST_BLOCK], ridge)
        parts.append(mean + _weighted(kernel[bounds[block] : bounds[block + 1]], coefficient))
    return np.concatenate(parts)
