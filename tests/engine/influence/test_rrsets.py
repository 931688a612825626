from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.errors import DataError
from engine.influence import rrsets
from engine.influence.network import incoming
from tests.engine.influence.graphs import KNOWN, exact_spread, graph, random_graph

MANY = 10**9


def estimate(edges, seeds: set[int], sets: int, seed: int) -> tuple[float, float]:
    """Return the spread by what is known and what is hit, and its standard error."""
    network = rrsets.prepare(edges)
    chosen = np.isin(np.arange(edges.nodes), list(seeds))
    share = rrsets.count_hits(network, chosen, sets, seed) / sets
    return network.alone[chosen].sum() + network.mass * share, network.mass * np.sqrt(share * (1 - share) / sets)


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
        assert abs(spread - exact_spread(edges, seeds)) <= 5 * error + 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_what_a_node_counts_is_obeyed(seed):
    edges, worth = random_graph(seed), np.array([0.0, 2.0, 0.5, 1.0, 0.0, 3.0])
    network, sets = rrsets.prepare(edges, worth), 200_000
    chosen = np.arange(6) < 2
    share = rrsets.count_hits(network, chosen, sets, seed) / sets
    found, error = network.alone[:2].sum() + network.mass * share, network.mass * np.sqrt(share * (1 - share) / sets)
    assert abs(found - exact_spread(edges, {0, 1}, worth)) <= 5 * error + 1e-9


@pytest.mark.parametrize("worth", [[1.0], [-1.0] * 6, [np.nan] * 6])
def test_a_worth_that_is_none_is_refused(worth):
    with pytest.raises(DataError, match="what a node counts"):
        rrsets.prepare(random_graph(0), np.array(worth))


def test_rows_by_inversion_and_by_coins_make_the_same_sets_in_distribution():
    rng = np.random.default_rng(1)
    pairs = {(int(a), int(b)) for a, b in rng.integers(0, 60, (2_500, 2)) if a != b}
    edges = graph(60, *((a, b, float(p)) for (a, b), p in zip(sorted(pairs), rng.random(len(pairs)) / 20, strict=True)))
    inverted = rrsets.prepare(edges)
    assert (inverted.rows.silence > 0).all()
    coins = replace(
        inverted, rows=inverted.rows._replace(silence=np.full(60, -1.0), chance=incoming(edges).probability)
    )
    sets = 200_000
    one, two = (rrsets.count_memberships(n, sets, 3)[0] for n in (inverted, coins))
    np.testing.assert_allclose(one, two, atol=6 * np.sqrt(one.max() + two.max()))
    assert abs(one.sum() / two.sum() - 1) < 0.02


def test_rows_of_many_large_chances_are_walked_edge_by_edge_and_agree_with_the_known_spread():
    # 700 senders of .7 each: the chance that none is heard is below 1e-290 before the last; one of 1e-3 elsewhere.
    many = graph(703, *((v, 0, 0.7) for v in range(1, 701)), (701, 702, 1e-3))
    network = rrsets.prepare(many)
    assert network.rows.silence[0] == -1
    assert network.alone[0] == 0
    spread, error = estimate(many, {5}, 50_000, seed=1)
    assert abs(spread - 1.7) <= 5 * error


def test_a_stored_set_starts_with_its_root_and_holds_nobody_twice():
    pool = rrsets.collect(rrsets.prepare(random_graph(2)), 5_000, 1, max_members=MANY)
    assert len(pool) == 5_000
    for start, end in zip(pool.indptr[:-1], pool.indptr[1:], strict=True):
        members = pool.member[start:end]
        assert len(members) >= 2
        assert len(set(members.tolist())) == len(members)


def test_roots_are_spread_by_how_often_their_set_holds_others():
    network = rrsets.prepare(random_graph(2))
    pool = rrsets.collect(network, 5_000, 1, max_members=MANY)
    due = 5_000 * np.diff(network.rows.weight, prepend=0.0) / network.mass
    roots = np.bincount(pool.member[pool.indptr[:-1]], minlength=6)
    assert (np.abs(roots - due) <= 2).all()


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
    sets = 3 * rrsets.CHUNK + 17

    def everything(seed: int, threads: int) -> tuple[bytes, bytes, int]:
        pool = rrsets.collect(network, sets, seed, max_members=MANY, threads=threads)
        counts, _ = rrsets.count_memberships(network, sets, seed, threads=threads)
        assert len(pool) == sets
        hits = rrsets.count_hits(network, np.arange(6) == 1, sets, seed, threads=threads)
        return pool.member.tobytes(), counts.tobytes(), hits

    assert everything(1, threads=1) == everything(1, threads=2)
    assert everything(1, threads=1) != everything(2, threads=1)


def test_chunks_do_not_repeat_each_other():
    # Equal halves of the mass: were the streams equal, the second chunk would mirror the first one's sizes.
    ring = graph(4, *((v, (v + 1) % 4, 0.5) for v in range(4)))
    pool = rrsets.collect(rrsets.prepare(ring), 2 * rrsets.CHUNK, 1, max_members=MANY)
    sizes = np.diff(pool.indptr)
    assert not np.array_equal(sizes[: rrsets.CHUNK], sizes[rrsets.CHUNK :])


def test_memory_is_bounded():
    ring = rrsets.prepare(KNOWN["certain ring"][0])
    assert rrsets.collect(ring, 100 * rrsets.CHUNK, 1, max_members=10 * rrsets.CHUNK) is None
    assert len(rrsets.collect(ring, 3 * rrsets.CHUNK, 1, max_members=10 * rrsets.CHUNK)) == 3 * rrsets.CHUNK


def test_a_graph_without_nodes_has_no_sets():
    empty = rrsets.prepare(graph(0))
    assert len(rrsets.collect(empty, 10, 1, max_members=MANY)) == 0
    assert rrsets.count_hits(empty, np.zeros(0, bool), 10, 1) == 0
