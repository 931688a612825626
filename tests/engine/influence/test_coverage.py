"""Greedy choice and its bound against hand-made pools and against every possible choice."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from engine.errors import DataError
from engine.influence.coverage import Limits, choose
from engine.influence.rrsets import Pool


def pool_of(nodes: int, *sets: list[int]) -> Pool:
    return Pool(nodes, np.cumsum([0, *map(len, sets)]), np.array([u for each in sets for u in each], np.int32))


def drawn(seed: int, nodes: int = 8, sets: int = 30) -> tuple[Pool, np.ndarray]:
    rng = np.random.default_rng(seed)
    members = [rng.choice(nodes, rng.integers(1, 4), replace=False).tolist() for _ in range(sets)]
    return pool_of(nodes, *members), rng.random(nodes) * 3


def value(pool: Pool, alone: np.ndarray, users: tuple[int, ...]) -> float:
    hit = {r for r in range(len(pool)) for u in pool.member[pool.indptr[r] : pool.indptr[r + 1]] if u in users}
    return len(hit) + float(alone[list(users)].sum())


HAND = pool_of(4, [0, 1], [0, 2], [2], [3, 2], [0])


def test_coverage_by_hand():
    # 0 and 2 tie at three; then 2 adds two; 1 and 3 add nothing and are left out.
    found = choose(HAND, np.zeros(4), Limits(3))
    assert found.users.tolist() == [0, 2]
    assert found.gain.tolist() == [3, 2]
    assert (found.covered, found.value) == (5, 5)


def test_what_is_known_of_a_user_counts_beside_the_sets():
    found = choose(HAND, np.array([0.0, 0.0, 0.5, 9.0]), Limits(2))
    # 3 counts 9 and one set; then 0 adds three, 2 adds .5 and two.
    assert found.users.tolist() == [3, 0]
    assert found.gain.tolist() == [10, 3]
    assert found.covered == 4


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("most", [1, 2, 3])
def test_nothing_beats_the_bound_and_greedy_keeps_its_guarantee(seed, most):
    pool, alone = drawn(seed)
    found = choose(pool, alone, Limits(most))
    best = max(value(pool, alone, users) for users in combinations(range(8), most))
    most_hit = max(value(pool, np.zeros(8), users) for users in combinations(range(8), most))
    assert found.value == pytest.approx(value(pool, alone, tuple(found.users.tolist())))
    assert (1 - 1 / np.e) * best <= found.value <= best + 1e-9
    assert found.bound >= best - 1e-9
    assert found.cover_bound >= most_hit


def naive(pool: Pool, alone: np.ndarray, most: int) -> tuple[list[int], list[float], float]:
    """Greedy choice that looks at everybody each time, and the least of its bounds, by sets of Python."""
    of_user: list[set[int]] = [set() for _ in range(pool.nodes)]
    for r in range(len(pool)):
        for u in pool.member[pool.indptr[r] : pool.indptr[r + 1]]:
            of_user[u].add(r)
    covered: set[int] = set()
    users, gains, bound = [], [], np.inf
    left = np.asarray(alone, float).copy()
    for _ in range(most + 1):
        gain = np.array([len(each - covered) for each in of_user]) + left
        gain[users] = 0
        bound = min(bound, sum(gains) + np.sort(gain)[-most:].sum())
        if len(users) < most:
            users.append(int(np.argmax(gain)))
            gains.append(float(gain[users[-1]]))
            covered |= of_user[users[-1]]
    return users, gains, bound


@pytest.mark.parametrize("seed", range(4))
def test_a_shortlist_that_is_used_up_changes_nothing(seed):
    # 1,100 users who hit the same 40 sets fill the shortlist; one of them chosen, the others are worth nothing more.
    rng = np.random.default_rng(seed)
    alike = [list(range(1_100)) for _ in range(40)]
    others = [rng.choice(np.arange(1_100, 3_000), rng.integers(1, 12), replace=False).tolist() for _ in range(600)]
    pool, alone = pool_of(3_000, *alike, *others), rng.integers(0, 4, 3_000) / 8
    found = choose(pool, alone, Limits(30))
    users, gains, bound = naive(pool, alone, 30)
    assert found.users.tolist() == users
    assert found.gain.tolist() == gains
    assert bound - 1e-9 <= found.bound <= 1.05 * bound
    hits = np.bincount(pool.member, minlength=3_000)
    assert min(np.sort(hits)[-30:].sum(), len(pool)) == found.cover_bound


@pytest.mark.parametrize("seed", range(8))
def test_within_a_budget(seed):
    pool, alone = drawn(seed)
    cost = np.random.default_rng([seed, 1]).integers(1, 6, 8).astype(float)
    found = choose(pool, alone, Limits(8, budget=7.0, cost=cost))
    best = max(
        value(pool, alone, users)
        for count in range(1, 9)
        for users in combinations(range(8), count)
        if cost[list(users)].sum() <= 7.0
    )
    assert cost[found.users].sum() <= 7.0
    assert (1 - 1 / np.e) / 2 * best <= found.value <= best + 1e-9
    assert found.bound >= best - 1e-9


def test_one_dear_user_can_be_worth_more_than_many_cheap_ones():
    pool = pool_of(3, [0], *([[1]] * 9), [2])
    # Per cost 0 is best (1 for 1), then 1 (9 for 10) does not fit any more.
    found = choose(pool, np.zeros(3), Limits(3, budget=10.0, cost=np.array([1.0, 10.0, 2.0])))
    assert found.users.tolist() == [1]
    assert found.value == 9


def test_who_must_be_included_comes_first_and_counts():
    found = choose(HAND, np.zeros(4), Limits(2, included=np.array([1])))
    assert found.users.tolist() == [1, 2]
    assert found.gain.tolist() == [1, 3]
    best = max(value(HAND, np.zeros(4), (1, other)) for other in (0, 2, 3))
    assert found.bound >= best


def test_only_those_allowed_are_chosen():
    found = choose(HAND, np.zeros(4), Limits(4, allowed=np.array([False, True, False, True])))
    assert sorted(found.users.tolist()) == [1, 3]
    assert found.bound == 2


def test_a_quota_for_each_group():
    pool = pool_of(4, [0], [0], [0], [1], [1], [2], [3])
    group = np.array([0, 0, 1, -1])
    found = choose(pool, np.zeros(4), Limits(4, group=group, quota=1))
    assert found.users.tolist() == [0, 2, 3]


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(0), "at least one"),
        (Limits(1, budget=0.0), "above 0"),
        (Limits(1, cost=np.zeros(4)), "cost"),
        (Limits(1, cost=np.ones(3)), "cost"),
        (Limits(1, quota=1), "group"),
        (Limits(1, included=np.array([0, 1])), "more than"),
        (Limits(2, included=np.array([0, 0])), "once"),
        (Limits(2, included=np.array([4])), "one of the users"),
        (Limits(2, budget=1.0, cost=np.full(4, 2.0), included=np.array([0])), "more than"),
    ],
)
def test_limits_that_cannot_be_obeyed_are_refused(limits, why):
    with pytest.raises(DataError, match=why):
        choose(HAND, np.zeros(4), limits)


def test_where_the_number_binds_gain_counts_more_than_gain_per_cost():
    # 0 covers eight sets for 10, 1 to 3 two each for 1: by gain per cost alone two of the cheap ones would be chosen.
    rows = [[0, u] for u in (4, 5)] + [[0]] * 6 + [[u] for u in (1, 1, 2, 2, 3, 3)]
    chosen = choose(pool_of(6, *rows), np.zeros(6), Limits(2, 20.0, np.array([10.0, 1, 1, 1, 1, 1])))
    assert sorted(chosen.users.tolist()) == [0, 1]
    assert chosen.value == 10
    assert chosen.bound >= 10
