from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.influence import rrsets
from tests.engine.influence.graphs import CHAIN, KNOWN, exact_spread, graph, random_graph

MANY = 10**9


def estimate(edges, seeds: set[int], sets: int, seed: int) -> tuple[float, float]:
    chosen = np.isin(np.arange(edges.nodes), list(seeds))
    share = rrsets.count_hits(rrsets.prepare(edges), chosen, sets, seed) / sets
    return edges.nodes * share, edges.nodes * np.sqrt(share * (1 - share) / sets)


@pytest.mark.parametrize("name", KNOWN)
def test_hits_give_the_spread_known_by_hand(name):
    edges, known = KNOWN[name]
    for user in range(min(edges.nodes, 5)):
        spread, error = estimate(edges, {user}, 100_000, seed=user)
        assert abs(spread - known[user]) <= 5 * error + 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_hits_agree_with_enumeration(seed):
    edges = random_graph(seed)
    for seeds in ({0}, {1, 4}):
        spread, error = estimate(edges, seeds, 200_000, seed)
        assert abs(spread - exact_spread(edges, seeds)) < 5 * error


def test_jumps_and_coins_make_the_same_sets_in_distribution():
    rng = np.random.default_rng(1)
    edges = graph(60, *((int(a), int(b), 0.03) for a, b in rng.integers(0, 60, (2_500, 2)) if a != b))
    pairs = {(a, b) for a, b in zip(edges.source.tolist(), edges.target.tolist(), strict=True)}
    jumps = rrsets.prepare(graph(60, *((a, b, 0.03) for a, b in pairs)))
    assert (jumps.silence >= 0).all()
    coins = replace(jumps, silence=np.full(60, -1.0))
    sets = 200_000
    roots = np.arange(60, dtype=np.int32)
    one, two = (rrsets.count_memberships(n, roots, sets, 3, max_visits=MANY)[0] for n in (jumps, coins))
    np.testing.assert_allclose(one, two, atol=6 * np.sqrt(one.max() + two.max()))
    assert abs(one.sum() / two.sum() - 1) < 0.02


def test_a_stored_set_starts_with_its_root_and_holds_nobody_twice():
    pool = rrsets.collect(rrsets.prepare(random_graph(2)), 5_000, 1, max_members=MANY)
    assert len(pool) == 5_000
    for start, end in zip(pool.indptr[:-1], pool.indptr[1:], strict=True):
        members = pool.member[start:end]
        assert len(members) >= 1
        assert len(set(members.tolist())) == len(members)
    roots = np.bincount(pool.member[pool.indptr[:-1]], minlength=6)
    assert (np.abs(roots - 5_000 / 6) < 5 * np.sqrt(5_000 / 6)).all()


def test_the_pool_counts_and_hits_tell_one_story():
    edges = random_graph(3)
    network, sets = rrsets.prepare(edges), 50_000
    pool = rrsets.collect(network, sets, 9, max_members=MANY)
    holds_two = np.bincount(np.repeat(np.arange(sets), np.diff(pool.indptr)), pool.member == 2, sets) > 0
    # The same seed draws the same sets, so the stored ones are hit exactly as the fresh ones unless a hit ends early.
    share = rrsets.count_hits(network, np.arange(6) == 2, sets, 9) / sets
    assert abs(share - holds_two.mean()) < 0.015


def test_the_seed_decides_and_the_threads_do_not():
    network = rrsets.prepare(random_graph(4))
    roots = np.arange(6, dtype=np.int32)
    sets = 3 * rrsets.CHUNK + 17

    def everything(seed: int, threads: int) -> tuple[bytes, bytes, int]:
        pool = rrsets.collect(network, sets, seed, max_members=MANY, threads=threads)
        counts, made = rrsets.count_memberships(network, roots, sets, seed, max_visits=MANY, threads=threads)
        assert (made, len(pool)) == (sets, sets)
        hits = rrsets.count_hits(network, np.arange(6) == 1, sets, seed, threads=threads)
        return pool.member.tobytes(), counts.tobytes(), hits

    assert everything(1, threads=1) == everything(1, threads=2)
    assert everything(1, threads=1) != everything(2, threads=1)


def test_chunks_do_not_repeat_each_other():
    pool = rrsets.collect(rrsets.prepare(CHAIN), 2 * rrsets.CHUNK, 1, max_members=MANY)
    half = int(pool.indptr[rrsets.CHUNK])
    assert not np.array_equal(pool.member[:half], pool.member[half : 2 * half])


def test_memory_and_time_are_bounded():
    ring = rrsets.prepare(KNOWN["certain ring"][0])
    pool = rrsets.collect(ring, 100 * rrsets.CHUNK, 1, max_members=10 * rrsets.CHUNK)
    assert len(pool) == 3 * rrsets.CHUNK  # each set has three members
    roots = np.arange(3, dtype=np.int32)
    _, made = rrsets.count_memberships(ring, roots, 100 * rrsets.CHUNK, 1, max_visits=1)
    assert made == rrsets.WAVE * rrsets.CHUNK


def test_a_graph_without_nodes_has_no_sets():
    empty = rrsets.prepare(graph(0))
    assert len(rrsets.collect(empty, 10, 1, max_members=MANY)) == 0
    assert rrsets.count_hits(empty, np.zeros(0, bool), 10, 1) == 0
