"""What the prefix of a running cascade calls to mind: sums over its users, kept while it grows."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from engine.propagation.cascades import LONGEST
from engine.propagation.nextsharer.memory import EVENTS, FADE, Memory
from engine.propagation.nextsharer.sequences import Float, Int

ROWS = 8
NEAR, MID, LATER, QUICK, NEXT, BEFORE, FRESH, PART = range(ROWS)
"""How a user v came with one user u of the prefix, summed over past cascades. Where v came `gap` places later it counts
.5^(gap - 1), FADE^(gap - 1), 1, e^(-hours between), 1 if gap is 1; where v came before, FADE^(gap - 1); where v came
later again, FADE^(gap - 1) times the weight of the cascade, and one over the number of users after u."""
STATES = (
    *((NEAR, 0.5), (NEAR, 0.9), (MID, 0.8), (MID, 0.95), (MID, 1.0), (LATER, 0.9), (LATER, 1.0)),
    *((QUICK, 0.5), (QUICK, 0.9), (NEXT, 0.0), (NEXT, 0.8), (BEFORE, 0.9), (BEFORE, 1.0)),
    *((FRESH, 0.5), (FRESH, 0.95), (PART, 0.8), (PART, 1.0), (LATER, 0.8)),
)
"""Sums that are kept: of which row, and what remains of it with every further user of the prefix."""
OF_ROW = np.array([row for row, _ in STATES])
FADES = np.array([fade for _, fade in STATES])
CLOSE_MID, CLOSE_LATER, LAST, BEFORE_ALL, FRESH_LAST, FRESH_ALL, WIDE_LATER = 3, 6, 9, 12, 13, 14, 17
"""Places in STATES that candidates are found by."""
GAPS = np.stack([0.5 ** np.arange(LONGEST + 1), FADE ** np.arange(LONGEST + 1)])
BEST, SUPPORTERS, SUPPORTERS_LATELY, AGO = range(4)
SIM, AT, LAST_PLACE, MATCHES = range(4)
SIM_FADE = 0.95


class Prefix(NamedTuple):
    """Working room of U users and C cascades; everything is zero between cascades."""

    row: Float
    """(U, ROWS) how users came with the last user of the prefix."""
    touched: Int
    """(U,) users whose row is not zero."""
    state: Float
    """(U, len(STATES))"""
    extra: Float
    """(U, 4) best chance after one user, users of the prefix after whom v came, the same fading, step of the last."""
    active: Int
    """(U,) users whose state is not zero."""
    is_active: NDArray[np.bool_]
    """(U,)"""
    inside: NDArray[np.bool_]
    """(U,) users of the prefix."""
    like: Float
    """(C, 4) likeness of past cascades: sum, when it was brought up to date, place of the last match, matches."""
    near: Int
    """(C + 1,) how many cascades have any, then which."""
    is_near: NDArray[np.bool_]
    """(C,)"""
    votes: Float
    """(U, 4) votes of the nearest cascades: all, for whom comes next, the largest, for whom was passed."""
    voted: Int
    """(U,) users with votes."""
    links: Float
    """(U, 4) links from the prefix, from its last user, to the prefix, to its last user."""
    linked: Int
    """(U,) users with links."""
    is_linked: NDArray[np.bool_]
    """(U,)"""


def empty_prefix(memory: Memory) -> Prefix:
    """Return working room for this memory."""
    u, c = len(memory.count), len(memory.fresh)

    def numbers(size: int) -> Int:
        return np.zeros(size, np.int64)

    def marks(size: int) -> NDArray[np.bool_]:
        return np.zeros(size, np.bool_)

    return Prefix(
        *(np.zeros((u, ROWS)), numbers(u), np.zeros((u, len(STATES))), np.zeros((u, 4)), numbers(u), marks(u)),
        *(marks(u), np.zeros((c, 4)), numbers(c + 1), marks(c), np.zeros((u, 4)), numbers(u)),
        *(np.zeros((u, 4)), numbers(u), marks(u)),
    )


@numba.njit(cache=True)
def _with(m: Memory, p: Prefix, e: int, n: int) -> int:
    """Add the users of the past cascade of event e to the rows; return how many rows are touched, n before."""
    c = m.cascade_of[e]
    end = m.indptr[c + 1]
    for f in range(m.indptr[c], end):
        if f == e:
            continue
        v = m.user[f]
        r = p.row[v]
        if r[LATER] == 0.0 and r[BEFORE] == 0.0:
            p.touched[n] = v
            n += 1
        if f < e:
            r[BEFORE] += GAPS[1, e - f - 1]
            continue
        gap = f - e - 1
        mid = GAPS[1, gap]
        r[NEAR] += GAPS[0, gap]
        r[MID] += mid
        r[LATER] += 1.0
        r[QUICK] += np.exp((m.time_s[e] - m.time_s[f]) / 3600.0)
        r[NEXT] += gap == 0
        r[FRESH] += m.fresh[c] * mid
        r[PART] += 1.0 / (end - e - 1)
    return n


@numba.njit(cache=True)
def _gather(m: Memory, p: Prefix, u: int, step: int) -> int:
    """Fill the rows of all who came with u and liken the cascades u was in; return how many rows are touched."""
    last, n = m.event_ptr[u + 1], 0
    rarity = np.log(1.0 + len(m.fresh) / (1.0 + m.count[u]))
    for k in range(max(m.event_ptr[u], last - EVENTS), last):
        e = m.event[k]
        n = _with(m, p, e, n)
        c = m.cascade_of[e]
        like = p.like[c]
        like[SIM] = like[SIM] * SIM_FADE ** (step - like[AT]) + rarity
        like[AT], like[LAST_PLACE] = step, e - m.indptr[c]
        like[MATCHES] += 1.0
        if not p.is_near[c]:
            p.is_near[c] = True
            p.near[0] += 1
            p.near[p.near[0]] = c
    return n


@numba.njit(cache=True)
def advance(m: Memory, p: Prefix, u: int, step: int, n_active: int) -> int:
    """Add u, the user at place `step` (from 0), to the prefix; return how many users are active, `n_active` before."""
    for k in range(n_active):
        v = p.active[k]
        for j in range(len(FADES)):
            p.state[v, j] *= FADES[j]
        p.extra[v, SUPPORTERS_LATELY] *= 0.8
    p.inside[u] = True
    n, size = _gather(m, p, u, step), m.count[u]
    for k in range(n):
        v = p.touched[k]
        if not p.is_active[v]:
            p.is_active[v] = True
            p.active[n_active] = v
            n_active += 1
        for j in range(len(FADES)):
            p.state[v, j] += p.row[v, OF_ROW[j]] / (size + 0.5)
        if p.row[v, LATER] > 0.0:
            extra = p.extra[v]
            extra[BEST] = max(extra[BEST], p.row[v, MID] / (size + 2.0))
            extra[SUPPORTERS] += 1.0
            extra[SUPPORTERS_LATELY] += 1.0
            extra[AGO] = step
        p.row[v, :] = 0.0
    return n_active


@numba.njit(cache=True)
def link(m: Memory, p: Prefix, u: int, n_linked: int) -> int:
    """Add the links of u; return how many users are linked, `n_linked` before."""
    for k in range(n_linked):
        p.links[p.linked[k], 1] = p.links[p.linked[k], 3] = 0.0
    for side in range(2):
        bounds, other = (m.out_ptr, m.out_user) if side == 0 else (m.in_ptr, m.in_user)
        for k in range(bounds[u], bounds[u + 1]):
            v = other[k]
            if not p.is_linked[v]:
                p.is_linked[v] = True
                p.linked[n_linked] = v
                n_linked += 1
            p.links[v, 2 * side] += 1.0
            p.links[v, 2 * side + 1] = 1.0
    return n_linked


@numba.njit(cache=True)
def clear(p: Prefix, users: Int, n_active: int, n_linked: int) -> None:
    """Take back everything that the prefix left."""
    for u in users:
        p.inside[u] = False
    for k in range(n_active):
        v = p.active[k]
        p.state[v, :] = 0.0
        p.extra[v, :] = 0.0
        p.is_active[v] = False
    for k in range(n_linked):
        v = p.linked[k]
        p.links[v, :] = 0.0
        p.is_linked[v] = False
    for k in range(p.near[0]):
        c = p.near[k + 1]
        p.like[c, :] = 0.0
        p.is_near[c] = False
    p.near[0] = 0
