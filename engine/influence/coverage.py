"""Greedy choice of seeds on a pool of RR sets, and how good the best choice could be on it.

What a set S of users is worth on a pool is f(S) = (RR sets that S hits) + sum of `alone` over S: coverage plus what is
known without sampling (`rrsets`), both in units of one RR set. It is monotone and submodular, so with equal costs
greedy choice is worth at least 1 - 1/e of the best (Nemhauser, Wolsey, Fisher, An analysis of approximations for
maximizing submodular set functions, 1978); with costs, gain per cost or the best single user, whichever is worth more,
at least (1 - 1/e) / 2 (Khuller, Moss, Naor, The budgeted maximum coverage problem, 1999, theorem 3); with at most so
many of a group, 1/2 (Fisher, Nemhauser, Wolsey 1978). With costs the choice by gain alone is made too, and the better
one is taken (CELF: Leskovec, Krause, Guestrin, Faloutsos, VanBriesen, Glance, Cost-effective outbreak detection in
networks, KDD 2007, section 3): where the number of users binds, what is cheap per user reached leaves money over. What
greedy reached on this pool is held against a bound of its own: at any time f(best) <= f(chosen so far) + the largest
sum of gains that the budget can still buy from nothing (OPIM: Tang, Tang, Xiao, Yuan, Online processing algorithms for
influence maximization, SIGMOD 2018, section 5).

Most users are worth so little that they are never in question: the choice and the bounds look at the few that are worth
most at first (`_Shortlist`), and at everybody only when one of these falls below what the others may still be worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.influence.rrsets import Pool

LOOKS = 10
"""How often during the choice the bound is computed."""
BINS = 2_048
SHORT, SHORTEST = 16, 1_024
"""A shortlist has about so many users for each that may be chosen, and so many at least."""
ROUNDED = 1.0 - 1e-12
"""A floor is so much lower, for the rounding of a histogram's edges."""
_NOTHING = np.empty(0)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a choice must obey; U users."""

    most: int
    """Users at most."""
    budget: float = np.inf
    """Sum of costs at most."""
    cost: NDArray[np.float64] | None = None
    """(U,) > 0; None: 1 each."""
    allowed: NDArray[np.bool_] | None = None
    """(U,) who may be chosen; None: everybody."""
    included: NDArray[np.integer] | None = None
    """Users who are chosen in any case and before all others."""
    group: NDArray[np.integer] | None = None
    """(U,) the group of each user, -1 for none."""
    quota: int = 0
    """Users of a group at most, those included not counted; 0: any number."""

    def check(self, users: int) -> None:
        """Refuse what cannot be obeyed.

        Raises:
            DataError: says what.
        """
        if self.most < 1:
            raise DataError("a seed set has at least one user")
        if self.cost is not None and (self.cost.shape != (users,) or not (self.cost > 0).all()):
            raise DataError("every user's cost is a number above 0")
        if not self.budget > 0:
            raise DataError("a budget is above 0")
        if self.quota < 0 or (self.quota > 0 and (self.group is None or self.group.shape != (users,))):
            raise DataError("a quota is at least 0 and needs the group of every user")
        forced = np.zeros(0, np.int64) if self.included is None else np.asarray(self.included)
        if len(np.unique(forced)) != len(forced) or ((forced < 0) | (forced >= users)).any():
            raise DataError("who must be included is named once and is one of the users")
        if len(forced) > self.most or self.costs(users)[forced].sum() > self.budget:
            raise DataError("those who must be included are more than the limit or the budget allows")

    def costs(self, users: int) -> NDArray[np.float64]:
        """Return the cost of each user, (U,)."""
        return np.ones(users) if self.cost is None else np.asarray(self.cost, np.float64)


@dataclass(frozen=True, slots=True)
class Choice:
    """Users chosen on one pool."""

    users: NDArray[np.int32]
    """(k,) in the order chosen."""
    gain: NDArray[np.float64]
    """(k,) what each added, in RR sets of the pool."""
    covered: int
    """RR sets that they hit."""
    bound: float
    """No choice within the limits is worth more on this pool (quotas aside)."""
    cover_bound: float
    """No choice within the limits hits more sets."""

    @property
    def value(self) -> float:
        """What the users chosen are worth, f(S)."""
        return float(self.gain.sum())


class _Purse(NamedTuple):
    """What may be bought."""

    cost: NDArray[np.float64]
    """(U,); empty where it does not matter."""
    budget: float
    most: int


class _Shortlist(NamedTuple):
    """Users worth looking at."""

    users: NDArray[np.int32]
    floor: float
    """Everybody else gains less than this, now and later; 0: all who are free and gain anything are listed."""


def choose(pool: Pool, alone: NDArray[np.float64], limits: Limits) -> Choice:
    """Choose users greedily; ties go to the lower index. Nobody is chosen who adds nothing.

    Args:
        pool: RR sets.
        alone: (U,) what each user is worth beside its coverage, in RR sets, >= 0.
        limits: what the choice must obey.

    Raises:
        DataError: limits that cannot be obeyed.
    """
    limits.check(pool.nodes)
    free = np.ones(pool.nodes, bool) if limits.allowed is None else np.array(limits.allowed, bool)
    forced = np.zeros(0, np.int32) if limits.included is None else np.asarray(limits.included, np.int32)
    most = min(limits.most, int(np.count_nonzero(free)) + len(forced))
    purse = _Purse(_NOTHING, np.inf, most)
    if limits.cost is not None or np.isfinite(limits.budget):
        cost = limits.costs(pool.nodes)
        purse = _Purse(cost, min(float(limits.budget), float(cost.sum())), most)
    group = np.zeros(0, np.int64) if limits.group is None else np.asarray(limits.group, np.int64)
    left = np.full(max(int(group.max(initial=-1)) + 1, 1), limits.quota if limits.quota else pool.nodes, np.int64)
    start, sets = _index(pool.indptr, pool.member, pool.nodes)
    worth = np.diff(start) + alone
    free[forced] = False
    shortlist = _shortlist(worth, free.view(np.uint8), purse)

    def greedy(weight: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.float64], int, float]:
        gain, bits, room = worth.copy(), free.view(np.uint8).copy(), left.copy()
        index = pool.indptr, pool.member, start, sets
        return _greedy(*index, gain, bits, forced, purse, group, room, weight, shortlist, LOOKS)

    users, gain, covered, bound = greedy(purse.cost)
    if limits.cost is not None and limits.cost.min() < limits.cost.max():
        others, their_gain, they_cover, their_bound = greedy(_NOTHING)
        bound = min(bound, their_bound)
        if their_gain.sum() > gain.sum():
            users, gain, covered = others, their_gain, they_cover
    if limits.cost is not None and not len(forced):
        single = np.where(free & (purse.cost <= purse.budget), worth, 0.0)
        best = int(np.argmax(single))
        if single[best] > gain.sum():
            users, gain, covered = np.array([best], np.int32), single[[best]], int(start[best + 1] - start[best])
    hit = _cover_bound(start, free, forced, shortlist, purse)
    return Choice(users, gain, covered, max(bound, float(gain.sum())), min(hit, float(len(pool))))


def _cover_bound(
    start: NDArray[np.int64], free: NDArray[np.bool_], forced: NDArray[np.int32], shortlist: _Shortlist, purse: _Purse
) -> float:
    """Return at least how many sets the forced and the best others within the purse hit."""
    users = shortlist.users
    size = np.zeros(len(free))
    size[users] = start[users + 1] - start[users]
    rest = purse.budget - (purse.cost[forced].sum() if len(purse.cost) else 0.0)
    others = _bound(size, free.view(np.uint8), shortlist, _Purse(purse.cost, rest, purse.most - len(forced)))
    return float((start[forced + 1] - start[forced]).sum()) + others


@numba.njit(cache=True, nogil=True)
def _index(
    indptr: NDArray[np.int64], member: NDArray[np.int32], nodes: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return (start (N + 1,), sets) of each node."""
    start = np.zeros(nodes + 1, np.int64)
    for u in member:
        start[u + 1] += 1
    for u in range(nodes):
        start[u + 1] += start[u]
    sets, place = np.empty(len(member), np.int32), start[:-1].copy()
    for r in range(len(indptr) - 1):
        for i in range(indptr[r], indptr[r + 1]):
            u = member[i]
            sets[place[u]] = r
            place[u] += 1
    return start, sets


@numba.njit(cache=True, nogil=True)
def _shortlist(gain, free, purse):  # noqa: ANN001, ANN202
    """Return those who gain most; all, where costs matter."""
    wanted, top, floor = max(SHORT * purse.most, SHORTEST), gain.max(), 0.0
    if len(purse.cost) == 0 and wanted < len(gain) and top > 0.0:
        count, scale = np.zeros(BINS, np.int64), (BINS - 1) / top
        for u in range(len(gain)):
            count[int(gain[u] * scale)] += free[u]
        place, listed = BINS - 1, count[BINS - 1]
        while place > 0 and listed < wanted:
            place -= 1
            listed += count[place]
        floor = place / scale * ROUNDED
    count_listed = 0
    for u in range(len(gain)):
        count_listed += free[u] and gain[u] >= floor and gain[u] > 0.0
    users, at = np.empty(count_listed, np.int32), 0
    for u in range(len(gain)):
        if free[u] and gain[u] >= floor and gain[u] > 0.0:
            users[at] = u
            at += 1
    return _Shortlist(users, floor)


@numba.njit(cache=True, nogil=True)
def _greedy(indptr, member, start, sets, gain, free, forced, purse, group, left, weight, shortlist, looks):  # noqa: ANN001, ANN202, PLR0917
    """Return (users, gains, covered sets, bound); the next user is the one of most gain, per `weight` unless empty."""
    cost, most, money = purse.cost, purse.most, purse.budget
    covered, hits = np.zeros(len(indptr) - 1, np.uint8), 0
    users, gains, count, value = np.empty(most, np.int32), np.empty(most), 0, 0.0
    for u in forced:
        users[count], gains[count] = u, gain[u]
        value += gain[u]
        money -= cost[u] if len(cost) > 0 else 0.0
        hits += _cover(u, indptr, member, start, sets, covered, gain)
        count += 1
    buys = _Purse(cost, money, most - count)
    bound = value + _bound(gain, free, shortlist, buys)
    heap, size = _heap(gain, shortlist.users, weight)
    step = 0
    while count < most:
        u, size = _pop(heap, size, gain, weight)
        if shortlist.floor > 0.0 and (u < 0 or gain[u] < shortlist.floor):
            shortlist = _shortlist(gain, free, _Purse(cost, money, most - count))
            heap, size = _heap(gain, shortlist.users, weight)
            continue
        if u < 0:
            break
        if (len(cost) > 0 and cost[u] > money) or (len(group) > 0 and group[u] >= 0 and left[group[u]] == 0):
            continue
        users[count], gains[count] = u, gain[u]
        value += gain[u]
        money -= cost[u] if len(cost) > 0 else 0.0
        free[u] = 0
        if len(group) > 0 and group[u] >= 0:
            left[group[u]] -= 1
        hits += _cover(u, indptr, member, start, sets, covered, gain)
        count += 1
        step += 1
        if (step * looks) // buys.most != ((step - 1) * looks) // buys.most:
            bound = min(bound, value + _bound(gain, free, shortlist, buys))
    bound = min(bound, value + _bound(gain, free, shortlist, buys))
    return users[:count], gains[:count], hits, bound


@numba.njit(cache=True, nogil=True)
def _cover(u, indptr, member, start, sets, covered, gain):  # noqa: ANN001, ANN202, PLR0917
    """Mark the sets of a user; return how many were not covered before."""
    fresh = 0
    for i in range(start[u], start[u + 1]):
        r = sets[i]
        if covered[r] == 0:
            covered[r] = 1
            fresh += 1
            for m in range(indptr[r], indptr[r + 1]):
                gain[member[m]] -= 1.0
    return fresh


@numba.njit(cache=True, nogil=True)
def _bound(gain, free, shortlist, purse):  # noqa: ANN001, ANN202
    """Return at least the largest sum of gains of as many free users as the purse buys.

    Two relaxations, the smaller counts: the `most` largest gains, and the best gains per cost with the last bought in
    part. Without costs the first alone, and as many as can be bought may gain what those who are not listed gain at
    most. By a histogram whose last bin counts with its upper edge.
    """
    users, cost = shortlist.users, purse.cost
    if purse.most <= 0 or purse.budget <= 0.0:
        return 0.0
    top, best = shortlist.floor, 0.0
    for u in users:
        if free[u]:
            top = max(top, gain[u])
            if len(cost) > 0:
                best = max(best, gain[u] / cost[u])
    if top <= 0.0:
        return 0.0
    price, worth, scale = np.zeros(BINS), np.zeros(BINS), (BINS - 1) / top
    for u in users:
        if free[u]:
            place = int(gain[u] * scale)
            price[place] += 1.0
            worth[place] += gain[u]
    if shortlist.floor > 0.0:
        place = int(shortlist.floor * scale)
        price[place] += purse.most
        worth[place] += purse.most * shortlist.floor
    by_number = _bought(price, worth, purse.most, top)
    if len(cost) == 0:
        return by_number
    scale = (BINS - 1) / best
    price[:], worth[:] = 0.0, 0.0
    for u in users:
        if free[u]:
            place = int(gain[u] / cost[u] * scale)
            price[place] += cost[u]
            worth[place] += gain[u]
    return min(by_number, _bought(price, worth, purse.budget, best))


@numba.njit(cache=True, nogil=True)
def _bought(price, worth, budget, top):  # noqa: ANN001, ANN202
    """Return the worth of the upper bins that the budget pays for, the last of them in part."""
    total = 0.0
    for place in range(BINS - 1, -1, -1):
        if price[place] > budget:
            return total + min(worth[place], budget * top * min(1.0, (place + 1) / (BINS - 1)))
        budget -= price[place]
        total += worth[place]
    return total


@numba.njit(cache=True, nogil=True)
def _heap(gain, users, weight):  # noqa: ANN001, ANN202
    """Return (heap of (gain per weight, user), its size): the largest first."""
    size = len(users)
    key, user = np.empty(size), users.copy()
    for place in range(size):
        key[place] = _key(user[place], gain, weight)
    for place in range(size // 2 - 1, -1, -1):
        _sink(key, user, size, place)
    return (key, user), size


@numba.njit(cache=True, nogil=True, inline="always")
def _key(u, gain, weight):  # noqa: ANN001, ANN202
    return gain[u] / weight[u] if len(weight) > 0 else gain[u]


@numba.njit(cache=True, nogil=True)
def _pop(heap, size, gain, weight):  # noqa: ANN001, ANN202
    """Return (the user of most gain per weight now, new size); gains only fall, so stale ones are lowered and sink."""
    key, user = heap
    while size > 0:
        u = user[0]
        now = _key(u, gain, weight)
        if now <= 0.0:
            return -1, size
        if now == key[0]:
            size -= 1
            key[0], user[0] = key[size], user[size]
            _sink(key, user, size, 0)
            return u, size
        key[0] = now
        _sink(key, user, size, 0)
    return -1, size


@numba.njit(cache=True, nogil=True)
def _sink(key, user, size, place):  # noqa: ANN001, ANN202
    k, u = key[place], user[place]
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and (
            key[child + 1] > key[child] or (key[child + 1] == key[child] and user[child + 1] < user[child])
        ):
            child += 1
        if key[child] < k or (key[child] == k and user[child] > u):
            break
        key[place], user[place] = key[child], user[child]
        place = child
    key[place], user[place] = k, u
