"""Log-odds made chances: a logistic regression by Newton steps, and steps that only rise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.propagation.friendpropagation.pairs import Float

LEAST, MOST = 1e-6, 1.0 - 1e-6
"""Bounds of a chance: nothing is certain."""
_ROUNDS, _SETTLED = 50, 1e-9


@dataclass(frozen=True, slots=True)
class Logistic:
    """p = 1 / (1 + exp(-(base + x . slope)))."""

    base: float
    slope: Float
    """(F,)"""

    def log_odds(self, x: NDArray[np.floating]) -> Float:
        """Return the log-odds of rows (P, F)."""
        return self.base + np.asarray(x, np.float64) @ self.slope

    def chance(self, x: NDArray[np.floating]) -> Float:
        """Return the chance of rows (P, F) in [LEAST, MOST]."""
        return chance_of(self.log_odds(x))


@dataclass(frozen=True, slots=True)
class Steps:
    """A chance that rises with a score in steps (isotonic regression), straight lines between their middles."""

    score: Float
    """(B,) ascending."""
    chance_at: Float
    """(B,) not falling."""

    def chance(self, score: Float) -> Float:
        """Return the chance of scores (P,) in [LEAST, MOST]."""
        return np.clip(np.interp(score, self.score, self.chance_at), LEAST, MOST)


def chance_of(log_odds: Float) -> Float:
    """Return the chance of log-odds, in [LEAST, MOST]."""
    return np.clip(1.0 / (1.0 + np.exp(-np.clip(log_odds, -50.0, 50.0))), LEAST, MOST)


def fit_logistic(
    x: NDArray[np.floating],
    outcome: NDArray[np.bool_],
    *,
    ridge: float = 1e-3,
    weight: Float | None = None,
    offset: Float | None = None,
) -> Logistic:
    """Return the logistic regression of least cross-entropy + ridge / 2 |slope|^2 (Newton with halved steps).

    Args:
        x: (P, F).
        outcome: (P,) with both outcomes.
        ridge: keeps slopes finite where a column separates the outcomes; the base is free.
        weight: (P,) >= 0 of the rows, default 1.
        offset: (P,) log-odds that are added as they are; the fit is what they lack.

    Raises:
        DataError: one outcome alone.
    """
    if outcome.all() or not outcome.any():
        raise DataError("a logistic regression needs both outcomes")
    rows = np.concatenate([np.ones((len(x), 1)), np.asarray(x, np.float64)], axis=1)
    weight = np.ones(len(x)) if weight is None else weight
    drawn = np.full(rows.shape[1], ridge)
    drawn[0] = 0.0
    rate = np.average(outcome, weights=weight)
    found = np.zeros(rows.shape[1])
    found[0] = np.log(rate / (1.0 - rate)) if offset is None else 0.0
    start = np.zeros(len(x)) if offset is None else offset

    def loss(parameters: Float) -> float:
        odds = start + rows @ parameters
        return float(weight @ (np.logaddexp(0.0, odds) - outcome * odds) + 0.5 * drawn @ parameters**2)

    now = loss(found)
    for _ in range(_ROUNDS):
        chance = 1.0 / (1.0 + np.exp(-(start + rows @ found)))
        slope = rows.T @ (weight * (chance - outcome)) + drawn * found
        curve = (rows * (weight * chance * (1.0 - chance))[:, None]).T @ rows + np.diag(drawn + 1e-9)
        step = np.linalg.solve(curve, slope)
        length = 1.0
        while (after := loss(found - length * step)) > now and length > 1e-4:
            length /= 2
        found, change, now = found - length * step, now - after, after
        if change <= _SETTLED * max(abs(now), 1.0):
            break
    return Logistic(float(found[0]), found[1:])


def fit_steps(score: Float, outcome: NDArray[np.bool_], weight: Float | None = None) -> Steps:
    """Return the isotonic regression of the outcome (pool adjacent violators: Ayer et al., 1955)."""
    order = np.argsort(score, kind="stable")
    mass = np.ones(len(score)) if weight is None else weight
    blocks: list[list[float]] = []  # mass, mass of positives, mass of scores
    for at in order:
        blocks.append([mass[at], mass[at] * outcome[at], mass[at] * score[at]])
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][0] >= blocks[-1][1] * blocks[-2][0]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    table = np.array(blocks)
    return Steps(table[:, 2] / table[:, 0], table[:, 1] / table[:, 0])
