"""Who may come next: the best by each of several ways to remember."""

from __future__ import annotations

import numba
import numpy as np

from engine.propagation.nextsharer.linear import Floats
from engine.propagation.nextsharer.memory import Memory
from engine.propagation.nextsharer.prefix import (
    AT,
    BEFORE_ALL,
    CLOSE_LATER,
    CLOSE_MID,
    FRESH_ALL,
    FRESH_LAST,
    GAPS,
    LAST,
    LAST_PLACE,
    MATCHES,
    SIM,
    SIM_FADE,
    WIDE_LATER,
    Prefix,
)
from engine.propagation.nextsharer.sequences import Float, Int

NEIGHBOURS = 100
"""Past cascades, nearest first, that vote."""
PAIRS, FRESH_PAIRS, ANY_PAIRS, WIDE_PAIRS, VOTES, LINKED, BUSY, FACTORS, LINEAR = 130, 60, 60, 100, 60, 60, 60, 40, 100
LAST_WEIGHT = 3.0
"""Of v having come right after the last user, beside the sums over all of them."""
MOST = PAIRS + FRESH_PAIRS + ANY_PAIRS + WIDE_PAIRS + VOTES + LINKED + BUSY + FACTORS + LINEAR
"""Candidates at most, and of each way: pairs, pairs of late, in any order, at any distance, votes of cascades, ..."""


@numba.njit(cache=True)
def paired(p: Prefix, v: int) -> float:
    """Return how well v follows the prefix, by pairs alone: soon after its users."""
    return p.state[v, CLOSE_MID] + LAST_WEIGHT * p.state[v, LAST]


@numba.njit(cache=True)
def paired_widely(p: Prefix, v: int) -> float:
    """Return how well v follows the prefix, by pairs alone: at any distance after its users."""
    return p.state[v, WIDE_LATER] + LAST_WEIGHT * p.state[v, LAST]


@numba.njit(cache=True)
def vote(m: Memory, p: Prefix, step: int) -> int:
    """Let the nearest past cascades vote for their users; return how many have votes."""
    total = p.near[0]
    weight = np.empty(total)
    for k in range(total):
        c = p.near[k + 1]
        like = p.like[c]
        length = m.indptr[c + 1] - m.indptr[c]
        weight[k] = like[SIM] * SIM_FADE ** (step - like[AT]) * like[MATCHES] / np.sqrt(length + 5.0)
    n = 0
    for k in np.argsort(-weight)[:NEIGHBOURS]:
        c, w = p.near[k + 1], weight[k]
        first = m.indptr[c]
        matched = first + int(p.like[c, LAST_PLACE])
        for f in range(first, m.indptr[c + 1]):
            v = m.user[f]
            if p.inside[v]:
                continue
            votes = p.votes[v]
            if votes[0] == 0.0:
                p.voted[n] = v
                n += 1
            votes[0] += w
            if f > matched:
                votes[1] += w * GAPS[1, f - matched - 1]
            else:
                votes[3] += w * GAPS[1, matched - f]
            votes[2] = max(votes[2], w)
    return n


@numba.njit(cache=True)
def _add(  # noqa: PLR0917 - numba takes positions
    value: Float, of: Int, most: int, chosen: Int, marked: np.ndarray, n: int
) -> int:
    """Add the users `of` of the largest positive values; return how many are chosen, n before."""
    best = np.argpartition(-value, most)[:most] if len(value) > most else np.arange(len(value))
    for at in best:
        v = of[at]
        if value[at] > 0.0 and not marked[v]:
            marked[v] = True
            chosen[n] = v
            n += 1
    return n


@numba.njit(cache=True)
def _by_pairs(m: Memory, p: Prefix, n_active: int, chosen: Int, marked: np.ndarray) -> int:
    value = np.zeros((4, n_active))
    for k in range(n_active):
        v = p.active[k]
        if not p.inside[v]:
            state = p.state[v]
            value[0, k] = paired(p, v)
            value[3, k] = paired_widely(p, v)
            value[1, k] = state[FRESH_ALL] + state[FRESH_LAST]
            value[2, k] = (state[CLOSE_LATER] + state[BEFORE_ALL]) / np.sqrt(m.count[v] + 1.0)
    active = p.active[:n_active]
    n = _add(value[0], active, PAIRS, chosen, marked, 0)
    n = _add(value[1], active, FRESH_PAIRS, chosen, marked, n)
    n = _add(value[2], active, ANY_PAIRS, chosen, marked, n)
    return _add(value[3], active, WIDE_PAIRS, chosen, marked, n)


@numba.njit(cache=True)
def _by_cascades_and_links(  # noqa: PLR0917 - numba takes positions
    m: Memory, p: Prefix, n_voted: int, n_linked: int, chosen: Int, marked: np.ndarray, n: int
) -> int:
    value = np.empty(n_voted)
    for k in range(n_voted):
        votes = p.votes[p.voted[k]]
        value[k] = votes[0] + 2.0 * votes[1]
    n = _add(value, p.voted[:n_voted], VOTES, chosen, marked, n)
    value = np.zeros(n_linked)
    for k in range(n_linked):
        v = p.linked[k]
        if not p.inside[v]:
            value[k] = p.links[v].sum() * (1.0 + m.count[v])
    return _add(value, p.linked[:n_linked], LINKED, chosen, marked, n)


@numba.njit(cache=True)
def choose_candidates(  # noqa: PLR0917 - numba takes positions
    m: Memory,
    p: Prefix,
    found: tuple[int, int, int],
    close: Floats,
    linear: Floats,
    chosen: Int,
    marked: np.ndarray,
) -> int:
    """Fill `chosen` with candidates, none of the prefix; return how many, at most MOST.

    Args:
        m: of the past.
        p: of the prefix.
        found: how many users are active, have votes, are linked.
        close: (D,) what the prefix sends, in factors.
        linear: (U,) linear scores.
        chosen: (MOST,) is written.
        marked: (U,) False, and left so.
    """
    n = _by_pairs(m, p, found[0], chosen, marked)
    n = _by_cascades_and_links(m, p, found[1], found[2], chosen, marked, n)
    added = 0
    for v in m.busiest:
        if added == BUSY:
            break
        if not p.inside[v]:
            added += 1
            if not marked[v]:
                marked[v] = True
                chosen[n] = v
                n += 1
    everybody = np.arange(len(m.count))
    near = (m.receives @ close).astype(np.float64)
    near[p.inside] = 0.0
    n = _add(near, everybody, FACTORS, chosen, marked, n)
    near = linear.astype(np.float64)
    near[p.inside] = 0.0
    n = _add(near, everybody, LINEAR, chosen, marked, n)
    for k in range(n):
        marked[chosen[k]] = False
    return n
