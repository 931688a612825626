"""Seed sets: the k users a campaign starts with."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.influence import rrsets
from engine.influence.randomness import seed_from
from engine.types import EdgeProbabilities, SeedSet

POOL_SETS = 1_000_000
JUDGE_SETS = 500_000
MAX_MEMBERS = 200_000_000
"""Members of the stored pool: about 1.7 GB with its index by user."""
NORMAL_95 = 1.959964


def choose_seeds(
    edges: EdgeProbabilities,
    k: int,
    rng: np.random.Generator,
    *,
    allowed: NDArray[np.bool_] | None = None,
    pool_sets: int = POOL_SETS,
    judge_sets: int = JUDGE_SETS,
    max_members: int = MAX_MEMBERS,
    threads: int = 1,
) -> SeedSet:
    """Choose k users by greedy maximum coverage of a pool of RR sets; judge them on fresh ones.

    Greedy coverage is within 1 - 1/e of the best seed set on the pool (Nemhauser, Wolsey, Fisher 1978, applied as in
    Borgs et al., SODA 2014). The spread and its 95 % interval come from RR sets that the choice has not seen, so they
    are not flattered by it.

    Args:
        edges: P(u->v).
        k: how many; fewer are returned when fewer are allowed.
        rng: source of randomness.
        allowed: (U,) users who may be chosen; None for all.
        pool_sets: RR sets to choose on.
        judge_sets: RR sets to judge by.
        max_members: limit on the pool's memory.
        threads: chunks of RR sets made at once.

    Raises:
        DataError: k below 1, or malformed edges.
    """
    if k < 1:
        raise DataError("a seed set has at least one user")
    network = rrsets.prepare(edges)
    free = np.ones(edges.nodes, bool) if allowed is None else np.array(allowed, bool)
    pool = rrsets.collect(network, pool_sets, seed_from(rng), max_members=max_members, threads=threads)
    users = cover(pool, min(k, int(free.sum())), free)
    chosen = np.zeros(edges.nodes, bool)
    chosen[users] = True
    hits = rrsets.count_hits(network, chosen, judge_sets, seed_from(rng), threads=threads)
    low, high = _wilson(hits, judge_sets)
    floor = float(len(users))
    return SeedSet(
        users,
        max(floor, edges.nodes * hits / judge_sets),
        max(floor, edges.nodes * low),
        max(floor, edges.nodes * high),
    )


def cover(pool: rrsets.Pool, k: int, allowed: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return (k,) nodes chosen greedily, each the one in most RR sets not yet covered; ties go to the lower index.

    Raises:
        DataError: fewer than k nodes are allowed.
    """
    if int(allowed.sum()) < k:
        raise DataError(f"{k} seeds asked of {int(allowed.sum())} allowed users")
    return _greedy(pool.indptr, pool.member, pool.nodes, k, allowed)


@numba.njit(cache=True, nogil=True)
def _greedy(
    indptr: NDArray[np.int64], member: NDArray[np.int32], nodes: int, k: int, allowed: NDArray[np.bool_]
) -> NDArray[np.int32]:
    start = np.zeros(nodes + 1, np.int64)
    for u in member:
        start[u + 1] += 1
    gain = start[1:].copy()
    for u in range(nodes):
        start[u + 1] += start[u]
    sets_of = np.empty(len(member), np.int32)
    place = start[:-1].copy()
    for r in range(len(indptr) - 1):
        for i in range(indptr[r], indptr[r + 1]):
            u = member[i]
            sets_of[place[u]] = r
            place[u] += 1
    covered = np.zeros(len(indptr) - 1, np.uint8)
    users = np.empty(k, np.int32)
    taken = ~allowed
    for step in range(k):
        best = -1
        for u in range(nodes):
            if not taken[u] and (best < 0 or gain[u] > gain[best]):
                best = u
        users[step] = best
        taken[best] = True
        for i in range(start[best], start[best + 1]):
            r = sets_of[i]
            if covered[r] == 0:
                covered[r] = 1
                for m in range(indptr[r], indptr[r + 1]):
                    gain[member[m]] -= 1
    return users


def _wilson(hits: int, trials: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); sound near 0, where few RR sets are hit."""
    share, z2 = hits / trials, NORMAL_95**2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = NORMAL_95 * np.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return float(middle - half), float(middle + half)
