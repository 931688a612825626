"""Seed sets: the users a campaign starts with, with a certificate.

One pool of RR sets is chosen on, another judges. While the certificate is too weak both grow. Where a time is given,
the pool to choose on first grows as far as it pays for, because the certificate of eps = .1 alone is weak where
probabilities are small (OPIM-C: Tang, Tang, Xiao, Yuan, Online processing algorithms for influence maximization, SIGMOD
2018, algorithm 2). Pools are sampled as `rrsets` says, so what is known of single users needs no sample.

How far the pool grows depends on what is on it, and a bound that holds for one number of sets need not hold for a
number that was chosen after a look at them. So a pool has one of LEVELS sizes that are fixed beforehand, and the bound
of the best spread holds for all of them together. What judges a choice is drawn afresh, and looked at LOOKS times at
most in all.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.influence import bounds, rrsets
from engine.influence.coverage import Choice, Limits, choose
from engine.influence.randomness import seed_from
from engine.types import SeedSet

BEST_GREEDY = 1.0 - 1.0 / np.e
FIRST_SETS = 2_048
LOOKS = 48
"""Looks at sets that judge; the failure probability is shared among them."""
STEP = 1.15
LEVELS = 96
"""Sizes that a pool may have, each STEP times the one before; the failure probability is shared among them."""
MAX_MEMBERS = 200_000_000
"""Members of the stored pool: about 1.7 GB with its index by user."""
NEAR = 0.99
"""More sets cannot raise a certificate that is this near what the choice reaches on its own pool."""
AT_ONCE = 16
"""Levels that a pool may grow by without a look: nine times its sets."""
WORTHWHILE = 2
"""Levels that a pool grows by at least for a better choice."""
TO_JUDGE, CHOOSING, SURE = 0.15, 0.7, 0.95
"""Where time goes: a judgement's over that of collecting the sets chosen on, how much of the choice's grows with its
sets, and how much of what is left may be planned."""
FLATTERY = 0.6
"""How much a choice is flattered by its own sets, in units of `_Round.noise`, until it is measured: .4 to .9 on public
graphs. A guess that is wrong costs time and nothing else."""
_JUDGES = (0.25, 0.5, 0.75, 1.0, 1.4, 2.0)
"""Sets that have judged at each look, for each set chosen on."""


@dataclass(frozen=True, slots=True)
class _Round:
    """A choice with what it promises, in users."""

    choice: Choice
    sets: int
    unit: float
    """What one RR set of the pool counts."""
    known: float
    """What the users chosen count without sampling."""
    best: float
    """Upper bound of the best spread."""

    @property
    def noise(self) -> float:
        """How far chance alone moves the gains, over the sets hit: what greedy choice makes the most of."""
        return float(np.sqrt(np.maximum(self.choice.gain, 0.0)).sum()) / max(self.choice.covered, 1)

    def wanted(self, target: float) -> float:
        """Return the certificate at which more sets are not worth their time."""
        return min(target, NEAR * self.choice.value / self.choice.bound)


@dataclass(frozen=True, slots=True)
class Effort:
    """How certain seeds are to be, and what that may cost."""

    epsilon: float = 0.1
    """In (0, 1 - 1/e): with k seeds and no other limits the spread is at least 1 - 1/e - epsilon of the best."""
    failure: float | None = None
    """Probability that the bounds do not hold, in (0, 1); None: 1 / users."""
    budget_s: float = 0.0
    """Processor seconds per thread for a better choice, beyond what the certificate needs."""
    sets: int = 0
    """RR sets to choose on at least: for a better choice too, but one that repeats exactly with its seed."""
    max_members: int = MAX_MEMBERS
    """Limit on the pool's memory; the certificate may stay weaker than asked for."""
    threads: int = 1
    """Chunks of RR sets made at once."""

    def check(self) -> None:
        """Refuse what cannot be had.

        Raises:
            DataError: an epsilon or a failure out of range.
        """
        if not 0.0 < self.epsilon < BEST_GREEDY:
            raise DataError(f"epsilon is between 0 and {BEST_GREEDY:.3f}, not {self.epsilon}")
        if self.failure is not None and not 0.0 < self.failure < 1.0:
            raise DataError(f"a probability to fail is between 0 and 1, not {self.failure}")


DEFAULT_EFFORT = Effort()


def choose_seeds(
    network: rrsets.ReverseNetwork, limits: Limits, rng: np.random.Generator, effort: Effort = DEFAULT_EFFORT
) -> SeedSet:
    """Choose seeds of large spread within the limits.

    With costs or quotas greedy choice has a weaker guarantee (`coverage`) than `epsilon` says; `SeedSet.guarantee` is
    what is certain of this very set.

    Raises:
        DataError: limits that cannot be obeyed, or an effort out of range.
    """
    limits.check(network.nodes)
    effort.check()
    return _Search(network, limits, rng, effort).run(BEST_GREEDY - effort.epsilon)


class _Search:
    """The pool that grows, and what it has cost so far."""

    def __init__(
        self, network: rrsets.ReverseNetwork, limits: Limits, rng: np.random.Generator, effort: Effort
    ) -> None:
        self._network, self._limits, self._rng, self._effort = network, limits, rng, effort
        self._failure = 1.0 / max(network.nodes, 2) if effort.failure is None else effort.failure
        # A third each: bounds of the best, lower and upper bounds of the choice.
        self._eta_best, self._eta = (float(np.log(3.0 * times / self._failure)) for times in (LEVELS, LOOKS))
        self._began_s = self._cpu_s()
        self._alone = network.alone
        self._pool = rrsets.Pool.empty(network.nodes)
        self._base, self._level, self._levels = 0, -1, LEVELS
        self._looks, self._flattery = 0, FLATTERY
        self._collect_s = self._choose_s = 0.0

    def run(self, target: float) -> SeedSet:
        """Return seeds whose certificate reaches the target, if more sets can bring that about."""
        self._base = max(FIRST_SETS, self._effort.sets)
        while not self._grow(0) and self._base > 1:
            self._base, self._levels = self._base // 2, self._levels - 1
        found = self._choose()
        while (level := self._affordable(found)) >= self._level + WORTHWHILE and self._grow(level):
            found = self._choose()
        while True:
            seeds = self._judged(found, target)
            if seeds is not None and seeds.guarantee >= found.wanted(target):
                return seeds
            if self._looks + len(_JUDGES) >= LOOKS or not self._grow(self._next_level(found, target)):
                sets = int(_JUDGES[-1] * found.sets)
                return self._seeds(found, self._hits(found, sets), sets)
            found = self._choose()

    def _affordable(self, found: _Round) -> int:
        """Return the level that the time that is left pays for, the choice and the judgement included."""
        left_s = self._effort.budget_s - (self._cpu_s() - self._began_s)
        level = self._level + AT_ONCE
        while level > self._level:
            growth = self._sets(level) / found.sets
            collect_s = self._collect_s * (growth - 1.0 + TO_JUDGE * growth)
            if collect_s + self._choose_s * (1.0 + CHOOSING * (growth - 1.0)) <= SURE * left_s:
                break
            level -= 1
        return level

    def _sets(self, level: int) -> int:
        """Return how many sets a pool of this level has."""
        return int(self._base * STEP**level)

    def _grow(self, level: int) -> bool:
        """Let the pool grow to this level, or as far as there is room; whether there was any."""
        began_s = self._cpu_s()
        room = self._effort.max_members - len(self._pool.member)
        fitting = np.inf
        if len(self._pool):
            fitting = len(self._pool) + int(0.9 * room * len(self._pool) / len(self._pool.member))
        level = min(level, self._levels - 1)
        while level > self._level and self._sets(level) > fitting:
            level -= 1
        if level <= self._level:
            return False
        sets = self._sets(level) - (self._sets(self._level) if self._level >= 0 else 0)
        more = rrsets.collect(self._network, sets, seed_from(self._rng), max_members=room, threads=self._effort.threads)
        if more is None:
            return False
        self._pool, self._level = self._pool.joined(more), level
        self._collect_s += self._cpu_s() - began_s
        return True

    def _choose(self) -> _Round:
        began_s = self._cpu_s()
        sets = len(self._pool)
        # Without a set of more than one node all is known, and one is as good a unit as another.
        unit = self._network.mass / sets if sets else 1.0
        choice = choose(self._pool, self._alone / unit, self._limits)
        known = float(self._alone[choice.users].sum())
        hit = min(choice.cover_bound, choice.bound)
        best = unit * (choice.bound + bounds.slack(hit, sets, self._eta_best))
        self._choose_s = self._cpu_s() - began_s
        return _Round(choice, max(sets, 1), unit, known, best)

    def _judged(self, found: _Round, target: float) -> SeedSet | None:
        """Return the seeds, judged by as many sets as it takes to certify them, or to see that it would take too many.

        None: that many would take too many was plain before.
        """
        seeds, hits, judges = None, 0, 0
        expected = self._fair(found) * found.choice.covered / found.sets
        for at, share in enumerate(_JUDGES):
            if not self._may_do(found, target, expected, _JUDGES[at:]):
                break
            more = int(np.ceil(share * found.sets)) - judges
            hits, judges = hits + self._hits(found, more), judges + more
            seeds = self._seeds(found, hits, judges)
            if seeds.guarantee >= found.wanted(target):
                break
            expected = hits / judges
        if judges and found.choice.covered:
            self._flattery = max(0.0, 1.0 - hits / judges * found.sets / found.choice.covered) / found.noise
        return seeds

    def _may_do(self, found: _Round, target: float, expected: float, shares: Sequence[float]) -> bool:
        """Whether one of these numbers of sets will probably certify a choice that hits so many of each."""
        wanted = 1.01 * found.wanted(target) * found.best
        return any(
            found.known + self._network.mass * bounds.lower(expected * sets, sets, self._eta) / sets >= wanted
            for sets in (share * found.sets for share in shares)
        )

    def _hits(self, found: _Round, sets: int) -> int:
        """Return how many of so many new sets the choice hits."""
        self._looks += 1
        chosen = np.zeros(self._network.nodes, bool)
        chosen[found.choice.users] = True
        return rrsets.count_hits(self._network, chosen, sets, seed_from(self._rng), threads=self._effort.threads)

    def _seeds(self, found: _Round, hits: int, sets: int) -> SeedSet:
        """Return the seeds with their spread on sets that the choice has not seen."""
        unit = self._network.mass / max(sets, 1)
        low = found.known + unit * bounds.lower(hits, sets, self._eta)
        high = found.known + unit * bounds.upper(hits, sets, self._eta)
        worth = found.choice.gain * found.unit
        least = float(self._network.worth[found.choice.users].sum())
        spread = max(found.known + unit * hits, least)
        best = max(found.best, low, least)
        return SeedSet(
            found.choice.users, worth, spread, max(low, least), max(high, least), best, self._failure, found.sets + sets
        )

    def _next_level(self, found: _Round, target: float) -> int:
        """Return the level at which the certificate will probably do."""
        choice = found.choice
        wanted = found.wanted(target)
        for more in range(1, AT_ONCE + 1):
            growth = STEP**more
            sets, hit = growth * found.sets, growth * min(choice.cover_bound, choice.bound)
            best = growth * choice.bound + bounds.slack(hit, sets, self._eta_best)
            low = bounds.lower(growth * self._fair(found, growth) * choice.covered, sets, self._eta)
            if found.known + found.unit / growth * low >= 1.02 * wanted * found.unit / growth * best:
                return self._level + more
        return self._level + AT_ONCE

    def _fair(self, found: _Round, growth: float = 1.0) -> float:
        """Return how much of what it hits of its own sets a choice hits of others, made on so many times the sets."""
        return max(0.5, 1.0 - self._flattery * found.noise / np.sqrt(growth))

    def _cpu_s(self) -> float:
        return time.process_time() / self._effort.threads


def spread_of(
    network: rrsets.ReverseNetwork,
    users: NDArray[np.integer],
    rng: np.random.Generator,
    *,
    sets: int = 200_000,
    failure: float = 0.05,
    threads: int = 1,
) -> tuple[float, float, float]:
    """Return (spread, low, high) of a given set of users: what if these were the seeds.

    Args:
        network: the reverse network.
        users: who.
        rng: source of randomness.
        sets: RR sets to judge by.
        failure: probability that the interval misses.
        threads: chunks made at once.

    Raises:
        DataError: a user outside [0, nodes).
    """
    if len(users) and (np.min(users) < 0 or np.max(users) >= network.nodes):
        raise DataError(f"a seed is outside the {network.nodes} nodes")
    chosen = np.zeros(network.nodes, bool)
    chosen[np.asarray(users, np.int64)] = True
    hits = rrsets.count_hits(network, chosen, sets, seed_from(rng), threads=threads)
    known, unit, eta = float(network.alone[chosen].sum()), network.mass / sets, float(np.log(2.0 / failure))
    least = float(network.worth[chosen].sum())
    low, high = (known + unit * bound(hits, sets, eta) for bound in (bounds.lower, bounds.upper))
    return max(known + unit * hits, least), max(low, least), max(high, least)
