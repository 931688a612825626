"""Tuned counting: the simple way that the learned ranker must beat.

    score(v) = sum_i fade^(t - i) sum_c far^(gap - 1) / (N(u_i) + 1)^sender
               + last B(u_t, v) / (N(u_t) + 1)^sender + linked L(v) + popular N(v) / max N

over the users u_1 .. u_t of the prefix and the past cascades c in which v came `gap` places after u_i. N counts a
user's events, B how often v came right after u, L the links between v and the prefix, divided by the prefix's length.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numba
import numpy as np
from numpy.typing import NDArray

from engine.propagation.cascades import LONGEST
from engine.propagation.nextsharer.memory import EVENTS, Memory
from engine.propagation.nextsharer.sequences import Float, Int, Sequences

PLACES = 100


@dataclass(frozen=True, slots=True)
class CountingSettings:
    """Settings of counting."""

    far: float = 0.9
    fade: float = 0.9
    sender: float = 0.5
    last: float = 1.0
    linked: float = 0.0
    popular: float = 0.01


GRID: dict[str, tuple[float, ...]] = {
    "far": (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0),
    "fade": (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0),
    "sender": (0.0, 0.25, 0.5, 0.75, 1.0),
    "last": (0.0, 0.3, 1.0, 3.0),
    "linked": (0.0, 0.03, 0.1, 0.3, 1.0, 3.0),
    "popular": (0.0001, 0.001, 0.01, 0.03, 0.1, 0.3, 1.0),
}
"""What is tried on the cut, one setting after another, ROUNDS times."""
ROUNDS = 2


def tune_counting(memory: Memory, cascades: Sequences, asked: NDArray[np.bool_]) -> CountingSettings:
    """Return the settings of largest Hits@100 + MAP@100 on these questions."""
    best = CountingSettings()
    reached = _worth(counting_ranks(memory, cascades, asked, best))
    for _ in range(ROUNDS):
        for name, values in GRID.items():
            if name == "linked" and not len(memory.out_user):
                continue
            for value in values:
                tried = replace(best, **{name: value})
                if tried == best:
                    continue
                worth = _worth(counting_ranks(memory, cascades, asked, tried))
                if worth > reached:
                    best, reached = tried, worth
    return best


def _worth(rank: Float) -> float:
    return float((rank <= PLACES).mean() + np.where(rank <= PLACES, 1.0 / rank, 0.0).mean())


def counting_ranks(memory: Memory, cascades: Sequences, asked: NDArray[np.bool_], settings: CountingSettings) -> Float:
    """Return (Q,) the rank of every event that is asked for among all users not yet in its cascade, from 1.

    Users of equal score are in the order of their numbers.
    """
    numbers = (settings.fade, settings.sender, settings.last, settings.linked, settings.popular)
    powers = settings.far ** np.arange(LONGEST + 1)
    return _ranks(memory, cascades.indptr, cascades.user, asked, powers, numbers)


@numba.njit(cache=True)
def _ranks(  # noqa: PLR0917 - numba takes positions
    m: Memory, indptr: Int, user: Int, asked: np.ndarray, powers: Float, numbers: tuple
) -> Float:
    fade, sender, last, linked, popular = numbers
    users = len(m.count)
    found, q = np.empty(asked.sum()), 0
    base = popular * m.count / max(m.count.max(), 1.0)
    inside = np.zeros(users, np.bool_)
    for c in range(len(indptr) - 1):
        pairs, links = np.zeros(users), np.zeros(users)
        step = np.zeros(users)
        for e in range(indptr[c], indptr[c + 1]):
            if asked[e]:
                score = pairs + last * step + base + linked * links / max(1.0, e - indptr[c])
                found[q] = _rank(score, inside, user[e])
                q += 1
            u = user[e]
            inside[u] = True
            pairs *= fade
            step[:] = 0.0
            _count(m, u, powers, (m.count[u] + 1.0) ** -sender, pairs, step)
            for k in range(m.out_ptr[u], m.out_ptr[u + 1]):
                links[m.out_user[k]] += 1.0
            for k in range(m.in_ptr[u], m.in_ptr[u + 1]):
                links[m.in_user[k]] += 1.0
        for e in range(indptr[c], indptr[c + 1]):
            inside[user[e]] = False
    return found


@numba.njit(cache=True)
def _count(  # noqa: PLR0917 - numba takes positions
    m: Memory, u: int, powers: Float, scale: float, pairs: Float, step: Float
) -> None:
    """Add what came after u; `scale` is what one event of u weighs."""
    last = m.event_ptr[u + 1]
    for k in range(max(m.event_ptr[u], last - EVENTS), last):
        e = m.event[k]
        for f in range(e + 1, m.indptr[m.cascade_of[e] + 1]):
            pairs[m.user[f]] += scale * powers[f - e - 1]
        if e + 1 < m.indptr[m.cascade_of[e] + 1]:
            step[m.user[e + 1]] += scale


@numba.njit(cache=True)
def _rank(score: Float, inside: np.ndarray, target: int) -> float:
    mine, ahead = score[target], 0
    for v in range(len(score)):
        if not inside[v] and (score[v] > mine or (score[v] == mine and v < target)):
            ahead += 1
    return 1.0 + ahead
