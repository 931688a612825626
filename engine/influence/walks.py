"""The inner loops of RR sets: walking incoming edges, drawing roots, storing, counting, looking for a seed.

Rows are walked as `rrsets` describes. Everything an RR set touches is handed in, so that a chunk of sets needs no
memory of its own; random states stay in registers.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from engine.influence.randomness import stream

_TO_UNIT = 1.0 / (1 << 53)
_LEAST = 1e-290
"""A row whose survival falls below it before its last edge is walked edge by edge."""


@numba.njit(cache=True, nogil=True)
def survival(
    indptr: NDArray[np.int64], probability: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `chance` and `silence` of a network."""
    nodes = len(indptr) - 1
    chance, silence = np.empty(len(probability)), np.ones(nodes)
    for v in range(nodes):
        left = 1.0
        for e in range(indptr[v], indptr[v + 1]):
            if left < _LEAST:  # what lies behind could not be told apart any more
                left = -1.0
                break
            left *= 1.0 - probability[e]
            chance[e] = left
        if left < 0.0:
            chance[indptr[v] : indptr[v + 1]] = probability[indptr[v] : indptr[v + 1]]
        silence[v] = left
    return chance, silence


@numba.njit(cache=True, nogil=True, inline="always")
def _next(s0: np.uint64, s1: np.uint64) -> tuple[float, np.uint64, np.uint64]:
    """Return a number in (0, 1) and the new state, which stays in registers here."""
    bits = s0 + s1
    s1 ^= s0
    s0 = ((s0 << np.uint64(24)) | (s0 >> np.uint64(40))) ^ s1 ^ (s1 << np.uint64(16))
    return (np.float64(bits >> np.uint64(11)) + 0.5) * _TO_UNIT, s0, (s1 << np.uint64(37)) | (s1 >> np.uint64(27))


@numba.njit(cache=True, nogil=True)
def _toss(neighbour, chance, first, end, queue, tail, seen, stop, s0, s1):  # noqa: ANN001, ANN202, PLR0917
    """Toss a coin for each edge of a row; return (new tail, hit, state)."""
    for e in range(first, end):
        coin, s0, s1 = _next(s0, s1)
        u = neighbour[e]
        if coin < chance[e] and seen[u] == 0:
            seen[u] = 1
            queue[tail] = u
            tail += 1
            if len(stop) and stop[u]:
                return tail, True, s0, s1
    return tail, False, s0, s1


@numba.njit(cache=True, nogil=True)
def _grow(indptr, neighbour, chance, silence, root, queue, seen, stop, s0, s1):  # noqa: ANN001, ANN202, PLR0912, PLR0917
    """Fill `queue` with an RR set of `root` that holds more than it; return (size, hit, state).

    `seen` marks the members and is not cleared. Growth ends early, with hit = True, at the first node that `stop` marks
    (an empty `stop` marks none).
    """
    queue[0] = root
    seen[root] = 1
    head, tail = 0, 1
    if len(stop) and stop[root]:
        return tail, True, s0, s1
    while head < tail:
        v = queue[head]
        head += 1
        quiet, e, end = silence[v], indptr[v], indptr[v + 1]
        if quiet < 0.0:
            hit = False
            while not hit and tail == head == 1:  # the root's row keeps something
                tail, hit, s0, s1 = _toss(neighbour, chance, e, end, queue, tail, seen, stop, s0, s1)
            if head > 1:
                tail, hit, s0, s1 = _toss(neighbour, chance, e, end, queue, tail, seen, stop, s0, s1)
            if hit:
                return tail, True, s0, s1
            continue
        below, s0, s1 = _next(s0, s1)
        if head == 1:
            below = quiet + below * (1.0 - quiet)
        while below > quiet:
            last = end - 1
            while e < last:
                middle = (e + last) >> 1
                if chance[middle] < below:
                    last = middle
                else:
                    e = middle + 1
            u = neighbour[e]
            if seen[u] == 0:
                seen[u] = 1
                queue[tail] = u
                tail += 1
                if len(stop) and stop[u]:
                    return tail, True, s0, s1
            below, s0, s1 = _next(s0, s1)
            below *= chance[e]
            e += 1
    return tail, False, s0, s1


@numba.njit(cache=True, nogil=True, inline="always")
def _first_root(weight: NDArray[np.float64], at: float) -> int:
    low, high = 0, len(weight) - 1
    while low < high:
        middle = (low + high) >> 1
        if weight[middle] > at:
            high = middle
        else:
            low = middle + 1
    return low


@numba.njit(cache=True, nogil=True)
def store(  # noqa: ANN201, PLR0917
    indptr, neighbour, chance, silence, weight, queue, seen, parts, first, sets, seed, chunk  # noqa: ANN001
):  # fmt: skip
    """Return (sizes (sets,), members) of the RR sets of parts first ... first + sets - 1 of all `parts`."""
    state = stream(seed, chunk)
    s0, s1 = state[0], state[1]
    sizes, members, held = np.empty(sets, np.int32), np.empty(4 * sets, np.int32), 0
    width = weight[-1] / parts
    root = _first_root(weight, first * width)
    for j in range(sets):
        unit, s0, s1 = _next(s0, s1)
        at = (first + j + unit) * width
        while weight[root] <= at and root < len(weight) - 1:
            root += 1
        size, _, s0, s1 = _grow(indptr, neighbour, chance, silence, root, queue, seen, seen[:0], s0, s1)
        if held + size > len(members):
            larger = np.empty(2 * (held + size), np.int32)
            larger[:held] = members[:held]
            members = larger
        for i in range(size):
            members[held + i] = queue[i]
            seen[queue[i]] = 0
        sizes[j] = size
        held += size
    return sizes, members[:held].copy()


@numba.njit(cache=True, nogil=True)
def count(  # noqa: ANN201, PLR0917
    indptr, neighbour, chance, silence, weight, queue, seen, counts, parts, first, sets, seed, chunk  # noqa: ANN001
):  # fmt: skip
    """Add memberships other than as the root to `counts` (N,); return the members of these sets."""
    state = stream(seed, chunk)
    s0, s1 = state[0], state[1]
    visits, width = 0, weight[-1] / parts
    root = _first_root(weight, first * width)
    for j in range(sets):
        unit, s0, s1 = _next(s0, s1)
        at = (first + j + unit) * width
        while weight[root] <= at and root < len(weight) - 1:
            root += 1
        size, _, s0, s1 = _grow(indptr, neighbour, chance, silence, root, queue, seen, seen[:0], s0, s1)
        seen[root] = 0
        for i in range(1, size):
            counts[queue[i]] += 1
            seen[queue[i]] = 0
        visits += size
    return visits


@numba.njit(cache=True, nogil=True)
def hit_by(  # noqa: ANN201, PLR0917
    indptr, neighbour, chance, silence, weight, queue, seen, chosen, parts, first, sets, seed, chunk  # noqa: ANN001
):  # fmt: skip
    """Return how many of these RR sets hold a chosen node."""
    state = stream(seed, chunk)
    s0, s1 = state[0], state[1]
    hits, width = 0, weight[-1] / parts
    root = _first_root(weight, first * width)
    for j in range(sets):
        unit, s0, s1 = _next(s0, s1)
        at = (first + j + unit) * width
        while weight[root] <= at and root < len(weight) - 1:
            root += 1
        size, hit, s0, s1 = _grow(indptr, neighbour, chance, silence, root, queue, seen, chosen, s0, s1)
        for i in range(size):
            seen[queue[i]] = 0
        hits += hit
    return hits
