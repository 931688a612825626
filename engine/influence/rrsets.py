"""Reverse-reachable sets: who could have made a random user act.

An RR set of root v holds every u from which v is reached when each edge is kept with its probability. For any seed set
S the share of RR sets that S hits, times the number of nodes, estimates the spread sigma(S) without bias (Borgs,
Brautbar, Chayes, Lucier, Maximizing social influence in nearly optimal time, SODA 2014, observation 3.2).

Rows whose probabilities are equal are walked by geometric jumps where that pays (SUBSIM: Guo, Wang, Wei, Chen,
Influence maximization revisited: efficient reverse reachable set generation with bound tightened, SIGMOD 2020,
section 3): the first success of a row of d equal chances p comes at 1 + floor(log U / log(1 - p)); comparing U with
(1 - p)^d first spares the logarithm when the row has no success at all.

Work is cut into chunks, each with its own random stream, so results depend on the seed and never on the threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from engine.influence.network import incoming
from engine.influence.randomness import stream
from engine.types import EdgeProbabilities

CHUNK = 8_192
"""RR sets per random stream."""
WAVE = 8
"""Chunks between two looks at the limits."""
_TO_UNIT = 1.0 / (1 << 53)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReverseNetwork:
    """Incoming edges in compressed rows, with what the walk needs of their probabilities."""

    nodes: int
    indptr: NDArray[np.int64]
    """(N + 1,)"""
    neighbour: NDArray[np.int32]
    """(E,) senders."""
    threshold: NDArray[np.uint64]
    """(E,) an edge is kept when 64 random bits are below it."""
    silence: NDArray[np.float64]
    """(N,) (1 - p)^d of a row that is walked by jumps, -1 for a row that is walked edge by edge."""
    jump: NDArray[np.float64]
    """(N,) 1 / log(1 - p) of a row that is walked by jumps."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Stored RR sets."""

    nodes: int
    indptr: NDArray[np.int64]
    """(R + 1,)"""
    member: NDArray[np.int32]
    """(sum of sizes,) the root first."""

    def __len__(self) -> int:
        """Return the number of sets."""
        return len(self.indptr) - 1


def prepare(edges: EdgeProbabilities) -> ReverseNetwork:
    """Return the reverse network of the edges; parallel edges merged, self loops and zeros left out.

    Raises:
        DataError: malformed edges.
    """
    rows = incoming(edges)
    degree = np.diff(rows.indptr)
    filled = np.flatnonzero(degree)
    lowest, highest = np.zeros(rows.nodes), np.ones(rows.nodes)
    if len(filled):
        lowest[filled] = np.minimum.reduceat(rows.probability, rows.indptr[filled])
        highest[filled] = np.maximum.reduceat(rows.probability, rows.indptr[filled])
    # A coin costs about 2.5 ns an edge; a jump about 4 ns a row and 20 ns a success.
    pays = (lowest == highest) & (degree * (2.5 - 20.0 * highest) > 4.0)
    silent = np.log1p(-np.where(pays, highest, 0.5))
    top = np.float64(2.0**64)
    threshold = np.minimum(rows.probability * top, np.nextafter(top, 0.0)).astype(np.uint64)
    threshold[rows.probability >= 1.0] = np.iinfo(np.uint64).max
    return ReverseNetwork(
        nodes=rows.nodes,
        indptr=rows.indptr,
        neighbour=rows.neighbour,
        threshold=threshold,
        silence=np.where(pays, np.exp(silent * degree), -1.0),
        jump=1.0 / silent,
    )


def collect(network: ReverseNetwork, sets: int, seed: int, *, max_members: int, threads: int = 1) -> Pool:
    """Return a pool of `sets` RR sets of uniformly random roots, fewer when `max_members` would be exceeded.

    A pool takes 4 bytes a member and 8 a set; at most `max_members` members and one wave of chunks are held.
    """
    if network.nodes == 0:
        return Pool(0, np.zeros(1, np.int64), np.empty(0, np.int32))
    sizes, members, held = [], [], 0

    def one(chunk: int, count: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        return _store(*_arrays(network), count, seed, chunk)

    for size, member in _in_waves(one, sets, threads, max_members, lambda done: len(done[1])):
        if held + len(member) > max_members:
            break
        held += len(member)
        sizes.append(size)
        members.append(member)
    indptr = np.zeros(sum(map(len, sizes)) + 1, np.int64)
    if sizes:
        np.cumsum(np.concatenate(sizes), out=indptr[1:])
    return Pool(network.nodes, indptr, np.concatenate(members) if members else np.empty(0, np.int32))


def count_memberships(
    network: ReverseNetwork,
    roots: NDArray[np.int32],
    sets: int,
    seed: int,
    *,
    max_visits: int,
    threads: int = 1,
) -> tuple[NDArray[np.int64], int]:
    """Count, for each node, the RR sets that hold it other than as their root; nothing is stored.

    Args:
        network: the reverse network.
        roots: root of the j-th set is `roots[j % len(roots)]`.
        sets: how many.
        seed: of the random streams.
        max_visits: no further wave starts after so many members; bounds the time.
        threads: how many chunks run at once.

    Returns:
        (counts (N,), sets made).
    """
    counts = np.zeros(network.nodes, np.int64)
    made = 0

    def one(chunk: int, count: int) -> tuple[NDArray[np.int32], int, int]:
        return *_count(*_arrays(network), roots, chunk * CHUNK, count, seed, chunk), count

    for part, _, count in _in_waves(one, sets, threads, max_visits, lambda done: done[1]):
        counts += part
        made += count
    return counts, made


def count_hits(network: ReverseNetwork, chosen: NDArray[np.bool_], sets: int, seed: int, *, threads: int = 1) -> int:
    """Return how many of `sets` fresh RR sets hold a chosen node; each stops at the first one found."""
    if network.nodes == 0:
        return 0

    def one(chunk: int, count: int) -> int:
        return _hit(*_arrays(network), chosen.view(np.uint8), count, seed, chunk)

    return sum(_in_waves(one, sets, threads, sets, lambda _: 0))


def _in_waves(
    one: Callable[[int, int], T], sets: int, threads: int, limit: int, weigh: Callable[[T], int]
) -> Iterator[T]:
    """Yield `one(chunk, count)` of each chunk in order; no wave starts once the results weigh `limit`."""
    plan = ((chunk, min(CHUNK, sets - chunk * CHUNK)) for chunk in range(-(-sets // CHUNK)))
    weight = 0
    with ThreadPoolExecutor(max_workers=threads) as workers:
        while weight < limit and (wave := list(islice(plan, WAVE))):
            for done in workers.map(lambda job: one(*job), wave) if threads > 1 else (one(*job) for job in wave):
                weight += weigh(done)
                yield done


def _arrays(network: ReverseNetwork) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
    return network.indptr, network.neighbour, network.threshold, network.silence, network.jump


@numba.njit(cache=True, nogil=True, inline="always")
def _next(s0: np.uint64, s1: np.uint64) -> tuple[np.uint64, np.uint64, np.uint64]:
    # The state stays in registers here; through an array it would be stored at every draw.
    bits = s0 + s1
    s1 ^= s0
    s0 = ((s0 << np.uint64(24)) | (s0 >> np.uint64(40))) ^ s1 ^ (s1 << np.uint64(16))
    return bits, s0, (s1 << np.uint64(37)) | (s1 >> np.uint64(27))


@numba.njit(cache=True, nogil=True)
def _grow(indptr, neighbour, threshold, silence, jump, root, queue, seen, stop, s0, s1):  # noqa: ANN001, ANN202, PLR0917
    """Fill `queue` with the RR set of `root` and return (size, hit, state); `seen` marks them and is not cleared.

    Growth ends early, with hit = True, at the first node that `stop` marks (an empty `stop` marks none).
    """
    queue[0] = root
    seen[root] = 1
    head, tail = 0, 1
    if len(stop) and stop[root]:
        return tail, True, s0, s1
    while head < tail:
        v = queue[head]
        head += 1
        e, end = indptr[v], indptr[v + 1]
        by_jumps = silence[v] >= 0.0
        while e < end:
            bits, s0, s1 = _next(s0, s1)
            if by_jumps:
                unit = (np.float64(bits >> np.uint64(11)) + 0.5) * _TO_UNIT
                if unit <= silence[v]:
                    break
                e += np.int64(np.log(unit) * jump[v])
                if e >= end:
                    break
            elif bits >= threshold[e]:
                e += 1
                continue
            u = neighbour[e]
            e += 1
            if seen[u] == 0:
                seen[u] = 1
                queue[tail] = u
                tail += 1
                if len(stop) and stop[u]:
                    return tail, True, s0, s1
    return tail, False, s0, s1


@numba.njit(cache=True, nogil=True)
def _store(indptr, neighbour, threshold, silence, jump, sets, seed, chunk):  # noqa: ANN001, ANN202, PLR0917
    """Return (sizes (sets,), members) of `sets` RR sets of uniformly random roots."""
    nodes = len(indptr) - 1
    state = stream(seed, chunk)
    s0, s1 = state[0], state[1]
    queue, seen = np.empty(nodes, np.int32), np.zeros(nodes, np.uint8)
    sizes, members, held = np.empty(sets, np.int32), np.empty(4 * sets, np.int32), 0
    for j in range(sets):
        bits, s0, s1 = _next(s0, s1)
        root = np.int32((bits >> np.uint64(32)) * np.uint64(nodes) >> np.uint64(32))
        size, _, s0, s1 = _grow(indptr, neighbour, threshold, silence, jump, root, queue, seen, seen[:0], s0, s1)
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
def _count(indptr, neighbour, threshold, silence, jump, roots, first, sets, seed, chunk):  # noqa: ANN001, ANN202, PLR0917
    """Return (memberships other than as the root (N,), members seen) of `sets` RR sets."""
    nodes = len(indptr) - 1
    state = stream(seed, chunk)
    s0, s1 = state[0], state[1]
    queue, seen = np.empty(nodes, np.int32), np.zeros(nodes, np.uint8)
    counts, visits = np.zeros(nodes, np.int32), 0
    for j in range(sets):
        root = roots[(first + j) % len(roots)]
        size, _, s0, s1 = _grow(indptr, neighbour, threshold, silence, jump, root, queue, seen, seen[:0], s0, s1)
        for i in range(size):
            counts[queue[i]] += 1
            seen[queue[i]] = 0
        counts[root] -= 1
        visits += size
    return counts, visits


@numba.njit(cache=True, nogil=True)
def _hit(indptr, neighbour, threshold, silence, jump, chosen, sets, seed, chunk):  # noqa: ANN001, ANN202, PLR0917
    """Return how many of `sets` RR sets of uniformly random roots hold a chosen node."""
    nodes = len(indptr) - 1
    state = stream(seed, chunk)
    s0, s1 = state[0], state[1]
    queue, seen = np.empty(nodes, np.int32), np.zeros(nodes, np.uint8)
    hits = 0
    for _ in range(sets):
        bits, s0, s1 = _next(s0, s1)
        root = np.int32((bits >> np.uint64(32)) * np.uint64(nodes) >> np.uint64(32))
        size, hit, s0, s1 = _grow(indptr, neighbour, threshold, silence, jump, root, queue, seen, chosen, s0, s1)
        for i in range(size):
            seen[queue[i]] = 0
        hits += hit
    return hits
