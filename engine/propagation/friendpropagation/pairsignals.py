"""The signals of a pair: the sharer, the friend, the two together, the friend and all sharers so far, the cascade."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from engine.propagation.friendpropagation import memory
from engine.propagation.friendpropagation.memory import Links, Past, State, Tables
from engine.propagation.friendpropagation.pairs import Float, Folder, Int, Neighbours, Pairs
from engine.propagation.friendpropagation.tables import tables_of

CASCADE = ("place", "elapsed", "gap", "clock", "began", "busy", "concentrated")
SHARER = ("sharer_cascades", "sharer_degree")
FRIEND = (
    "friend_cascades",
    "friend_degree",
    "friend_small",
    "friend_early",
    "friend_late",
    "friend_per_tie",
)
RECENCY = ("friend_before", "friend_lately", "friend_just", "friend_idle", "friend_new")
COUNTS = ("after", "after_of_sharer", "after_of_friend", "before", "before_of_friend", "soon", "together")
LINKS = ("out", "into", "common", "adamic_adar", "jaccard", "ties", "ties_of_friend", "ties_of_sharers", "close")
DRAWN = ("drawn", "drawn_mean", "drawn_most", "drawn_any", "drawn_lately", "alike", "near", "nearest")
LEARNED = ("linear", "linear_mean", "vector_pair", "vector_taste")
GROUPS = {
    "cascade": CASCADE,
    "sharer": SHARER,
    "friend": FRIEND,
    "recency": RECENCY,
    "counts": COUNTS,
    "links": LINKS,
    "drawn": DRAWN,
    "learned": LEARNED,
}
"""Groups of signals that an ablation leaves out."""
NAMES = tuple(name for group in GROUPS.values() for name in group)
LATELY, JUST = 0.05, 0.01
"""Parts of the span of all past events that count as lately and as just now."""
_SOONEST = 1e-6


def signals_of(folder: Folder, pairs: Pairs, past_rows: Int, seed: int, *, live: bool = False) -> NDArray[np.float32]:
    """Return the signals of pairs, (P, len(NAMES)).

    Args:
        folder: cascades and links.
        pairs: ordered by cascade and place.
        past_rows: cascades that are the past; one that is measured itself does not count in its own signals.
        seed: of the vectors.
        live: whether only what happened before the share counts; what is learned from whole cascades is 0 then.
    """
    past = memory.past_of(folder.cascades, past_rows, folder.users)
    own = np.full(len(folder.cascades), -1, np.int64)
    own[past_rows] = np.arange(len(past_rows))
    tables = tables_of(folder, past_rows, seed)
    links, shape = memory.links_of(folder.neighbours), tie_shape(folder.neighbours)
    found = np.zeros((len(pairs), len(NAMES)), np.float32)
    time_s = folder.cascades.start_s[folder.cascades.cascade_of] + folder.cascades.seconds
    running = (folder.cascades.indptr, folder.cascades.user, time_s)
    asked = (pairs.cascade, pairs.place, pairs.tie)
    _measure_all(found, asked, running, own, past, links, shape, tables, live)
    if live:
        found[:, [NAMES.index(name) for name in LEARNED]] = 0.0
    return found


def tie_shape(neighbours: Neighbours) -> NDArray[np.float32]:
    """Return of every tie (E, 5): out, into, log of common neighbours, Adamic-Adar, Jaccard.

    Adamic and Adar, Friends and neighbors on the Web (2003): common neighbours weigh 1 / log of their degree.
    """
    shape = np.empty((len(neighbours.user), 5), np.float32)
    shape[:, 0], shape[:, 1] = neighbours.out, neighbours.into
    _common(shape, neighbours.indptr, neighbours.user)
    return shape


@numba.njit(cache=True)
def _common(shape: NDArray[np.float32], indptr: Int, user: Int) -> None:
    for u in range(len(indptr) - 1):
        for at in range(indptr[u], indptr[u + 1]):
            a, b, v = indptr[u], indptr[user[at]], user[at]
            common, weighted = 0, 0.0
            while a < indptr[u + 1] and b < indptr[v + 1]:
                if user[a] < user[b]:
                    a += 1
                elif user[a] > user[b]:
                    b += 1
                else:
                    common += 1
                    weighted += 1.0 / np.log(1.5 + indptr[user[a] + 1] - indptr[user[a]])
                    a += 1
                    b += 1
            both = indptr[u + 1] - indptr[u] + indptr[v + 1] - indptr[v]
            shape[at, 2], shape[at, 3] = np.log1p(common), weighted
            shape[at, 4] = common / max(both - common, 1)


@numba.njit(cache=True)
def _measure_all(
    found: NDArray[np.float32],
    asked: tuple[Int, Int, Int],
    running: tuple[Int, Int, Float],
    own: Int,
    past: Past,
    links: Links,
    shape: NDArray[np.float32],
    tables: Tables,
    live: bool,
) -> None:
    cascade, place, tie = asked
    indptr, user, time_s = running
    state = memory.fresh_state(past, len(links.indptr) - 1, tables.vectors.shape[2])
    first_s, last_s = past.time_s.min(), past.time_s.max()
    friend, row = np.zeros(8), 0
    while row < len(tie):
        c, fold, busy = cascade[row], tables.fold[cascade[row]], 0.0
        memory.clear(state)
        for p in range(indptr[c + 1] - indptr[c]):
            event = indptr[c] + p
            i, now_s = user[event], time_s[event]
            known_s = now_s if live else np.inf
            cascades = memory.enter(state, past, links, i, own[c], known_s)
            memory.learned(state, tables, fold, i)
            busy += np.log1p(cascades)
            began_s, span_s = time_s[indptr[c]], max(last_s - first_s, 1.0)
            before_s = time_s[event - 1] if p else now_s
            about = (now_s, span_s, began_s, before_s, first_s, busy / (p + 1.0), cascades, state.overlap.max())
            while row < len(tie) and cascade[row] == c and place[row] == p:
                j = links.user[tie[row]]
                _of_friend(friend, state, past, j, own[c], about, live)
                _running(found[row], about, p, links.indptr[i + 1] - links.indptr[i])
                _alone(found[row], friend, links.indptr[j + 1] - links.indptr[j])
                _together(found[row], state, friend, cascades, j, shape[tie[row]])
                _so_far(found[row], state, past, friend, (p, j, links.indptr[j + 1] - links.indptr[j], own[c]), known_s)
                _tables(found[row], state, tables, fold, i, j, p)
                row += 1
            if row == len(tie) or cascade[row] != c:
                break


_CASCADE, _FRIEND, _RECENCY, _COUNTS, _LINKS, _DRAWN, _LEARNED = (
    NAMES.index(group[0]) for group in (CASCADE, FRIEND, RECENCY, COUNTS, LINKS, DRAWN, LEARNED)
)
ALL, SMALL, EARLY, LATE, BEFORE_NOW, IN_LATELY, IN_JUST, IDLE = range(8)
"""Figures of a friend: past cascades; the same by weight; among the first ten; begun late; before the share; ..."""
_FIRST_PLACES = 10


@numba.njit(cache=True)
def _of_friend(friend: Float, state: State, past: Past, j: int, own: int, about: tuple[float, ...], live: bool) -> None:
    """Fill in the figures of j from all past cascades but `own`."""
    now_s, span_s = about[0], about[1]
    friend[:] = 0.0
    last_s = -np.inf
    for event in range(past.owner[j], past.owner[j + 1]):
        h, at_s = past.cascade[event], past.at_s[event]
        if live and at_s >= now_s:
            break
        if h == own:
            continue
        friend[ALL] += 1.0
        friend[SMALL] += past.weight[h] ** 2
        friend[EARLY] += past.place[event] < _FIRST_PLACES
        friend[LATE] += past.is_late[h]
        if at_s < now_s:
            friend[BEFORE_NOW] += 1.0
            friend[IN_LATELY] += now_s - at_s < LATELY * span_s
            friend[IN_JUST] += now_s - at_s < JUST * span_s
            last_s = at_s
    friend[IDLE] = np.log(min((now_s - last_s) / span_s, 2.0) + _SOONEST)


@numba.njit(cache=True)
def _running(found: NDArray[np.float32], about: tuple[float, ...], p: int, degree: int) -> None:
    """Write the groups CASCADE and SHARER."""
    now_s, span_s, began_s, before_s, first_s, busy, cascades, overlap = about
    found[_CASCADE] = np.log1p(p)
    found[_CASCADE + 1] = np.log((now_s - began_s) / span_s + _SOONEST)
    found[_CASCADE + 2] = np.log((now_s - before_s) / span_s + _SOONEST)
    found[_CASCADE + 3] = (now_s - first_s) / span_s
    found[_CASCADE + 4] = (began_s - first_s) / span_s
    found[_CASCADE + 5] = busy
    found[_CASCADE + 6] = overlap / (p + 1.0)
    found[_CASCADE + 7] = np.log1p(cascades)
    found[_CASCADE + 8] = np.log1p(degree)


@numba.njit(cache=True)
def _alone(found: NDArray[np.float32], friend: Float, degree: int) -> None:
    """Write the groups FRIEND and RECENCY."""
    found[_FRIEND] = np.log1p(friend[ALL])
    found[_FRIEND + 1] = np.log1p(degree)
    found[_FRIEND + 2] = np.log1p(friend[SMALL])
    found[_FRIEND + 3] = np.log1p(friend[EARLY])
    found[_FRIEND + 4] = np.log1p(friend[LATE])
    found[_FRIEND + 5] = friend[ALL] / (degree + 1.0)
    found[_RECENCY] = np.log1p(friend[BEFORE_NOW])
    found[_RECENCY + 1] = np.log1p(friend[IN_LATELY])
    found[_RECENCY + 2] = np.log1p(friend[IN_JUST])
    found[_RECENCY + 3] = friend[IDLE]
    found[_RECENCY + 4] = (friend[BEFORE_NOW] + 0.5) / (friend[ALL] + 1.0)


@numba.njit(cache=True)
def _together(
    found: NDArray[np.float32], state: State, friend: Float, cascades: int, j: int, shape: NDArray[np.float32]
) -> None:
    """Write the group COUNTS and what the tie alone says."""
    after, before = state.pair[memory.AFTER, j], state.pair[memory.BEFORE, j]
    found[_COUNTS] = np.log1p(after)
    found[_COUNTS + 1] = after / (cascades + memory.UNSURE)
    found[_COUNTS + 2] = after / (friend[ALL] + memory.UNSURE)
    found[_COUNTS + 3] = np.log1p(before)
    found[_COUNTS + 4] = before / (friend[ALL] + memory.UNSURE)
    found[_COUNTS + 5] = state.pair[memory.SOON, j] / (cascades + memory.UNSURE)
    both = (cascades + memory.UNSURE) * (friend[ALL] + memory.UNSURE)
    found[_COUNTS + 6] = state.pair[memory.TOGETHER, j] / np.sqrt(both)
    for k in range(5):
        found[_LINKS + k] = shape[k]


@numba.njit(cache=True)
def _so_far(
    found: NDArray[np.float32], state: State, past: Past, friend: Float, at: tuple[int, int, int, int], known_s: float
) -> None:
    """Write what all sharers so far say of j; `at`: place, j, j's degree, the running cascade among the past."""
    p, j, degree, own = at
    sharers, flow = p + 1.0, state.flow
    found[_LINKS + 5] = np.log1p(flow[memory.TIES, j])
    found[_LINKS + 6] = flow[memory.TIES, j] / max(degree, 1)
    found[_LINKS + 7] = flow[memory.TIES, j] / sharers
    found[_LINKS + 8] = flow[memory.CLOSE, j]
    found[_DRAWN] = np.log1p(flow[memory.DRAWN, j])
    found[_DRAWN + 1] = flow[memory.DRAWN, j] / sharers
    found[_DRAWN + 2] = flow[memory.MOST, j]
    found[_DRAWN + 3] = -flow[memory.NONE, j] / sharers
    found[_DRAWN + 4] = flow[memory.LATELY, j] * (1.0 - memory.FADE)
    found[_DRAWN + 5] = flow[memory.ALIKE, j] / sharers / np.sqrt(friend[ALL] + memory.UNSURE)
    near, nearest = 0.0, 0.0
    for event in range(past.owner[j], past.owner[j + 1]):
        h = past.cascade[event]
        if past.at_s[event] >= known_s:
            break
        if h != own:
            share = state.overlap[h] / sharers
            near += share**2 * past.weight[h]
            nearest = max(nearest, share * past.weight[h])
    found[_DRAWN + 6] = np.log1p(near)
    found[_DRAWN + 7] = nearest


@numba.njit(cache=True)
def _tables(found: NDArray[np.float32], state: State, tables: Tables, fold: int, i: int, j: int, p: int) -> None:
    """Write the group LEARNED."""
    found[_LEARNED] = state.flow[memory.LINEAR, j]
    found[_LEARNED + 1] = state.flow[memory.LINEAR, j] / np.sqrt(p + 1.0)
    pair, taste = 0.0, 0.0
    for d in range(len(state.taste)):
        pair += tables.vectors[fold, i, d] * tables.vectors[fold, j, d]
        taste += state.taste[d] * tables.vectors[fold, j, d]
    found[_LEARNED + 2] = pair
    found[_LEARNED + 3] = taste / (p + 1.0)
