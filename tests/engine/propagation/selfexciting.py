"""Cascades whose law is known: every event brings on Poisson(n) more, after exponential delays."""

from __future__ import annotations

import numpy as np

from engine.propagation.cascades import Cascades, cascades_of

DELAY_S = 1_800.0


def simulate(count: int, seed: int, branching=(0.5, 0.95), roots: int = 6, apart_s: float = 600.0):
    """Return `count` cascades and the branching number of each; each begins with `roots` events within a minute."""
    rng = np.random.default_rng(seed)
    n = rng.uniform(*branching, count)
    times, users = [], []
    for place in range(count):
        events = [0.0, *np.sort(rng.uniform(0, 60, roots - 1))]
        at = 0
        while at < len(events) and len(events) < 3_000:
            events += [events[at] + delay for delay in rng.exponential(DELAY_S, rng.poisson(n[place]))]
            at += 1
        times.append(place * apart_s + np.round(np.sort(events)))
        users.append(rng.integers(0, 400, len(events)))
    return cascades_of(times, users), n


def expected_to_come(cascades: Cascades, branching, age_s: float):
    """Return the mean number of further events of each cascade, (N,), from its law and its events up to an age.

    An event of age a still has n exp(-a / DELAY_S) children to come, and each child a tree of 1 / (1 - n) events.
    """
    left = np.exp(-(age_s - cascades.seconds) / DELAY_S) * (cascades.seconds <= age_s)
    return branching / (1 - branching) * np.bincount(cascades.cascade_of, left, len(cascades))
