"""Reverse-reachable sets: who could have made a random user act.

An RR set of root v holds every u from which v is reached when each edge is kept with its probability. For any seed set
S the share of RR sets that S hits, times the number of nodes, estimates the spread sigma(S) without bias (Borgs,
Brautbar, Chayes, Lucier, Maximizing social influence in nearly optimal time, SODA 2014, observation 3.2).

Three things make them cheap.

- *A row costs its successes.* Subset sampling (SUBSIM: Guo, Wang, Wei, Chen, Influence maximization revisited, SIGMOD
  2020, section 3) finds the first kept edge of a row in one draw. There the row is sorted and walked by geometric
  jumps; here it is inverted: with S_k the chance that none of the first k edges is kept, the first kept one is the
  first k with S_k < U, the next the first with S_k < U S_j, and so on. Exact for any probabilities, and one comparison
  where a row keeps nothing.
- *A root alone is not drawn.* Root v is its whole set with the known chance q(v) that no edge into it is kept. So
  sigma(S) = sum of q over S + M * P(a set of more than one node is hit), M = sum of 1 - q over all nodes; only the
  second term is estimated, from sets whose root has at least one kept edge. At probabilities of .01 that is every
  twentieth set, and what is known has no variance.
- *Roots are spread evenly* over the cumulated 1 - q, one drawn in each of as many equal parts as there are sets: fewer
  surprises than with free draws, roots come in order of memory, and the sets stay independent.

Work is cut into chunks, each with its own random stream, so results depend on the seed and never on the threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from queue import SimpleQueue
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.influence import walks
from engine.influence.delays import Delays
from engine.influence.network import Network, incoming
from engine.influence.walks import Desk, Rows
from engine.types import EdgeProbabilities

CHUNK = 4_096
"""RR sets per random stream."""
WAVE = 8
"""Chunks that a thread is given at a time."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReverseNetwork:
    """Who may have made whom act, ready to be walked."""

    nodes: int
    rows: Rows
    worth: NDArray[np.float64]
    """(N,) what it counts to reach a node, >= 0; 1 each where nothing else was asked."""

    @property
    def alone(self) -> NDArray[np.float64]:
        """(N,) what a node counts as a seed for the sets that hold nobody but their root."""
        return self.worth * np.maximum(self.rows.silence, 0.0)

    @property
    def mass(self) -> float:
        """What all nodes count for sets of more than one node."""
        return float(self.rows.weight[-1]) if self.nodes else 0.0


@dataclass(frozen=True, slots=True)
class Pool:
    """Stored RR sets of more than one node."""

    nodes: int
    indptr: NDArray[np.int64]
    """(R + 1,)"""
    member: NDArray[np.int32]
    """(sum of sizes,) the root first."""

    def __len__(self) -> int:
        """Return the number of sets."""
        return len(self.indptr) - 1

    def joined(self, other: Pool) -> Pool:
        """Return both pools as one."""
        indptr = np.concatenate([self.indptr, self.indptr[-1] + other.indptr[1:]])
        return Pool(self.nodes, indptr, np.concatenate([self.member, other.member]))

    @classmethod
    def empty(cls, nodes: int) -> Pool:
        """Return a pool without sets."""
        return cls(nodes, np.zeros(1, np.int64), np.empty(0, np.int32))


def prepare(
    edges: EdgeProbabilities,
    worth: NDArray[np.floating] | None = None,
    delays: Delays | None = None,
    horizon_s: float = np.inf,
) -> ReverseNetwork:
    """Return the reverse network of the edges; parallel edges merged, self loops and zeros left out.

    Args:
        edges: P(u->v).
        worth: (N,) what it counts to reach each node, >= 0; None: 1 each.
        delays: how long each edge takes; None: time does not matter.
        horizon_s: a node counts if it is reached so many seconds after the seeds acted, > 0.

    Raises:
        DataError: malformed edges, a worth that is negative or not a number, a horizon without delays or below 0, or
            delays of edges of which some are parallel.
    """
    value = np.ones(edges.nodes) if worth is None else np.ascontiguousarray(worth, np.float64)
    if value.shape != (edges.nodes,) or not (value >= 0.0).all() or not np.isfinite(value).all():
        raise DataError("what a node counts is a number of at least 0 for every node")
    if not horizon_s > 0.0 or (np.isfinite(horizon_s) and delays is None):
        raise DataError("a horizon is above 0 and needs the delays of the edges")
    rows = incoming(edges)
    probability, nothing = rows.probability, np.empty(0)
    quantile_s, scale, level = nothing, nothing, nothing
    if delays is not None and np.isfinite(horizon_s):
        quantile_s, scale = delays.quantile_s, _of_rows(edges, rows, delays.scale)
        level = delays.level(horizon_s / scale)
        # An edge that takes longer than the horizon is of no use to anybody.
        probability = probability * level
    chance, silence = walks.survival(rows.indptr, probability)
    weight = np.cumsum(value * (1.0 - np.maximum(silence, 0.0)))
    walked = Rows(rows.indptr, rows.neighbour, chance, silence, weight, quantile_s, scale, level, float(horizon_s))
    return ReverseNetwork(rows.nodes, walked, value)


def _of_rows(edges: EdgeProbabilities, rows: Network, scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scale of each edge in the order of the rows.

    Raises:
        DataError: the lengths differ, or edges are parallel.
    """
    kept = (edges.source != edges.target) & (np.asarray(edges.probability) > 0.0)
    if scale.shape != edges.source.shape or int(kept.sum()) != len(rows.neighbour):
        raise DataError("delays are given for every edge, and no two edges are parallel")
    key = edges.target[kept].astype(np.int64) * edges.nodes + edges.source[kept]
    return scale[kept][np.argsort(key, kind="stable")]


def collect(network: ReverseNetwork, sets: int, seed: int, *, max_members: int, threads: int = 1) -> Pool | None:
    """Return a pool of `sets` RR sets of more than one node; None when they have more than `max_members` members.

    A pool takes 4 bytes a member and 8 a set; at most `max_members` members and one wave of chunks are held. What there
    was until the limit is no fair sample, since roots come in order.
    """
    if network.mass == 0.0 or sets < 1:
        return Pool.empty(network.nodes)
    sizes, members, held = [], [], 0

    def one(desk: Desk, chunk: int, count: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        return walks.store(network.rows, desk, sets, chunk * CHUNK, count, seed, chunk)

    for size, member in _in_chunks(_desks(network, threads), one, sets):
        held += len(member)
        if held > max_members:
            return None
        sizes.append(size)
        members.append(member)
    indptr = np.zeros(sum(map(len, sizes)) + 1, np.int64)
    if sizes:
        np.cumsum(np.concatenate(sizes), out=indptr[1:])
    return Pool(network.nodes, indptr, np.concatenate(members) if members else np.empty(0, np.int32))


def count_memberships(
    network: ReverseNetwork, sets: int, seed: int, *, threads: int = 1
) -> tuple[NDArray[np.int64], int]:
    """Count, for each node, the RR sets of more than one node that hold it other than as their root.

    Nothing is stored.

    Returns:
        (counts (N,), members of all sets).
    """
    counts = np.zeros(network.nodes, np.int64)
    if network.mass == 0.0:
        return counts, 0

    def one(desk: Desk, chunk: int, count: int) -> int:
        return walks.count(network.rows, desk, sets, chunk * CHUNK, count, seed, chunk)

    desks = _desks(network, threads)
    visits = sum(_in_chunks(desks, one, sets))
    for desk in desks:
        counts += desk.counts
    return counts, visits


def count_hits(network: ReverseNetwork, chosen: NDArray[np.bool_], sets: int, seed: int, *, threads: int = 1) -> int:
    """Return how many of `sets` fresh RR sets of more than one node hold a chosen one; each stops at the first."""
    if network.mass == 0.0:
        return 0
    stop = chosen.view(np.uint8)

    def one(desk: Desk, chunk: int, count: int) -> int:
        return walks.hit_by(network.rows, desk, stop, sets, chunk * CHUNK, count, seed, chunk)

    return sum(_in_chunks(_desks(network, threads), one, sets))


def _desks(network: ReverseNetwork, threads: int) -> list[Desk]:
    nodes = network.nodes
    timed = len(network.rows.delay_s) > 0
    heap = len(network.rows.neighbour) + 1 if timed else 0
    return [
        Desk(
            np.empty(nodes, np.int32),
            np.zeros(nodes, np.uint8),
            np.zeros(nodes, np.int64),
            np.empty(nodes if timed else 0),
            np.empty(heap),
            np.empty(heap, np.int32),
        )
        for _ in range(threads)
    ]


def _in_chunks(desks: list[Desk], one: Callable[[Desk, int, int], T], sets: int) -> Iterator[T]:
    """Yield `one(desk, chunk, count)` of each chunk in order, as many at a time as there are desks."""
    plan = ((chunk, min(CHUNK, sets - chunk * CHUNK)) for chunk in range(-(-sets // CHUNK)))
    if len(desks) == 1:
        for chunk, count in plan:
            yield one(desks[0], chunk, count)
        return
    free: SimpleQueue[Desk] = SimpleQueue()
    for desk in desks:
        free.put(desk)

    def run(job: tuple[int, int]) -> T:
        desk = free.get()
        try:
            return one(desk, *job)
        finally:
            free.put(desk)

    with ThreadPoolExecutor(max_workers=len(desks)) as workers:
        while wave := list(islice(plan, WAVE * len(desks))):
            yield from workers.map(run, wave)
