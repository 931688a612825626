"""The people of a generated world: communities, tastes, friendships with strengths, true edge probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.types import EdgeProbabilities

MEAN_FRIENDS = 12.0
TASTES_PER_USER = 3
SILENT_SHARE = 0.01
"""Share of users who joined lately and have done nothing yet."""
SPECTRAL_RADIUS = 0.85
"""Of the matrix of true probabilities: below 1, so that cascades end, near it, so that a few grow large."""
MAX_PROBABILITY = 0.6


@dataclass(frozen=True, slots=True)
class Crowd:
    """Users 0..U-1 and what is true of them."""

    community: NDArray[np.int32]
    """(U,)"""
    taste_count: int
    tastes: NDArray[np.int32]
    """(U, 3) in [0, taste_count)."""
    taste_weights: NDArray[np.float64]
    """(U, 3) rows sum to 1."""
    activity: NDArray[np.float64]
    """(U,) share of all events; 0 for users without history."""
    sociability: NDArray[np.float64]
    """(U,) propensity to have friends, mean about 1."""
    friends: NDArray[np.int32]
    """(F, 2) each friendship once, smaller index first."""
    strength: NDArray[np.float32]
    """(F,) in (0, 1], two decimals."""
    probabilities: EdgeProbabilities
    """True P(u->v), both directions of each friendship, (2F,), ordered by sender."""


def gather(users: int, rng: np.random.Generator) -> Crowd:
    """Return a crowd of `users` people."""
    communities = max(8, users // 100)
    taste_count = int(np.clip(users // 50, 12, 400))
    shares = rng.dirichlet(np.full(communities, 3.0))
    community = rng.choice(communities, users, p=shares).astype(np.int32)
    tastes, weights = _mix_tastes(community, communities, taste_count, rng)
    activity = rng.lognormal(0.0, 0.9, users)
    activity[rng.choice(users, max(1, round(users * SILENT_SHARE)), replace=False)] = 0.0
    sociability = rng.lognormal(-0.3, 0.8, users)
    friends = _befriend(community, sociability, rng)
    close = community[friends[:, 0]] == community[friends[:, 1]]
    strength = np.where(close, rng.beta(3.0, 2.5, len(friends)), rng.beta(1.6, 4.0, len(friends)))
    strength = np.maximum(np.round(strength, 2), 0.01).astype(np.float32)
    return Crowd(
        community=community,
        taste_count=taste_count,
        tastes=tastes,
        taste_weights=weights,
        activity=activity / activity.sum(),
        sociability=sociability,
        friends=friends,
        strength=strength,
        probabilities=_persuade(friends, strength, users, rng),
    )


def _mix_tastes(
    community: NDArray[np.int32], communities: int, taste_count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Each user: two tastes that the community favours, one of their own; rows of weights sum to 1."""
    favoured = rng.integers(0, taste_count, (communities, 4))
    chosen = rng.integers(0, 4, (len(community), 2))
    own = rng.integers(0, taste_count, (len(community), 1))
    tastes = np.concatenate([favoured[community[:, None], chosen], own], axis=1).astype(np.int32)
    weights = rng.gamma(np.array([2.5, 1.2, 1.2]), size=(len(community), TASTES_PER_USER))
    return tastes, weights / weights.sum(axis=1, keepdims=True)


def _befriend(
    community: NDArray[np.int32], sociability: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int32]:
    """Return (F, 2): most ties within a community, some across, some closing a triangle."""
    users = len(community)
    wanted = int(users * MEAN_FRIENDS / 2)
    near, far, closing = int(wanted * 0.60), int(wanted * 0.22), int(wanted * 0.25)
    order = np.argsort(community, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(sociability[order])])
    start = np.searchsorted(community[order], np.arange(community.max() + 2))

    def draw(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.int64]:
        point = low + rng.random(len(low)) * (high - low)
        return order[np.minimum(np.searchsorted(total, point, side="right") - 1, users - 1)]

    everyone = np.zeros(near + far), np.full(near + far, total[-1])
    first = draw(*everyone)
    own = community[first[:near]]
    second = np.concatenate([draw(total[start[own]], total[start[own + 1]]), draw(*(e[near:] for e in everyone))])
    pairs = np.stack([first, second], axis=1)
    return _distinct(np.concatenate([pairs, _close_triangles(pairs, closing, users, rng)]), users)


def _close_triangles(pairs: NDArray[np.int64], count: int, users: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return (count, 2): ends of random two-step paths."""
    source, target = np.concatenate([pairs, pairs[:, ::-1]]).T
    order = np.argsort(source, kind="stable")
    source, target = source[order], target[order]
    start = np.searchsorted(source, np.arange(users + 1))
    step = rng.integers(0, len(pairs), count)
    middle = pairs[step, 1]
    other = start[middle] + (rng.random(count) * (start[middle + 1] - start[middle])).astype(np.int64)
    return np.stack([pairs[step, 0], target[other]], axis=1)


def _distinct(pairs: NDArray[np.int64], users: int) -> NDArray[np.int32]:
    pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
    key = np.unique(pairs[:, 0] * users + pairs[:, 1])
    return np.stack([key // users, key % users], axis=1).astype(np.int32)


def _persuade(
    friends: NDArray[np.int32], strength: NDArray[np.float32], users: int, rng: np.random.Generator
) -> EdgeProbabilities:
    """P(u->v) = scale * persuasion(u) * receptivity(v) * (0.2 + strength)^1.5, scaled to SPECTRAL_RADIUS."""
    source, target = np.concatenate([friends, friends[:, ::-1]]).T
    order = np.lexsort((target, source))
    source, target = source[order], target[order]
    tie = np.concatenate([strength, strength])[order].astype(np.float64)
    raw = rng.lognormal(0.0, 0.8, users)[source] * rng.lognormal(0.0, 0.5, users)[target] * (0.2 + tie) ** 1.5
    scale = 0.05
    for _ in range(8):  # clipping bends the scale, so it is found by iteration
        scale *= SPECTRAL_RADIUS / _radius(source, target, np.minimum(raw * scale, MAX_PROBABILITY), users)
    probability = np.minimum(raw * scale, MAX_PROBABILITY).astype(np.float32)
    return EdgeProbabilities(source.astype(np.int32), target.astype(np.int32), probability, users)


def _radius(source: NDArray[np.int32], target: NDArray[np.int32], p: NDArray[np.float64], users: int) -> float:
    vector = np.ones(users)
    norm = 1.0
    for _ in range(30):
        vector = np.bincount(source, p * vector[target], users)
        norm = float(np.linalg.norm(vector))
        vector /= norm
    return norm
