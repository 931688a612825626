"""Spread within a time, by hand and against a simulation that shares no code with it."""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
import pytest

from engine.errors import DataError
from engine.influence import rrsets
from engine.influence.coverage import Limits
from engine.influence.delays import Delays, delays_of
from engine.influence.seeding import choose_seeds, spread_of
from tests.engine.influence.graphs import CHAIN, graph, random_graph

UNIFORM = np.array([0.0, 1.0])
"""Quantiles of a delay between no time and a second."""


def spread(edges, delays, horizon_s, users, sets=400_000):
    network = rrsets.prepare(edges, delays=delays, horizon_s=horizon_s)
    return spread_of(network, np.array(sorted(users)), np.random.default_rng(1), sets=sets, failure=1e-4)


def simulated(edges, scale, horizon_s, users, runs, rng):
    """Return (mean, standard error) of the users reached in time, delays uniform in [0, scale]."""
    rows = {}
    for u, v, p, s in zip(edges.source.tolist(), edges.target.tolist(), edges.probability.tolist(), scale, strict=True):
        rows.setdefault(u, []).append((v, p, s))
    sizes = []
    for _ in range(runs):
        heap, done = [(0.0, u) for u in users], set()
        while heap:
            at_s, u = heappop(heap)
            if u in done:
                continue
            done.add(u)
            for v, p, s in rows.get(u, []):
                later_s = at_s + s * rng.random()
                if v not in done and rng.random() < p and later_s <= horizon_s:
                    heappush(heap, (later_s, v))
        sizes.append(len(done))
    return np.mean(sizes), np.std(sizes, ddof=1) / np.sqrt(runs)


def test_a_chain_in_time_by_hand():
    # Three steps of chance one half: the sum of two such delays is below 1 half of the time, of three a sixth.
    known = 1 + 1 / 2 + 1 / 4 * 1 / 2 + 1 / 8 * 1 / 6
    found, low, high = spread(CHAIN, Delays(UNIFORM, np.ones(3)), 1.0, {0})
    assert low < known < high
    assert found == pytest.approx(known, abs=0.01)
    # Half the time: half of the first step, an eighth of two, a 48th of three.
    found, _, _ = spread(CHAIN, Delays(UNIFORM, np.ones(3)), 0.5, {0})
    assert found == pytest.approx(1 + 1 / 4 + 1 / 4 * 1 / 8 + 1 / 8 * 1 / 48, abs=0.01)


def test_slow_edges_carry_less():
    edges = graph(3, (0, 1, 0.8), (0, 2, 0.8))
    found, _, _ = spread(edges, Delays(UNIFORM, np.array([1.0, 4.0])), 1.0, {0})
    assert found == pytest.approx(1 + 0.8 + 0.2, abs=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_random_graphs_agree_with_a_simulation(seed):
    rng = np.random.default_rng(seed)
    pairs = sorted({(int(a), int(b)) for a, b in rng.integers(0, 30, (150, 2)) if a != b})
    edges = graph(30, *((a, b, float(p)) for (a, b), p in zip(pairs, rng.random(len(pairs)), strict=True)))
    scale = rng.random(len(pairs)) * 2 + 0.1
    mean, error = simulated(edges, scale, 0.8, {0, 7}, 4_000, rng)
    found, low, high = spread(edges, Delays(UNIFORM, scale), 0.8, {0, 7}, sets=100_000)
    assert low - 5 * error < mean < high + 5 * error
    assert abs(found - mean) < 5 * error + 0.1


def test_rows_of_many_large_chances():
    # 700 senders of .7 each, with half of the delays in time: their row is still walked edge by edge.
    many = graph(701, *((v, 0, 0.999) for v in range(1, 701)))
    delays = Delays(UNIFORM, np.ones(700))
    assert rrsets.prepare(many, delays=delays, horizon_s=0.9).rows.silence[0] == -1
    found, _, _ = spread(many, delays, 0.9, {5}, sets=20_000)
    assert found == pytest.approx(1 + 0.999 * 0.9, abs=0.05)


def test_without_end_time_does_not_matter():
    edges = random_graph(2)
    delays = Delays(UNIFORM, np.ones(len(edges.source)))
    assert not len(rrsets.prepare(edges, delays=delays).rows.delay_s)


def test_seeds_within_a_time_differ():
    # 0 reaches four at once, 5 reaches six, slowly.
    edges = graph(12, *((0, v, 1.0) for v in (1, 2, 3, 4)), *((5, v, 1.0) for v in (6, 7, 8, 9, 10, 11)))
    delays = Delays(UNIFORM, np.array([1.0] * 4 + [10.0] * 6))
    rng = np.random.default_rng(0)
    assert choose_seeds(rrsets.prepare(edges, delays=delays, horizon_s=1.0), Limits(1), rng).users.tolist() == [0]
    assert choose_seeds(rrsets.prepare(edges, delays=delays, horizon_s=20.0), Limits(1), rng).users.tolist() == [5]


def test_delays_are_learned_as_they_were_seen():
    delays = delays_of(np.array([10.0, 20.0, 30.0]), np.array([1.0, 2.0]))
    assert (delays.quantile_s[0], delays.quantile_s[512], delays.quantile_s[-1]) == (10, 20, 30)
    assert delays.level(np.array([5.0, 20.0, 25.0, 40.0])) == pytest.approx([0, 0.5, 0.75, 1])


@pytest.mark.parametrize(
    ("seen", "scale", "why"),
    [
        ([], [1.0], "at least one"),
        ([-1.0], [1.0], "at least one"),
        ([np.nan], [1.0], "at least one"),
        ([1.0], [0.0], "factor"),
    ],
)
def test_delays_that_are_none_are_refused(seen, scale, why):
    with pytest.raises(DataError, match=why):
        delays_of(np.array(seen), np.array(scale))


def test_a_horizon_that_cannot_be_kept_is_refused():
    with pytest.raises(DataError, match="horizon"):
        rrsets.prepare(CHAIN, horizon_s=1.0)
    with pytest.raises(DataError, match="horizon"):
        rrsets.prepare(CHAIN, delays=Delays(UNIFORM, np.ones(3)), horizon_s=0.0)
    with pytest.raises(DataError, match="every edge"):
        rrsets.prepare(CHAIN, delays=Delays(UNIFORM, np.ones(2)), horizon_s=1.0)
    with pytest.raises(DataError, match="parallel"):
        rrsets.prepare(graph(2, (0, 1, 0.5), (0, 1, 0.5)), delays=Delays(UNIFORM, np.ones(2)), horizon_s=1.0)
