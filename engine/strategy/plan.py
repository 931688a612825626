"""A campaign's plan: seeds within a budget, what each adds, and what simpler choices reach within the same limits.

Seeds are chosen and certified by `engine.influence.seeding`. All that is told beside the certificate (what each seed
adds, the curve, the rivals) is measured on one further pool of RR sets that no choice has seen, the same for everyone:
no choice flatters it, and the difference between two sets of users is not blurred by different pools.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.influence import rrsets
from engine.influence.coverage import Limits
from engine.influence.delays import Delays
from engine.influence.randomness import seed_from
from engine.influence.seeding import Effort, choose_seeds, spread_of
from engine.strategy import rivals
from engine.types import EdgeProbabilities

SETS = 400_000
"""RR sets that everything is measured on: a spread of M + x has a standard error of about sqrt(M x / 400,000)."""
MAX_MEMBERS = 20_000_000
"""Members of that pool, 80 MB; where sets are larger there are fewer."""
MAX_CHOICE_MEMBERS = 40_000_000
"""Members of the pool that seeds are chosen on, about 340 MB."""
CHOICE_SETS = 400_000
"""RR sets that seeds are chosen on at least: those that the certificate of epsilon = .1 needs are too few for a good
choice (ADR 22)."""
DRAWS = 10
"""Random seed sets that are averaged."""
STEPS = 50
"""Points of the curve after 0."""
WHAT_IF_FAILURE = 0.01
RIVALS = ("topDegree", "topPagerank", "random")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to plan; U users."""

    edges: EdgeProbabilities
    """P(u->v) of what is promoted."""
    delays: Delays | None = None
    """How long the ties take, in their order; None: not known."""
    counted: NDArray[np.bool_]
    """(U,) who may be reached: whoever is not is neither seed nor counted and passes nothing on."""
    limits: Limits
    """`most`, `budget`, `cost`, `allowed`, `included`, `group`, `quota`; with `what_if` only `cost` is read."""
    what_if: NDArray[np.integer] | None = None
    """Users whose spread is asked for, in this order; None: choose."""
    horizon_h: float | None = None
    """Hours within which users count as reached; None: however late."""
    effort: Effort = field(default_factory=lambda: Effort(max_members=MAX_CHOICE_MEMBERS))
    """How certain the seeds are to be, and what that may cost."""


@dataclass(frozen=True, slots=True)
class Rival:
    """What a simpler choice reaches; of random sets the mean of DRAWS."""

    spread: float
    cost: float
    seeds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Seeds and what they reach, in expected users."""

    users: NDArray[np.int32]
    """(k,) in the order chosen."""
    cost: NDArray[np.float64]
    """(k,)"""
    marginal: NDArray[np.float64]
    """(k,) what each adds to those before."""
    alone: NDArray[np.float64]
    """(k,) what each reaches alone."""
    spread: float
    low: float
    high: float
    best_high: float | None
    """No seed set within the limits reaches more; None where a set was given."""
    failure: float
    """Probability that the three bounds do not hold together."""
    rivals: Mapping[str, Rival]
    axis: NDArray[np.float64]
    """(G <= STEPS + 1,) ascending from 0: money spent, or seeds where they cost nothing."""
    curve: Mapping[str, NDArray[np.float64]]
    """(G,) spread for that much, of `plan` and of each rival."""

    @property
    def guarantee(self) -> float | None:
        """Share of the best possible spread that the seeds reach at least; None where a set was given."""
        return None if self.best_high is None else min(self.low / self.best_high, 1.0) if self.best_high else 1.0


def effort(epsilon: float, failure: float) -> Effort:
    """Return the effort of a plan; it depends on no clock, so a plan repeats exactly with its seed."""
    return Effort(epsilon=epsilon, failure=failure, sets=CHOICE_SETS, max_members=MAX_CHOICE_MEMBERS)


def plan(task: Task, rng: np.random.Generator, tell: Callable[[str], None] = lambda _: None) -> Plan:
    """Choose seeds (or take the set given) and measure them.

    Args:
        task: what to plan.
        rng: source of randomness.
        tell: called between the steps with what comes next; may raise to end the work.

    Raises:
        DataError: limits that cannot be obeyed, nobody who may be chosen, or a horizon without delays.
    """
    if task.horizon_h is not None and task.delays is None:
        raise DataError("this version has seen nobody pass anything on: leave the horizon out")
    edges, delays = _among(task)
    horizon_s = np.inf if task.horizon_h is None else task.horizon_h * 3_600.0
    network = rrsets.prepare(edges, task.counted.astype(np.float64), delays, horizon_s)
    tell("choosing seeds")
    users, bounds = _certified(task, network, rng)
    limits = task.limits if task.what_if is None else _like(users, task)
    tell("measuring")
    measure = _Measure.sample(network, rng)
    sets = {"plan": [users], **_rival_sets(edges, limits, rng)}
    lines = {name: [_Line.of(one, limits, measure) for one in several] for name, several in sets.items()}
    axis = _axis(max(line.paid[-1] for several in lines.values() for line in several), limits)
    (own,) = lines["plan"]
    low, high, best_high, failure = bounds
    return Plan(
        users=users,
        cost=limits.costs(network.nodes)[users] if limits.cost is not None else np.zeros(len(users)),
        marginal=np.diff(own.reached),
        alone=measure.alone(users),
        spread=float(np.clip(own.reached[-1], low, high)),
        low=low,
        high=high,
        best_high=best_high,
        failure=failure,
        rivals={name: _rival(several, limits) for name, several in lines.items() if name != "plan"},
        axis=axis,
        curve={name: np.mean([line.at(axis) for line in several], axis=0) for name, several in lines.items()},
    )


def _axis(end: float, limits: Limits) -> NDArray[np.float64]:
    """Return at most STEPS + 1 points from 0 to the end; whole ones where seeds are counted."""
    if limits.cost is not None:
        return np.linspace(0.0, end, STEPS + 1)
    return np.unique(np.round(np.linspace(0.0, end, min(STEPS, int(end)) + 1)))


def _among(task: Task) -> tuple[EdgeProbabilities, Delays | None]:
    """Return the ties between users who count, with their delays."""
    edges, delays = task.edges, task.delays
    kept = task.counted[edges.source] & task.counted[edges.target]
    among = EdgeProbabilities(edges.source[kept], edges.target[kept], edges.probability[kept], edges.nodes)
    return among, None if delays is None else Delays(delays.quantile_s, delays.scale[kept])


def _certified(
    task: Task, network: rrsets.ReverseNetwork, rng: np.random.Generator
) -> tuple[NDArray[np.int32], tuple[float, float, float | None, float]]:
    """Return the seeds and (low, high, best_high, failure)."""
    if task.what_if is not None:
        users = np.asarray(task.what_if, np.int32)
        if not len(users):
            raise DataError("a set to look at has at least one user")
        _, low, high = spread_of(network, users, rng, failure=WHAT_IF_FAILURE)
        return users, (low, high, None, WHAT_IF_FAILURE)
    limits = task.limits
    forced = 0 if limits.included is None else len(limits.included)
    allowed = task.counted if limits.allowed is None else task.counted & limits.allowed
    if not forced and not (allowed & (limits.costs(network.nodes) <= limits.budget)).any():
        raise DataError("nobody may be chosen: consent, those already reached, exclusions and costs leave no user")
    limits = Limits(limits.most, limits.budget, limits.cost, allowed, limits.included, limits.group, limits.quota)
    found = choose_seeds(network, limits, rng, task.effort)
    return found.users, (found.spread_low, found.spread_high, found.best_high, found.failure)


def _like(users: NDArray[np.int32], task: Task) -> Limits:
    """Return limits under which a given set is compared: as many users, or as much money where they cost some."""
    cost = task.limits.cost
    allowed = task.counted if task.limits.allowed is None else task.counted & task.limits.allowed
    if cost is None:
        return Limits(len(users), allowed=allowed)
    return Limits(max(len(task.counted), 1), float(cost[users].sum()), cost, allowed)


def _rival_sets(
    edges: EdgeProbabilities, limits: Limits, rng: np.random.Generator
) -> dict[str, list[NDArray[np.int32]]]:
    return {
        "topDegree": [rivals.taken(rivals.by_degree(edges), limits)],
        "topPagerank": [rivals.taken(rivals.by_pagerank(edges), limits)],
        "random": [rivals.taken(rng.permutation(edges.nodes), limits) for _ in range(DRAWS)],
    }


@dataclass(frozen=True, slots=True)
class _Measure:
    """One pool of RR sets and what each counts."""

    pool: rrsets.Pool
    unit: float
    known: NDArray[np.float64]
    """(U,) what each user counts without sampling."""

    @classmethod
    def sample(cls, network: rrsets.ReverseNetwork, rng: np.random.Generator) -> _Measure:
        """Draw as many sets as there is room for."""
        sets = SETS
        while (pool := rrsets.collect(network, sets, seed_from(rng), max_members=MAX_MEMBERS)) is None:
            sets = max(sets // 4, 1)
        return cls(pool, network.mass / max(len(pool), 1), network.alone)

    def gains(self, users: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return what each adds to those before, (k,): the sets in which it is the first of them, and what is known."""
        first = np.full(self.pool.nodes, len(users), np.int32)
        first[users] = np.arange(len(users))
        hit = np.minimum.reduceat(first[self.pool.member], self.pool.indptr[:-1]) if len(self.pool) else first[:0]
        return self.known[users] + self.unit * np.bincount(hit, minlength=len(users) + 1)[: len(users)]

    def alone(self, users: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return what each reaches alone, (k,)."""
        return self.known[users] + self.unit * np.bincount(self.pool.member, minlength=self.pool.nodes)[users]


@dataclass(frozen=True, slots=True)
class _Line:
    """Spread against what is paid, for users in an order."""

    paid: NDArray[np.float64]
    """(k + 1,) from 0: money, or seeds where they cost nothing."""
    reached: NDArray[np.float64]
    """(k + 1,) from 0."""

    @classmethod
    def of(cls, users: NDArray[np.integer], limits: Limits, measure: _Measure) -> _Line:
        """Measure users in their order."""
        paid = limits.costs(measure.pool.nodes)[users]
        return cls(np.cumsum(np.append(0.0, paid)), np.cumsum(np.append(0.0, measure.gains(users))))

    def at(self, axis: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the spread of the longest beginning that each point of the axis pays for, (G,)."""
        return self.reached[np.searchsorted(self.paid, axis * (1.0 + 1e-9), side="right") - 1]


def _rival(lines: list[_Line], limits: Limits) -> Rival:
    costs = [float(line.paid[-1]) if limits.cost is not None else 0.0 for line in lines]
    return Rival(
        float(np.mean([line.reached[-1] for line in lines])),
        float(np.mean(costs)),
        float(np.mean([len(line.paid) - 1 for line in lines])),
    )
