"""The loop that measures pairs: cascade by cascade, sharer by sharer, friend by friend, over flat arrays."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from engine.propagation.friendpropagation import memory
from engine.propagation.friendpropagation.memory import Links, Past, State, Tables
from engine.propagation.friendpropagation.names import (
    CASCADE,
    COUNTS,
    DRAWN,
    FRIEND,
    LEARNED,
    LINKS,
    NAMES,
    RECENCY,
)
from engine.propagation.friendpropagation.pairs import Float, Int

LATELY, JUST = 0.05, 0.01
"""Parts of the span of all past events that count as lately and as just now."""
_SOONEST = 1e-6
_FIRST_PLACES = 10
_CASCADE, _FRIEND, _RECENCY, _COUNTS, _LINKS, _DRAWN, _LEARNED = (
    NAMES.index(group[0]) for group in (CASCADE, FRIEND, RECENCY, COUNTS, LINKS, DRAWN, LEARNED)
)
ALL, SMALL, EARLY, LATE, BEFORE_NOW, IN_LATELY, IN_JUST, IDLE = range(8)
"""Figures of a friend: past cascades; the same by weight; among the first places; begun late; joined before the share,
lately, just now; log of the time since."""
_FIGURES = 8


class Known(NamedTuple):
    """What everything is measured with."""

    past: Past
    links: Links
    shape: NDArray[np.float32]
    """(E, 5) of every tie."""
    tables: Tables
    own: Int
    """(N,) place of each cascade among the past ones, -1 for none."""
    span: tuple[float, float]
    """First and last time of all past events."""
    live: bool
    """Whether only what lies before the share counts."""


class Moment(NamedTuple):
    """A sharer's place in a running cascade."""

    now_s: float
    span_s: float
    """Of all past events."""
    began_s: float
    """Start of this cascade."""
    before_s: float
    """Time of the event before."""
    first_s: float
    """Of all past events."""
    known_s: float
    """From then on nothing is known."""
    busy: float
    """Mean log of the past cascades of the sharers so far."""
    overlap: float
    """Most sharers so far who were in one past cascade."""
    place: int
    cascades: int
    """Past cascades of the sharer."""
    sharer: int
    degree: int
    """Neighbours of the sharer."""
    own: int
    fold: int


class Friend(NamedTuple):
    """The friend who is asked about."""

    user: int
    degree: int
    shape: NDArray[np.float32]
    figures: Float
    """(_FIGURES,)"""


@numba.njit(cache=True)
def measure_all(
    found: NDArray[np.float32], asked: tuple[Int, Int, Int], running: tuple[Int, Int, Float], known: Known
) -> None:
    """Fill in the signals of pairs, (P, len(NAMES)), ordered by cascade and place.

    Args:
        found: to fill.
        asked: cascade, place and tie of each pair.
        running: bounds, users and times of all cascades.
        known: what they are measured with.
    """
    cascade, place, tie = asked
    past, links = known.past, known.links
    state = memory.fresh_state(past, len(links.indptr) - 1, known.tables.vectors.shape[2])
    figures, row = np.zeros(_FIGURES), 0
    while row < len(tie):
        c, busy = cascade[row], 0.0
        memory.clear(state)
        for p in range(running[0][c + 1] - running[0][c]):
            moment = _enter(state, running, known, (c, p), busy)
            busy += np.log1p(moment.cascades)
            while row < len(tie) and cascade[row] == c and place[row] == p:
                j = links.user[tie[row]]
                _figures(figures, past, j, moment, known.live)
                friend = Friend(j, links.indptr[j + 1] - links.indptr[j], known.shape[tie[row]], figures)
                _alone(found[row], moment, friend)
                _together(found[row], state, moment, friend)
                _so_far(found[row], state, past, moment, friend)
                _learned(found[row], state, known.tables, moment, friend)
                row += 1
            if row == len(tie) or cascade[row] != c:
                break


@numba.njit(cache=True)
def _enter(state: State, running: tuple[Int, Int, Float], known: Known, at: tuple[int, int], busy: float) -> Moment:
    """Take in the sharer at place p of cascade c and return the moment; `busy` is the sum over those before."""
    indptr, user, time_s = running
    c, p = at
    past, links, event = known.past, known.links, indptr[c] + p
    i, now_s, fold = user[event], time_s[event], known.tables.fold[c]
    known_s = now_s if known.live else np.inf
    cascades = memory.enter(state, past, links, i, (known.own[c], known_s))
    memory.learned(state, known.tables, fold, i)
    first_s, last_s = known.span
    return Moment(
        now_s,
        max(last_s - first_s, 1.0),
        time_s[indptr[c]],
        time_s[event - 1] if p else now_s,
        first_s,
        known_s,
        (busy + np.log1p(cascades)) / (p + 1.0),
        state.overlap.max(),
        p,
        cascades,
        i,
        links.indptr[i + 1] - links.indptr[i],
        known.own[c],
        fold,
    )


@numba.njit(cache=True)
def _figures(figures: Float, past: Past, j: int, moment: Moment, live: bool) -> None:
    """Fill in the figures of j from all past cascades but the running one."""
    figures[:] = 0.0
    last_s = -np.inf
    for event in range(past.owner[j], past.owner[j + 1]):
        h, at_s = past.cascade[event], past.at_s[event]
        if live and at_s >= moment.now_s:
            break
        if h == moment.own:
            continue
        figures[ALL] += 1.0
        figures[SMALL] += past.weight[h] ** 2
        figures[EARLY] += past.place[event] < _FIRST_PLACES
        figures[LATE] += past.is_late[h]
        if at_s < moment.now_s:
            figures[BEFORE_NOW] += 1.0
            figures[IN_LATELY] += moment.now_s - at_s < LATELY * moment.span_s
            figures[IN_JUST] += moment.now_s - at_s < JUST * moment.span_s
            last_s = at_s
    figures[IDLE] = np.log(min((moment.now_s - last_s) / moment.span_s, 2.0) + _SOONEST)


@numba.njit(cache=True)
def _alone(found: NDArray[np.float32], moment: Moment, friend: Friend) -> None:
    """Write the groups CASCADE, SHARER, FRIEND and RECENCY."""
    figures, span_s = friend.figures, moment.span_s
    found[_CASCADE] = np.log1p(moment.place)
    found[_CASCADE + 1] = np.log((moment.now_s - moment.began_s) / span_s + _SOONEST)
    found[_CASCADE + 2] = np.log((moment.now_s - moment.before_s) / span_s + _SOONEST)
    found[_CASCADE + 3] = (moment.now_s - moment.first_s) / span_s
    found[_CASCADE + 4] = (moment.began_s - moment.first_s) / span_s
    found[_CASCADE + 5] = moment.busy
    found[_CASCADE + 6] = moment.overlap / (moment.place + 1.0)
    found[_CASCADE + 7] = np.log1p(moment.cascades)
    found[_CASCADE + 8] = np.log1p(moment.degree)
    found[_FRIEND] = np.log1p(figures[ALL])
    found[_FRIEND + 1] = np.log1p(friend.degree)
    found[_FRIEND + 2] = np.log1p(figures[SMALL])
    found[_FRIEND + 3] = np.log1p(figures[EARLY])
    found[_FRIEND + 4] = np.log1p(figures[LATE])
    found[_FRIEND + 5] = figures[ALL] / (friend.degree + 1.0)
    found[_RECENCY] = np.log1p(figures[BEFORE_NOW])
    found[_RECENCY + 1] = np.log1p(figures[IN_LATELY])
    found[_RECENCY + 2] = np.log1p(figures[IN_JUST])
    found[_RECENCY + 3] = figures[IDLE]
    found[_RECENCY + 4] = (figures[BEFORE_NOW] + 0.5) / (figures[ALL] + 1.0)


@numba.njit(cache=True)
def _together(found: NDArray[np.float32], state: State, moment: Moment, friend: Friend) -> None:
    """Write the group COUNTS and what the tie alone says."""
    after, before = state.pair[memory.AFTER, friend.user], state.pair[memory.BEFORE, friend.user]
    of_sharer, of_friend = moment.cascades + memory.UNSURE, friend.figures[ALL] + memory.UNSURE
    found[_COUNTS] = np.log1p(after)
    found[_COUNTS + 1] = after / of_sharer
    found[_COUNTS + 2] = after / of_friend
    found[_COUNTS + 3] = np.log1p(before)
    found[_COUNTS + 4] = before / of_friend
    found[_COUNTS + 5] = state.pair[memory.SOON, friend.user] / of_sharer
    found[_COUNTS + 6] = state.pair[memory.TOGETHER, friend.user] / np.sqrt(of_sharer * of_friend)
    for k in range(5):
        found[_LINKS + k] = friend.shape[k]


@numba.njit(cache=True)
def _so_far(found: NDArray[np.float32], state: State, past: Past, moment: Moment, friend: Friend) -> None:
    """Write what all sharers so far say of the friend."""
    j, sharers, flow = friend.user, moment.place + 1.0, state.flow
    found[_LINKS + 5] = np.log1p(flow[memory.TIES, j])
    found[_LINKS + 6] = flow[memory.TIES, j] / max(friend.degree, 1)
    found[_LINKS + 7] = flow[memory.TIES, j] / sharers
    found[_LINKS + 8] = flow[memory.CLOSE, j]
    found[_DRAWN] = np.log1p(flow[memory.DRAWN, j])
    found[_DRAWN + 1] = flow[memory.DRAWN, j] / sharers
    found[_DRAWN + 2] = flow[memory.MOST, j]
    found[_DRAWN + 3] = -flow[memory.NONE, j] / sharers
    found[_DRAWN + 4] = flow[memory.LATELY, j] * (1.0 - memory.FADE)
    found[_DRAWN + 5] = flow[memory.ALIKE, j] / sharers / np.sqrt(friend.figures[ALL] + memory.UNSURE)
    near, nearest = 0.0, 0.0
    for event in range(past.owner[j], past.owner[j + 1]):
        if past.at_s[event] >= moment.known_s:
            break
        h = past.cascade[event]
        if h != moment.own:
            share = state.overlap[h] / sharers
            near += share**2 * past.weight[h]
            nearest = max(nearest, share * past.weight[h])
    found[_DRAWN + 6] = np.log1p(near)
    found[_DRAWN + 7] = nearest


@numba.njit(cache=True)
def _learned(found: NDArray[np.float32], state: State, tables: Tables, moment: Moment, friend: Friend) -> None:
    """Write the group LEARNED."""
    sharers, own = moment.place + 1.0, tables.vectors[moment.fold]
    found[_LEARNED] = state.flow[memory.LINEAR, friend.user]
    found[_LEARNED + 1] = state.flow[memory.LINEAR, friend.user] / np.sqrt(sharers)
    pair, taste = 0.0, 0.0
    for d in range(len(state.taste)):
        pair += own[moment.sharer, d] * own[friend.user, d]
        taste += state.taste[d] * own[friend.user, d]
    found[_LEARNED + 2] = pair
    found[_LEARNED + 3] = taste / sharers
