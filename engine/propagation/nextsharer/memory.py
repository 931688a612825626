"""What past cascades and links tell of users: who came after whom, who is active, who is near whom."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from engine.propagation.nextsharer.linear import inverse
from engine.propagation.nextsharer.sequences import Float, Int, Links, Sequences
from engine.propagation.sharetarget.population import factors

Floats = NDArray[np.float32]

DIMENSIONS = 48
EVENTS = 400
"""Newest events of a user that are looked at."""
REACH = 20
"""Places after a user's that the factors see."""
FADE = 0.85
"""What a place further on weighs."""
HALF_LIFE = 0.1
"""Part of the cascades in which the weight of one halves."""


class Memory(NamedTuple):
    """History of U users, C cascades, E events; numba reads it as it is."""

    indptr: Int
    """(C + 1,) bounds of each cascade's events."""
    user: Int
    """(E,)"""
    time_s: Float
    """(E,)"""
    cascade_of: Int
    """(E,)"""
    fresh: Float
    """(C,) weight of a cascade, (0, 1]: the newest 1."""
    event_ptr: Int
    """(U + 1,) bounds of each user's events."""
    event: Int
    """(E,) events by user, oldest cascade first."""
    acted_s: Float
    """(E,) times of each user's events, ascending inside a user."""
    count: Float
    """(U,) events."""
    lately: Float
    """(U,) events, each weighing as its cascade."""
    place: Float
    """(U,) mean log2(1 + place in the cascade), 0 without any."""
    delay: Float
    """(U,) mean log2(1 + seconds since the start), 0 without any."""
    roots: Float
    """(U,) cascades begun."""
    out_ptr: Int
    """(U + 1,) bounds of each user's links to others."""
    out_user: Int
    """(L,)"""
    in_ptr: Int
    """(U + 1,) bounds of the links from others."""
    in_user: Int
    """(L,)"""
    sends: Floats
    """(U, D) factors of who comes before."""
    receives: Floats
    """(U, D) factors of who comes soon after."""
    busiest: Int
    """(U,) users by `lately`, most first."""
    inverse: Floats
    """(C', C') of the linear model, over the newest cascades."""


def remember(history: Sequences, links: Links, seed: int) -> Memory:
    """Return the memory of these cascades and nothing else.

    Args:
        history: past cascades by start.
        links: between users, known beforehand; may be none.
        seed: of the factors.
    """
    users, counts = history.users, np.diff(history.indptr)
    cascade_of = np.repeat(np.arange(len(history)), counts)
    fresh = 0.5 ** ((len(history) - 1 - np.arange(len(history))) / max(1.0, HALF_LIFE * len(history)))
    event = np.argsort(history.user, kind="stable")
    acted = np.lexsort((history.time_s, history.user))
    count = np.bincount(history.user, minlength=users).astype(np.float64)
    lately = np.bincount(history.user, fresh[cascade_of], users)
    first = history.indptr[:-1]
    place = np.arange(len(history.user)) - first[cascade_of]
    delay = history.time_s - history.time_s[first][cascade_of]
    mean_place, mean_delay = (
        np.bincount(history.user, np.log2(1.0 + each), users) / np.maximum(count, 1.0) for each in (place, delay)
    )
    source, target, weight = followers(history.indptr, history.user)
    source, target, weight = _summed(source, target, weight, users)
    sends, receives = factors(source, target, weight, users, dimensions=DIMENSIONS, seed=seed)
    return Memory(
        history.indptr,
        history.user,
        history.time_s,
        cascade_of,
        fresh,
        _bounds(history.user, users),
        event,
        history.time_s[acted],
        count,
        lately,
        mean_place,
        mean_delay,
        np.bincount(history.user[first], minlength=users).astype(np.float64),
        *_neighbours(links.source, links.target, users),
        *_neighbours(links.target, links.source, users),
        np.ascontiguousarray(sends),
        np.ascontiguousarray(receives),
        np.lexsort((np.arange(users), -count, -lately)),
        inverse(history.indptr, history.user, count),
    )


def _bounds(user: Int, users: int) -> Int:
    return np.concatenate([[0], np.cumsum(np.bincount(user, minlength=users))]).astype(np.int64)


def _neighbours(source: Int, target: Int, users: int) -> tuple[Int, Int]:
    """Return the targets by source, as bounds and users."""
    return _bounds(source, users), target[np.argsort(source, kind="stable")]


def _summed(source: Int, target: Int, weight: Float, users: int) -> tuple[Int, Int, Float]:
    pair, of = np.unique(source * users + target, return_inverse=True)
    return pair // users, pair % users, np.log1p(np.bincount(of, weight))


@numba.njit(cache=True)
def followers(indptr: Int, user: Int) -> tuple[Int, Int, Float]:
    """Return (earlier, later, FADE^(gap - 1)) of all pairs of one cascade within REACH places."""
    size = 0
    for c in range(len(indptr) - 1):
        for e in range(indptr[c], indptr[c + 1]):
            size += min(indptr[c + 1], e + REACH + 1) - e - 1
    source, target, weight = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size)
    at = 0
    for c in range(len(indptr) - 1):
        for e in range(indptr[c], indptr[c + 1]):
            for f in range(e + 1, min(indptr[c + 1], e + REACH + 1)):
                source[at], target[at], weight[at] = user[e], user[f], FADE ** (f - e - 1)
                at += 1
    return source, target, weight
