"""Seed sets: the users a campaign starts with, with a certificate.

One pool of RR sets is chosen on, another judges. While the certificate is too weak both grow; when it is good enough
and time is left, the pool to choose on grows further, because the certificate of eps = .1 alone is weak where
probabilities are small (OPIM-C: Tang, Tang, Xiao, Yuan, Online processing algorithms for influence maximization, SIGMOD
2018, algorithm 2). Pools are sampled as `rrsets` says, so what is known of single users needs no sample.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.influence import rrsets
from engine.influence.coverage import Choice, Limits, choose
from engine.influence.randomness import seed_from
from engine.types import SeedSet

BEST_GREEDY = 1.0 - 1.0 / np.e
FIRST_SETS = 2_048
ROUNDS = 24
"""Certificates that may be asked for; the failure probability is shared among them."""
MAX_MEMBERS = 200_000_000
"""Members of the stored pool: about 1.7 GB with its index by user."""
NEAR = 0.99
"""More sets cannot raise a certificate that is this near what the choice reaches on its own pool."""
_GROWTH = 1.15 ** np.arange(1, 11)
"""Steps that the pool may grow by, up to four times."""
_JUDGES = np.array([0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0])
"""Sets that judge, for each set chosen on."""


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
        self._eta = float(np.log(3.0 * ROUNDS / self._failure))
        self._began_s = self._cpu_s()
        self._alone = network.alone
        self._pool = rrsets.Pool.empty(network.nodes)
        self._judged, self._flattery = 0, 0.0
        self._collect_s = self._choose_s = 0.0

    def run(self, target: float) -> SeedSet:
        """Return seeds whose certificate reaches the target, if more sets can bring that about."""
        first = max(FIRST_SETS, self._effort.sets)
        while not self._grow(first) and first > 1:
            first //= 2
        found = self._choose()
        for _ in range(ROUNDS - 1):
            share = self._judges(found, target)
            if share is not None:
                seeds = self._judge(found, int(share * found.sets))
                if seeds.guarantee >= min(target, NEAR * found.choice.value / found.choice.bound):
                    return self._refined(found, seeds)
            if not self._grow(self._next_sets(found, target)):
                break
            found = self._choose()
        return self._refined(found, self._judge(found, found.sets))

    def _refined(self, found: _Round, seeds: SeedSet) -> SeedSet:
        """Return seeds chosen with the time that is left; these, where there is none."""
        while (more := self._affordable(found)) >= 0.2 * found.sets and self._grow(more):
            found = self._choose()
            seeds = self._judge(found, min(found.sets, max(self._judged, FIRST_SETS)))
        return seeds

    def _affordable(self, found: _Round) -> int:
        """Return how many more sets the time that is left pays for, the choice on all of them included."""
        left_s = self._effort.budget_s - (self._cpu_s() - self._began_s)
        collect_s, choose_s = self._collect_s / found.sets, self._choose_s / found.sets
        return int(min(10.0 * found.sets, 0.9 * (left_s - choose_s * found.sets) / (collect_s + choose_s)))

    def _grow(self, sets: int) -> bool:
        """Add sets to the pool; whether there was room."""
        began_s = self._cpu_s()
        room = self._effort.max_members - len(self._pool.member)
        if len(self._pool):
            fitting = int(0.9 * room * len(self._pool) / len(self._pool.member))
            if fitting < 0.1 * len(self._pool):
                return False
            sets = min(sets, fitting)
        more = rrsets.collect(self._network, sets, seed_from(self._rng), max_members=room, threads=self._effort.threads)
        if more is None:
            return False
        self._pool = self._pool.joined(more)
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
        best = unit * (choice.bound + (_upper(hit, self._eta) - hit if sets else 0.0))
        self._choose_s = self._cpu_s() - began_s
        return _Round(choice, max(sets, 1), unit, known, best)

    def _judge(self, found: _Round, sets: int) -> SeedSet:
        """Return the seeds with their spread on sets that the choice has not seen."""
        chosen = np.zeros(self._network.nodes, bool)
        chosen[found.choice.users] = True
        hits = rrsets.count_hits(self._network, chosen, sets, seed_from(self._rng), threads=self._effort.threads)
        self._judged = sets
        if hits and found.choice.covered:
            fair = hits / sets * found.sets / found.choice.covered
            self._flattery = max(0.0, 1.0 - fair) * np.sqrt(found.sets)
        unit = self._network.mass / max(sets, 1)
        low = found.known + unit * _lower(hits, self._eta)
        high = found.known + unit * min(_upper(hits, self._eta), sets)
        worth = found.choice.gain * found.unit
        least = float(self._network.worth[found.choice.users].sum())
        spread = max(found.known + unit * hits, least)
        best = max(found.best, low, least)
        return SeedSet(
            found.choice.users, worth, spread, max(low, least), max(high, least), best, self._failure, found.sets + sets
        )

    def _judges(self, found: _Round, target: float) -> float | None:
        """Return how many sets, for each of the pool's, will probably certify the choice; None: no number will."""
        wanted = min(target, NEAR * found.choice.value / found.choice.bound) * found.best
        hits = self._fair(found.sets) * found.choice.covered * _JUDGES
        low = found.known + found.unit / _JUDGES * np.array([_lower(each, self._eta) for each in hits])
        enough = np.flatnonzero(low >= 1.01 * wanted)
        return float(_JUDGES[enough[0]]) if len(enough) else None

    def _next_sets(self, found: _Round, target: float) -> int:
        """Return how many sets to add so that the certificate will probably do."""
        choice = found.choice
        wanted = min(target, NEAR * choice.value / choice.bound)
        for growth in _GROWTH:
            hit = growth * min(choice.cover_bound, choice.bound)
            best = found.unit / growth * (growth * choice.bound + _upper(hit, self._eta) - hit)
            fair = self._fair(growth * found.sets)
            low = found.known + found.unit / growth * _lower(growth * fair * choice.covered, self._eta)
            if low >= 1.02 * wanted * best:
                return int((growth - 1.0) * found.sets)
        return int((_GROWTH[-1] - 1.0) * found.sets)

    def _fair(self, sets: float) -> float:
        """Return what share of the sets it was chosen on a choice will hit of others: its flattery fades with more."""
        return max(0.5, 1.0 - self._flattery / np.sqrt(sets))

    def _cpu_s(self) -> float:
        return time.process_time() / self._effort.threads


def _lower(hits: float, eta: float) -> float:
    """Return a lower bound of the expected hits that fails with exp(-eta) (Tang et al. 2018, lemma 4.2)."""
    return max(float((np.sqrt(hits + 2.0 * eta / 9.0) - np.sqrt(eta / 2.0)) ** 2 - eta / 18.0), 0.0) if hits else 0.0


def _upper(hits: float, eta: float) -> float:
    """Return an upper bound of the expected hits that fails with exp(-eta) (the same lemma)."""
    return float((np.sqrt(hits + eta / 2.0) + np.sqrt(eta / 2.0)) ** 2)


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
    low, high = known + unit * _lower(hits, eta), known + unit * min(_upper(hits, eta), sets)
    return max(known + unit * hits, least), max(low, least), max(high, least)
