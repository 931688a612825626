"""Hits@K and MAP@K of next users, with intervals and paired differences; cascades are drawn anew, never positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.propagation.nextsharer.sequences import Float, Int

PLACES = (10, 50, 100)
DRAWS = 1_000
MAIN = ("hits@100", "map@100")
"""What is compared in pairs."""


def values(rank: Float) -> dict[str, Float]:
    """Return what each question counts: hits@K is 1 within K places, map@K one over the rank there; else 0."""
    hits = {f"hits@{k}": (rank <= k).astype(np.float64) for k in PLACES}
    return hits | {f"map@{k}": np.where(rank <= k, 1.0 / rank, 0.0) for k in PLACES}


def told(rank: Float) -> dict[str, float]:
    """Return the means over Q > 0 questions."""
    return {name: float(value.mean()) for name, value in values(rank).items()}


def intervals(rank: Float, cascade: Int, seed: int) -> dict[str, tuple[float, float]]:
    """Return the 95 % interval of every mean; `cascade` (Q,) is the cascade of each question."""
    return {name: _interval(value, cascade, seed) for name, value in values(rank).items()}


def paired(rank: Float, other: Float, cascade: Int, seed: int) -> dict[str, Any]:
    """Return by how much `rank` is better than `other` on the same questions, with 95 % intervals."""
    ours, theirs = values(rank), values(other)
    found: dict[str, Any] = {name: float((ours[name] - theirs[name]).mean()) for name in MAIN}
    found["interval"] = {name: _interval(ours[name] - theirs[name], cascade, seed) for name in MAIN}
    return found


def _interval(value: Float, cascade: Int, seed: int) -> tuple[float, float]:
    _, of = np.unique(cascade, return_inverse=True)
    total, count = np.bincount(of, value), np.bincount(of).astype(np.float64)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(total), (DRAWS, len(total)))
    low, high = np.quantile(total[drawn].sum(axis=1) / count[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)
