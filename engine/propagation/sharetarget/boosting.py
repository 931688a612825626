"""Boosted trees under the listwise softmax, over signals in bins.

Friedman, Greedy function approximation: a gradient boosting machine (2001), with the Newton step and the gain of Chen
and Guestrin, XGBoost (KDD 2016, equations 5 and 7). The gradient of a candidate's score is p - y and its curvature
p (1 - p), with p the softmax over the candidates of the question.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from engine.propagation.sharetarget.examples import Examples
from engine.serving.sharetarget.history import Float, Int
from engine.serving.sharetarget.trees import Trees

BINS = 64
SAMPLE = 200_000
"""Rows that the bins are cut by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSettings:
    """Settings of the trees."""

    trees: int = 240
    depth: int = 4
    rate: float = 0.06
    questions: float = 0.5
    """Part of the questions that a tree sees."""
    signals: float = 0.3
    """Part of the signals that a tree may split by."""
    ridge: float = 10.0
    least: float = 3.0
    """Summed curvature of a leaf, at least."""


def boost(examples: Examples, settings: TreeSettings, seed: int) -> Trees:
    """Return trees fitted on examples that are all answered.

    Args:
        examples: Q > 0 questions, each with its answer among the candidates.
        settings: of the trees.
        seed: of the questions and signals that each tree sees.
    """
    rng = np.random.default_rng([seed, 7])
    edges = signal_edges(examples.signals, rng)
    binned = in_bins(examples.signals, edges)
    score, width = np.zeros(len(binned)), binned.shape[1]
    used = max(1, round(settings.signals * width))
    grown = []
    for _ in range(settings.trees):
        slopes = _slopes(score, examples.indptr, examples.answer)
        seen = np.repeat(rng.random(len(examples)) < settings.questions, np.diff(examples.indptr))
        signals = np.sort(rng.permutation(width)[:used]).astype(np.int64)
        tree = grow(binned, np.flatnonzero(seen), signals, slopes, (settings.depth, settings.ridge, settings.least))
        tree[2][:] *= settings.rate
        add_tree(score, binned, *tree)
        grown.append(tree)
    return trees_of(grown, edges)


def signal_edges(signals: NDArray[np.float32], rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Return the ascending bounds of each signal's bins; a value lies in the bin of the first bound not below it."""
    rows = np.sort(rng.permutation(len(signals))[:SAMPLE])
    return [_bounds(np.ascontiguousarray(column)) for column in signals[rows].T]


def in_bins(signals: NDArray[np.float32], edges: list[NDArray[np.float32]]) -> NDArray[np.uint8]:
    """Return the bin of each value, (C, F)."""
    binned = np.empty(signals.shape, np.uint8)
    for at, edge in enumerate(edges):
        binned[:, at] = np.searchsorted(edge, signals[:, at])
    return binned


def _bounds(column: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return at most BINS - 1 bounds of bins of like weight; a frequent value weighs one bin, so it takes no others.

    Most signals are zero for most candidates: plain quantiles would leave few bounds for all that is not.
    """
    values, counts = np.unique(column, return_counts=True)
    if len(values) < BINS:
        return values
    weight = np.cumsum(np.minimum(counts, max(1, len(column) // BINS)))
    levels = np.linspace(0, weight[-1], BINS + 1)[1:-1]
    return np.unique(values[np.searchsorted(weight, levels)])


def trees_of(grown: list[tuple[Int, Int, Float]], edges: list[NDArray[np.float32]]) -> Trees:
    """Return grown trees with the bounds of the bins that they split at."""
    feature = np.stack([tree[0] for tree in grown]).astype(np.int32)
    bounds = np.full((len(edges), BINS), np.inf, dtype=np.float32)
    for at, edge in enumerate(edges):
        bounds[at, : len(edge)] = edge
    split = np.stack([tree[1] for tree in grown])
    return Trees(feature, bounds[feature, split], np.stack([tree[2] for tree in grown]).astype(np.float32))


@numba.njit(cache=True)
def _slopes(score: Float, indptr: Int, answer: Int) -> Float:
    """Return (C, 2) gradient and curvature of the softmax loss of each question."""
    slopes = np.empty((len(score), 2))
    for question in range(len(indptr) - 1):
        start, end = indptr[question], indptr[question + 1]
        top = score[start:end].max()
        mass = 0.0
        for at in range(start, end):
            slopes[at, 0] = np.exp(score[at] - top)
            mass += slopes[at, 0]
        for at in range(start, end):
            p = slopes[at, 0] / mass
            slopes[at, 0] = p - (at == answer[question])
            slopes[at, 1] = p * (1.0 - p)
    return slopes


@numba.njit(cache=True)
def grow(
    binned: np.ndarray, rows: Int, signals: Int, slopes: Float, limits: tuple[int, float, float]
) -> tuple[Int, Int, Float]:
    """Return (inner,) signal and bin of each split and (leaves,) values; who is in a higher bin goes to the right.

    A node that gains nothing keeps all rows on the left: its bin is the last. `limits`: depth, ridge, least curvature.
    """
    depth, ridge, least = limits
    inner = 2**depth - 1
    feature, split = np.zeros(inner, np.int64), np.full(inner, BINS - 1, np.int64)
    node = np.zeros(len(rows), np.int64)
    for level in range(depth):
        first, count = 2**level - 1, 2**level
        sums = np.zeros((count, len(signals), BINS, 2))
        for at in range(len(rows)):
            row = rows[at]
            place, g, h = node[at] - first, slopes[row, 0], slopes[row, 1]
            for k in range(len(signals)):
                b = binned[row, signals[k]]
                sums[place, k, b, 0] += g
                sums[place, k, b, 1] += h
        for place in range(count):
            k, bin_ = _best_split(sums[place], ridge, least)
            if k >= 0:
                feature[first + place], split[first + place] = signals[k], bin_
        for at in range(len(rows)):
            n = node[at]
            node[at] = 2 * n + 1 + (binned[rows[at], feature[n]] > split[n])
    totals = np.zeros((inner + 1, 2))
    for at in range(len(rows)):
        totals[node[at] - inner] += slopes[rows[at]]
    return feature, split, -totals[:, 0] / (totals[:, 1] + ridge)


@numba.njit(cache=True)
def _best_split(sums: np.ndarray, ridge: float, least: float) -> tuple[int, int]:
    """Return (signal, bin) of the largest gain above 0, (-1, 0) where there is none; `sums` is (K, BINS, 2)."""
    best, where, bin_ = 1e-9, -1, 0
    for k in range(len(sums)):
        g, h = sums[k, :, 0].sum(), sums[k, :, 1].sum()
        left_g = left_h = 0.0
        for b in range(BINS - 1):
            left_g += sums[k, b, 0]
            left_h += sums[k, b, 1]
            if left_h < least or h - left_h < least:
                continue
            right_g = g - left_g
            gain = left_g**2 / (left_h + ridge) + right_g**2 / (h - left_h + ridge) - g**2 / (h + ridge)
            if gain > best:
                best, where, bin_ = gain, k, b
    return where, bin_


@numba.njit(cache=True)
def add_tree(score: Float, binned: np.ndarray, feature: Int, split: Int, value: Float) -> None:
    """Add the tree's value to the score of every row."""
    inner = len(feature)
    for row in range(len(score)):
        n = 0
        while n < inner:
            n = 2 * n + 1 + (binned[row, feature[n]] > split[n])
        score[row] += value[n - inner]
