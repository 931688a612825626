"""Influence score of every user in one pass over reverse-reachable sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.influence import rrsets
from engine.influence.randomness import seed_from
from engine.types import EdgeProbabilities

SETS_PER_USER = 400
"""RR sets rooted at each user: a score of 1 + x then has a standard error of about sqrt(x) / 20."""
MAX_SETS = 20_000_000
MAX_VISITS = 1_000_000_000
"""Members of all RR sets together; bounds the time on dense graphs to about a minute of one core."""


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
    """RR sets behind it."""


def score_users(
    edges: EdgeProbabilities,
    rng: np.random.Generator,
    *,
    sets_per_user: int = SETS_PER_USER,
    max_sets: int = MAX_SETS,
    max_visits: int = MAX_VISITS,
    threads: int = 1,
) -> InfluenceScores:
    """Estimate sigma({u}) for every u: 1 + n * (share of RR sets that hold u other than as their root).

    The user alone counts 1 for certain, so only what lies beyond is estimated; roots take turns in a random order
    instead of being drawn. Both lower the variance of n * cov(u) / R and leave it unbiased. The standard error is that
    of a binomial count, a little too large for roots that take turns; a count of 0 is given the error of a count of 1.

    Raises:
        DataError: malformed edges.
    """
    network = rrsets.prepare(edges)
    users = edges.nodes
    roots = rng.permutation(users).astype(np.int32)
    counts, made = rrsets.count_memberships(
        network,
        roots,
        min(sets_per_user * users, max_sets),
        seed_from(rng),
        max_visits=max_visits,
        threads=threads,
    )
    weight = users / max(made, 1)
    share = np.minimum(counts / max(made, 1), 1.0)
    error = weight * np.sqrt(np.maximum(counts, 1) * (1.0 - share))
    error[np.bincount(network.neighbour, minlength=users) == 0] = 0.0
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
