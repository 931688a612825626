"""When a cascade ends: the chance by the number of its users, from past cascades, the newest weighing most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.propagation.nextsharer.sequences import Float, Int, Sequences
from engine.propagation.sharetarget.examples import Examples

STEPS_PER_DOUBLING = 3
PRIOR = 2.0
"""Positions' worth of the mean chance that every part of the table starts with."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The chance that a cascade of so many users gets no other."""

    chance: Float
    """(B,) by part of log2(users), (0, 1)."""

    def of(self, users: Int) -> Float:
        """Return the chance for cascades of `users` (Q,) >= 1 users."""
        return self.chance[np.minimum(_part(users), len(self.chance) - 1)]


def learn_ending(history: Sequences, fresh: Float) -> Ending:
    """Return the table; `fresh` (C,) > 0 is the weight of each cascade."""
    length = np.diff(history.indptr)
    weight = np.repeat(fresh, length)
    users = np.arange(len(history.user)) - np.repeat(history.indptr[:-1], length) + 1
    reached = np.bincount(_part(users), weight)
    ended = np.bincount(_part(length), fresh, len(reached))
    mean = ended.sum() / reached.sum()
    return Ending((ended + PRIOR * mean) / (reached + PRIOR))


def ranks_with_end(examples: Examples, score: Float, rank: Float, chance: Float, is_end: NDArray[np.bool_]) -> Float:
    """Return (Q,) ranks where the end mark is a candidate, and the answer of some questions.

    A candidate's chance is (1 - chance of the end) times its part of the softmax.

    Args:
        examples: the questions.
        score: (C,) of the candidates, in the logarithm.
        rank: (Q,) of the answers among users.
        chance: (Q,) of the end.
        is_end: (Q,) where the end is the answer.
    """
    row, count = examples.row, len(examples)
    top = np.full(count, -np.inf)
    np.maximum.at(top, row, score)
    mass = np.exp(score - top[row])
    part = (1.0 - chance[row]) * mass / np.bincount(row, mass, count)[row]
    ahead = np.bincount(row, part > chance[row], count)
    answer = np.where(examples.answer >= 0, examples.answer, 0)
    later = (examples.answer < 0) | (chance >= part[answer])
    return np.where(is_end, 1.0 + ahead, rank + later)


def _part(users: Int) -> Int:
    return np.floor(STEPS_PER_DOUBLING * np.log2(users)).astype(np.int64)
