"""Forward simulation of the independent cascade: the judge of every estimate.

Kempe, Kleinberg, Tardos, Maximizing the spread of influence through a social network, KDD 2003, section 2: a user who
becomes active gets one chance at each receiver v, who becomes active with P(u->v).
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.influence.network import outgoing
from engine.influence.randomness import next_unit, seed_from, stream
from engine.types import EdgeProbabilities


@dataclass(frozen=True, slots=True)
class Spread:
    """A simulated spread: mean users reached (seeds included) and the standard error of that mean."""

    mean: float
    standard_error: float


def simulate(edges: EdgeProbabilities, seeds: NDArray[np.integer], runs: int, rng: np.random.Generator) -> Spread:
    """Return the spread of a seed set over `runs` independent cascades.

    Raises:
        DataError: no runs, a seed outside [0, nodes), or malformed edges.
    """
    reached = _prepare(edges, seeds, runs)(np.zeros(1, np.int64), np.array([len(seeds)]), seed_from(rng))[0]
    return Spread(float(reached.mean()), float(reached.std(ddof=1) / np.sqrt(runs)) if runs > 1 else float("inf"))


def simulate_each(
    edges: EdgeProbabilities, users: NDArray[np.integer], runs: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (mean, standard error) of sigma({u}) for each user u by itself, each (len(users),).

    Raises:
        DataError: no runs, a user outside [0, nodes), or malformed edges.
    """
    starts = np.arange(len(users), dtype=np.int64)
    reached = _prepare(edges, users, runs)(starts, starts + 1, seed_from(rng))
    spread = reached.std(axis=1, ddof=1) if runs > 1 else np.full(len(users), np.inf)
    return reached.mean(axis=1), spread / np.sqrt(runs)


def _prepare(edges: EdgeProbabilities, seeds: NDArray[np.integer], runs: int):  # noqa: ANN202 - a closure
    network = outgoing(edges)
    chosen = np.ascontiguousarray(seeds, np.int32)
    if runs < 1:
        raise DataError("at least one run is needed")
    if chosen.size and (chosen.min() < 0 or chosen.max() >= edges.nodes):
        raise DataError(f"a seed is outside the {edges.nodes} nodes")

    def run(starts: NDArray[np.int64], ends: NDArray[np.int64], seed: int) -> NDArray[np.int32]:
        return _cascade(network.indptr, network.neighbour, network.probability, chosen, starts, ends, runs, seed)

    return run


@numba.njit(cache=True, nogil=True)
def _cascade(  # noqa: PLR0917 - numba takes positions
    indptr: NDArray[np.int64],
    neighbour: NDArray[np.int32],
    probability: NDArray[np.float64],
    seeds: NDArray[np.int32],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    runs: int,
    seed: int,
) -> NDArray[np.int32]:
    """Return users reached, (sets, runs); set s starts from `seeds[starts[s]:ends[s]]`."""
    reached = np.zeros((len(starts), runs), np.int32)
    active_in = np.full(len(indptr) - 1, -1, np.int64)  # the run in which a node was last active
    queue = np.empty(len(indptr) - 1, np.int32)
    for s in range(len(starts)):
        state = stream(seed, s)
        for run in range(runs):
            mark = s * runs + run
            head, tail = 0, 0
            for u in seeds[starts[s] : ends[s]]:
                if active_in[u] != mark:
                    active_in[u] = mark
                    queue[tail] = u
                    tail += 1
            while head < tail:
                u = queue[head]
                head += 1
                for e in range(indptr[u], indptr[u + 1]):
                    v = neighbour[e]
                    if active_in[v] != mark and next_unit(state) < probability[e]:
                        active_in[v] = mark
                        queue[tail] = v
                        tail += 1
            reached[s, run] = tail
    return reached
