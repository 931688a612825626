"""The rank of the true recipient, and what is told of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.propagation.sharetarget.examples import Examples
from engine.serving.sharetarget.history import Float, Int

PLACES = 5
DRAWS = 1_000
NOT_LISTED = 1e9
"""Rank of an answer that is no candidate."""


def ranks(examples: Examples, score: Float) -> Float:
    """Return (Q,) the rank of each answer, from 1; equal scores by the lower user; NOT_LISTED if it is no candidate."""
    row, listed = examples.row, examples.answer >= 0
    answer = np.where(listed, examples.answer, 0)
    mine, user = score[answer][row], examples.user[answer][row]
    ahead = (score > mine) | ((score == mine) & (examples.user < user))
    return np.where(listed, 1.0 + np.bincount(row, ahead, minlength=len(examples)), NOT_LISTED)


def mean_reciprocal(rank: Float) -> float:
    """Return MRR@5."""
    return float(np.where(rank <= PLACES, 1.0 / rank, 0.0).mean())


def told(rank: Float, inviter: Int, seed: int) -> dict[str, Any]:
    """Return mrr@5, hits@5, their 95 % intervals with inviters drawn anew, and n, of Q > 0 answers."""
    values = {
        f"mrr@{PLACES}": np.where(rank <= PLACES, 1.0 / rank, 0.0),
        f"hits@{PLACES}": (rank <= PLACES).astype(np.float64),
    }
    found: dict[str, Any] = {name: float(value.mean()) for name, value in values.items()}
    found["interval"] = {name: _interval(value, inviter, seed) for name, value in values.items()}
    found["n"] = len(rank)
    return found


def _interval(value: Float, inviter: Int, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the mean over questions when inviters are drawn anew with replacement."""
    _, of = np.unique(inviter, return_inverse=True)
    total, count = np.bincount(of, value), np.bincount(of).astype(np.float64)
    rng = np.random.default_rng(seed)
    means = np.empty(DRAWS)
    for draw in range(DRAWS):
        chosen = rng.integers(0, len(total), len(total))
        means[draw] = total[chosen].sum() / count[chosen].sum()
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
