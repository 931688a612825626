"""Influence score of every user in one pass over reverse-reachable sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.influence import rrsets
from engine.influence.randomness import seed_from
from engine.types import EdgeProbabilities

SETS_PER_USER = 400
"""RR sets for each user, those of one node among them: a score of 1 + x has a standard error of about sqrt(x) / 20."""
MAX_SETS = 20_000_000
MAX_VISITS = 1_000_000_000
"""Members of all RR sets together; bounds the time on dense graphs to about a minute of one core."""
PILOT_SETS = 32_768
"""Made first, to learn how large sets are."""


@dataclass(frozen=True, slots=True)
class InfluenceScores:
    """sigma({u}) of every user u."""

    score: NDArray[np.float32]
    """(U,) expected users reached when u shares, u included, at least 1."""
    standard_error: NDArray[np.float32]
    """(U,) of the score; 0 where it is exact because u reaches nobody."""
    percentile: NDArray[np.float32]
    """(U,) in [0, 100], equal for equal scores."""
    sets: int
    """RR sets of more than one node behind it."""


def score_users(
    edges: EdgeProbabilities,
    rng: np.random.Generator,
    *,
    sets_per_user: int = SETS_PER_USER,
    max_sets: int = MAX_SETS,
    max_visits: int = MAX_VISITS,
    threads: int = 1,
) -> InfluenceScores:
    """Estimate sigma({u}) for every u: 1 + M * (share of RR sets that hold u other than as their root).

    M is the expected number of users whose RR set holds more than them (`rrsets`). A user alone counts 1 for certain,
    so only what lies beyond is estimated, and roots are spread evenly instead of being drawn freely: both lower the
    variance of n * cov(u) / R and leave it unbiased. The standard error is that of a binomial count, a little too large
    for roots that are spread evenly; a count of 0 is given the error of a count of 1.

    Raises:
        DataError: malformed edges.
    """
    network = rrsets.prepare(edges)
    users = edges.nodes
    sets = int(np.ceil(min(sets_per_user * network.mass, max_sets)))
    first = min(sets, PILOT_SETS)
    counts, visits = rrsets.count_memberships(network, first, seed_from(rng), threads=threads)
    rest = min(sets - first, int((max_visits - visits) * first / max(visits, 1)))
    if rest > 0:
        counts = counts + rrsets.count_memberships(network, rest, seed_from(rng), threads=threads)[0]
    made = first + max(rest, 0)
    weight = network.mass / max(made, 1)
    share = np.minimum(counts / max(made, 1), 1.0)
    error = weight * np.sqrt(np.maximum(counts, 1) * (1.0 - share))
    error[np.bincount(network.rows.neighbour, minlength=users) == 0] = 0.0
    score = (1.0 + weight * counts).astype(np.float32)
    return InfluenceScores(score, error.astype(np.float32), percentiles(score), made)


def percentiles(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the rank of each value as a percentile in [0, 100], (N,): lowest 0, highest 100, ties averaged.

    Where all values are equal each is 50.
    """
    if len(values) < 2:
        return np.full(len(values), 50.0, np.float32)
    _, place, size = np.unique(values, return_inverse=True, return_counts=True)
    below = np.cumsum(size) - size
    return (100.0 * (below + (size - 1) / 2.0) / (len(values) - 1))[place].astype(np.float32)
