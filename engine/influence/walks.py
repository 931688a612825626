"""The inner loops of RR sets: walking incoming edges, drawing roots, storing, counting, looking for a seed.

Rows are walked as `rrsets` describes. Everything an RR set touches is handed in, so that a chunk of sets needs no
memory of its own; random states stay in registers.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from engine.influence.randomness import stream

_TO_UNIT = 1.0 / (1 << 53)
_LEAST = 1e-290
"""A row whose survival falls below it before its last edge is walked edge by edge."""
_DONE = 2


class Rows(NamedTuple):
    """Incoming edges in compressed rows; N nodes, E edges."""

    indptr: NDArray[np.int64]
    """(N + 1,)"""
    neighbour: NDArray[np.int32]
    """(E,) senders."""
    chance: NDArray[np.float64]
    """(E,) the chance that none of the row's edges up to this one is kept; each edge's own where `silence` is -1."""
    silence: NDArray[np.float64]
    """(N,) the chance that no edge into the node is kept; -1 for a row that is walked edge by edge, where it is 0."""
    weight: NDArray[np.float64]
    """(N,) cumulated weight of the nodes as roots of sets of more than one node."""
    delay_s: NDArray[np.float64]
    """(Q,) quantiles of an edge's delay, from the level 0 to the level of `horizon_s`; empty: time does not matter."""
    scale: NDArray[np.float64]
    """(E,) what an edge's delay is multiplied with; a quantile's level is that of `horizon_s` / scale at most."""
    level: NDArray[np.float64]
    """(E,) that level, in [0, 1] of the table: an edge's delays within the horizon."""
    horizon_s: float


class Desk(NamedTuple):
    """What one thread writes on."""

    queue: NDArray[np.int32]
    """(N,) members of the set, the root first."""
    seen: NDArray[np.uint8]
    """(N,) 0 between two sets."""
    counts: NDArray[np.int64]
    """(N,) memberships so far."""
    reached_s: NDArray[np.float64]
    """(N,) how long before the root's act a member must act; empty where time does not matter."""
    heap_s: NDArray[np.float64]
    """(E + 1,) or empty."""
    heap_node: NDArray[np.int32]
    """(E + 1,) or empty."""


@numba.njit(cache=True, nogil=True)
def survival(
    indptr: NDArray[np.int64], probability: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `chance` and `silence` of rows with these probabilities."""
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


@numba.njit(cache=True, nogil=True)
def store(rows: Rows, desk: Desk, parts: int, first: int, sets: int, seed: int, chunk: int):  # noqa: ANN201, PLR0917
    """Return (sizes (sets,), members) of the RR sets of parts first ... first + sets - 1 of all `parts`."""
    state = stream(seed, chunk)
    s0, s1 = state[0], state[1]
    sizes, members, held = np.empty(sets, np.int32), np.empty(4 * sets, np.int32), 0
    indptr, neighbour, chance, silence, weight = rows.indptr, rows.neighbour, rows.chance, rows.silence, rows.weight
    queue, seen = desk.queue, desk.seen
    width = weight[-1] / parts
    root = _first_root(weight, first * width)
    for j in range(sets):
        unit, s0, s1 = _next(s0, s1)
        root = _root_at(weight, root, (first + j + unit) * width)
        if len(rows.delay_s):
            size, _, s0, s1 = _grow_within(rows, desk, root, seen[:0], s0, s1)
        else:
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
def count(rows: Rows, desk: Desk, parts: int, first: int, sets: int, seed: int, chunk: int):  # noqa: ANN201, PLR0917
    """Add memberships other than as the root to `desk.counts`; return the members of these sets."""
    state = stream(seed, chunk)
    s0, s1 = state[0], state[1]
    indptr, neighbour, chance, silence, weight = rows.indptr, rows.neighbour, rows.chance, rows.silence, rows.weight
    queue, seen, counts = desk.queue, desk.seen, desk.counts
    visits, width = 0, weight[-1] / parts
    root = _first_root(weight, first * width)
    for j in range(sets):
        unit, s0, s1 = _next(s0, s1)
        root = _root_at(weight, root, (first + j + unit) * width)
        if len(rows.delay_s):
            size, _, s0, s1 = _grow_within(rows, desk, root, seen[:0], s0, s1)
        else:
            size, _, s0, s1 = _grow(indptr, neighbour, chance, silence, root, queue, seen, seen[:0], s0, s1)
        seen[root] = 0
        for i in range(1, size):
            counts[queue[i]] += 1
            seen[queue[i]] = 0
        visits += size
    return visits


@numba.njit(cache=True, nogil=True)
def hit_by(  # noqa: ANN201, PLR0917
    rows: Rows, desk: Desk, chosen: NDArray[np.uint8], parts: int, first: int, sets: int, seed: int, chunk: int
):  # fmt: skip
    """Return how many of these RR sets hold a chosen node."""
    state = stream(seed, chunk)
    s0, s1 = state[0], state[1]
    indptr, neighbour, chance, silence, weight = rows.indptr, rows.neighbour, rows.chance, rows.silence, rows.weight
    queue, seen = desk.queue, desk.seen
    hits, width = 0, weight[-1] / parts
    root = _first_root(weight, first * width)
    for j in range(sets):
        unit, s0, s1 = _next(s0, s1)
        root = _root_at(weight, root, (first + j + unit) * width)
        if len(rows.delay_s):
            size, hit, s0, s1 = _grow_within(rows, desk, root, chosen, s0, s1)
        else:
            size, hit, s0, s1 = _grow(indptr, neighbour, chance, silence, root, queue, seen, chosen, s0, s1)
        for i in range(size):
            seen[queue[i]] = 0
        hits += hit
    return hits


@numba.njit(cache=True, nogil=True, inline="always")
def _next(s0: np.uint64, s1: np.uint64) -> tuple[float, np.uint64, np.uint64]:
    """Return a number in (0, 1) and the new state, which stays in registers here."""
    bits = s0 + s1
    s1 ^= s0
    s0 = ((s0 << np.uint64(24)) | (s0 >> np.uint64(40))) ^ s1 ^ (s1 << np.uint64(16))
    return (np.float64(bits >> np.uint64(11)) + 0.5) * _TO_UNIT, s0, (s1 << np.uint64(37)) | (s1 >> np.uint64(27))


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


@numba.njit(cache=True, nogil=True, inline="always")
def _root_at(weight: NDArray[np.float64], root: int, at: float) -> int:
    while weight[root] <= at and root < len(weight) - 1:
        root += 1
    return root


@numba.njit(cache=True, nogil=True, inline="always")
def _kept_after(chance: NDArray[np.float64], e: int, end: int, below: float) -> int:
    """Return the first edge from e on whose survival is below; there is one before `end`."""
    last = end - 1
    while e < last:
        middle = (e + last) >> 1
        if chance[middle] < below:
            last = middle
        else:
            e = middle + 1
    return e


@numba.njit(cache=True, nogil=True)
def _grow(indptr, neighbour, chance, silence, root, queue, seen, stop, s0, s1):  # noqa: ANN001, ANN202, PLR0917
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
            tail, hit, s0, s1 = _toss(neighbour, chance, e, end, queue, tail, seen, stop, s0, s1)
            while tail == head == 1 and not hit:  # the root's row keeps something
                tail, hit, s0, s1 = _toss(neighbour, chance, e, end, queue, tail, seen, stop, s0, s1)
            if hit:
                return tail, True, s0, s1
            continue
        below, s0, s1 = _next(s0, s1)
        if head == 1:
            below = quiet + below * (1.0 - quiet)
        while below > quiet:
            e = _kept_after(chance, e, end, below)
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
def _grow_within(rows, desk, root, stop, s0, s1):  # noqa: ANN001, ANN202, PLR0917
    """Do as `_grow`, of those alone from whom the root is reached within the horizon.

    Dijkstra's search against the edges: a node's incoming edges are drawn once, when the time that is left is known.
    """
    desk.queue[0] = root
    desk.seen[root] = 1
    desk.reached_s[root] = 0.0
    desk.heap_s[0], desk.heap_node[0] = 0.0, root
    tail, held = 1, 1
    if len(stop) and stop[root]:
        return tail, True, s0, s1
    while held > 0:
        v = desk.heap_node[0]
        held = _pop(desk.heap_s, desk.heap_node, held)
        if desk.seen[v] == _DONE:
            continue
        desk.seen[v] = _DONE
        quiet, e, end = rows.silence[v], rows.indptr[v], rows.indptr[v + 1]
        below, s0, s1 = _next(s0, s1)
        if v == root and quiet >= 0.0:
            below = quiet + below * (1.0 - quiet)  # the root's row keeps something, for it has the whole horizon
        while e < end:
            if quiet >= 0.0:
                if below <= quiet:
                    break
                e = _kept_after(rows.chance, e, end, below)
                below, s0, s1 = _next(s0, s1)
                below *= rows.chance[e]
                is_kept = True
            else:
                coin, s0, s1 = _next(s0, s1)
                is_kept = coin < rows.chance[e]
            if is_kept:
                unit, s0, s1 = _next(s0, s1)
                tail, held, hit = _reach(rows, desk, e, desk.reached_s[v] + _delay(rows, e, unit), tail, held, stop)
                if hit:
                    return tail, True, s0, s1
            e += 1
            if e == end and v == root and tail == 1:  # only coins can keep nothing of the root's row
                e = rows.indptr[v]
    return tail, False, s0, s1


@numba.njit(cache=True, nogil=True)
def _reach(rows, desk, e, at_s, tail, held, stop):  # noqa: ANN001, ANN202, PLR0917
    """Note that an edge's sender must act so long before the root's; return (new tail, heap's size, hit)."""
    u = rows.neighbour[e]
    if at_s > rows.horizon_s or desk.seen[u] == _DONE or (desk.seen[u] and at_s >= desk.reached_s[u]):
        return tail, held, False
    if desk.seen[u] == 0:
        desk.seen[u] = 1
        desk.queue[tail] = u
        tail += 1
        if len(stop) and stop[u]:
            return tail, held, True
    desk.reached_s[u] = at_s
    return tail, _push(desk.heap_s, desk.heap_node, held, at_s, u), False


@numba.njit(cache=True, nogil=True, inline="always")
def _delay(rows, e, unit):  # noqa: ANN001, ANN202
    """Return the delay of a kept edge, among its delays within the horizon."""
    place = unit * rows.level[e] * (len(rows.delay_s) - 1)
    low = min(int(place), len(rows.delay_s) - 2)
    part = place - low
    return rows.scale[e] * (rows.delay_s[low] * (1.0 - part) + rows.delay_s[low + 1] * part)


@numba.njit(cache=True, nogil=True)
def _push(heap_s, heap_node, held, at_s, node):  # noqa: ANN001, ANN202
    place = held
    while place > 0:
        parent = (place - 1) >> 1
        if heap_s[parent] <= at_s:
            break
        heap_s[place], heap_node[place] = heap_s[parent], heap_node[parent]
        place = parent
    heap_s[place], heap_node[place] = at_s, node
    return held + 1


@numba.njit(cache=True, nogil=True)
def _pop(heap_s, heap_node, held):  # noqa: ANN001, ANN202
    """Take the first away; return how many are left."""
    held -= 1
    at_s, node = heap_s[held], heap_node[held]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= held:
            break
        if child + 1 < held and heap_s[child + 1] < heap_s[child]:
            child += 1
        if heap_s[child] >= at_s:
            break
        heap_s[place], heap_node[place] = heap_s[child], heap_node[child]
        place = child
    heap_s[place], heap_node[place] = at_s, node
    return held
