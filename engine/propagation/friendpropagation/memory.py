"""What past cascades tell about a running one, kept up to date sharer by sharer in flat arrays.

Each sharer who comes opens the past cascades they were in. Whoever came after them there gets C(i, j), and from all
sharers so far the running sums that say how drawn j is to this cascade. The running cascade itself is never among the
past ones, so figures of cascades that are learned from mean what they mean for new ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from engine.propagation.cascades import Cascades
from engine.propagation.friendpropagation.pairs import Float, Int, Neighbours

AFTER, SOON, BEFORE, TOGETHER = range(4)
"""Rows of `State.pair`: what the sharer of this place tells of everyone."""
DRAWN, MOST, NONE, LATELY, ALIKE, TIES, CLOSE, LINEAR = range(8)
"""Rows of `State.flow`: what all sharers so far tell of everyone."""
PAIR_ROWS, FLOW_ROWS = 4, 8
FADE = 0.8
"""What a sharer tells weighs so much less with each one who follows."""
UNSURE = 2.0
"""Added to the cascades of a sharer: rates of few cascades are no certainty."""


class Past(NamedTuple):
    """H past cascades and where each of U users was in them."""

    indptr: Int
    """(H + 1,)"""
    user: Int
    """(E,)"""
    time_s: Float
    """(E,) ascending inside a cascade."""
    weight: Float
    """(H,) 1 / log2(2 + size): small cascades tell more about who belongs together."""
    is_late: NDArray[np.bool_]
    """(H,) among the quarter that began last."""
    owner: Int
    """(U + 1,) bounds of each user's events below."""
    cascade: Int
    """(E,) by user and time."""
    place: Int
    """(E,)"""
    at_s: Float
    """(E,) time of the event."""


class State(NamedTuple):
    """What is known at a place of the running cascade."""

    pair: Float
    """(PAIR_ROWS, U)"""
    flow: Float
    """(FLOW_ROWS, U)"""
    overlap: Float
    """(H,) sharers so far who were in each past cascade."""
    taste: Float
    """(D,) summed vectors of the sharers so far."""


class Links(NamedTuple):
    """`Neighbours` as the kernels take it."""

    indptr: Int
    user: Int


class Tables(NamedTuple):
    """What is learned from whole cascades, once for each fold of those learned from and once of all."""

    fold: Int
    """(N,) which table a cascade is measured with: one that was made without it."""
    column: Int
    """(U,) column of the linear model, -1 for none."""
    known: Int
    """(M,) user of each column."""
    linear: NDArray[np.float32]
    """(F, M, M)"""
    vectors: NDArray[np.float32]
    """(F, U, D)"""


def past_of(cascades: Cascades, rows: Int, users: int, *, live: bool = False) -> Past:
    """Return the memory of some cascades (by start); `live`: of equal weights, as sizes are known in the end only."""
    taken = cascades.take(rows)
    size = np.diff(taken.indptr)
    time_s = taken.start_s[taken.cascade_of] + taken.seconds
    order = np.lexsort((time_s, taken.user))
    place = np.arange(len(taken.user)) - np.repeat(taken.indptr[:-1], size)
    return Past(
        taken.indptr,
        taken.user,
        time_s,
        np.ones(len(size)) if live else 1.0 / np.log2(2.0 + size),
        np.arange(len(rows)) >= 0.75 * len(rows),
        np.concatenate([[0], np.cumsum(np.bincount(taken.user, minlength=users))]).astype(np.int64),
        taken.cascade_of[order],
        place[order],
        time_s[order],
    )


def links_of(neighbours: Neighbours) -> Links:
    """Return the rows of the neighbours."""
    return Links(neighbours.indptr, neighbours.user)


@numba.njit(cache=True)
def fresh_state(past: Past, users: int, dimensions: int) -> State:
    """Return the state before the first sharer."""
    return State(
        np.zeros((PAIR_ROWS, users)),
        np.zeros((FLOW_ROWS, users)),
        np.zeros(len(past.weight)),
        np.zeros(dimensions),
    )


@numba.njit(cache=True)
def clear(state: State) -> None:
    """Go back to before the first sharer."""
    state.pair[:] = 0.0
    state.flow[:] = 0.0
    state.overlap[:] = 0.0
    state.taste[:] = 0.0


@numba.njit(cache=True)
def enter(state: State, past: Past, links: Links, sharer: int, seen: tuple[int, float]) -> int:
    """Take in the next sharer and return in how many past cascades they were.

    `seen`: the running cascade's place among the past ones (-1: none), and the time from which on nothing is known.
    """
    state.pair[:] = 0.0
    cascades = _open(state, past, sharer, seen)
    state.flow[LATELY] *= FADE
    for j in range(state.pair.shape[1]):
        together = state.pair[TOGETHER, j]
        if together > 0.0:
            rate = state.pair[AFTER, j] / (cascades + UNSURE)
            state.flow[DRAWN, j] += rate
            state.flow[MOST, j] = max(state.flow[MOST, j], rate)
            state.flow[NONE, j] += np.log1p(-rate)
            state.flow[LATELY, j] += rate
            state.flow[ALIKE, j] += together / np.sqrt(cascades + UNSURE)
    degree = links.indptr[sharer + 1] - links.indptr[sharer]
    for at in range(links.indptr[sharer], links.indptr[sharer + 1]):
        state.flow[TIES, links.user[at]] += 1.0
        state.flow[CLOSE, links.user[at]] += 1.0 / np.log(1.5 + degree)
    return cascades


@numba.njit(cache=True)
def _open(state: State, past: Past, sharer: int, seen: tuple[int, float]) -> int:
    """Count who was in the sharer's past cascades, and return how many these are."""
    own, known_s = seen
    cascades = 0
    for event in range(past.owner[sharer], past.owner[sharer + 1]):
        if past.at_s[event] >= known_s:
            break
        h = past.cascade[event]
        if h == own:
            continue
        cascades += 1
        state.overlap[h] += 1.0
        mine = past.indptr[h] + past.place[event]
        for at in range(past.indptr[h], past.indptr[h + 1]):
            if past.time_s[at] >= known_s:
                break
            j = past.user[at]
            state.pair[TOGETHER, j] += past.weight[h]
            if at > mine:
                state.pair[AFTER, j] += 1.0
                state.pair[SOON, j] += 1.0 / np.log2(1.0 + at - mine)
            elif at < mine:
                state.pair[BEFORE, j] += 1.0
    return cascades


@numba.njit(cache=True)
def learned(state: State, tables: Tables, fold: int, sharer: int) -> None:
    """Add what the linear model and the vectors say of the next sharer."""
    row = tables.column[sharer]
    if row >= 0:
        for column in range(len(tables.known)):
            state.flow[LINEAR, tables.known[column]] += tables.linear[fold, row, column]
    for d in range(len(state.taste)):
        state.taste[d] += tables.vectors[fold, sharer, d]
