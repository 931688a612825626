"""Plans on graphs whose spread is known by hand: seeds, what each adds, rivals, the curve, sets that are given."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engine.errors import DataError
from engine.influence.coverage import Limits
from engine.influence.delays import Delays
from engine.strategy.model import edge_tables
from engine.strategy.plan import RIVALS, STEPS, Task, effort, plan
from tests.engine.influence.graphs import exact_spread, graph, random_graph

# 0 reaches four, 5 three: 4.6 and 3.4 users.
TWO_STARS = graph(9, *((0, v, 0.9) for v in (1, 2, 3, 4)), *((5, v, 0.8) for v in (6, 7, 8)))
EVERYBODY = np.ones(9, bool)


def made(task: Task, seed: int = 1):
    return plan(dataclasses.replace(task, effort=effort(0.1, 0.01)), np.random.default_rng(seed))


def test_seeds_add_what_they_reach_and_the_sum_is_the_spread():
    found = made(Task(edges=TWO_STARS, counted=EVERYBODY, limits=Limits(2)))
    assert found.users.tolist() == [0, 5]
    assert found.marginal == pytest.approx([4.6, 3.4], abs=0.02)
    assert found.alone == pytest.approx([4.6, 3.4], abs=0.02)
    assert found.spread == pytest.approx(8.0, abs=0.03)
    assert found.low <= 8.0 <= found.high
    assert found.best_high is not None and found.best_high >= 8.0
    assert found.guarantee is not None and 0.9 < found.guarantee <= 1.0


def test_the_same_seed_gives_the_same_plan():
    task = Task(edges=random_graph(3, nodes=40, edges=120), counted=np.ones(40, bool), limits=Limits(5))
    one, other = made(task, 7), made(task, 7)
    assert one.users.tolist() == other.users.tolist()
    assert one.spread == other.spread
    assert {name: rival.spread for name, rival in one.rivals.items()} == {
        name: rival.spread for name, rival in other.rivals.items()
    }


def test_whoever_does_not_count_is_no_seed_is_not_reached_and_passes_nothing_on():
    # 0 -> 1 -> 2 for certain; without 1 nobody beyond 0 is reached.
    chain = graph(3, (0, 1, 1.0), (1, 2, 1.0))
    assert made(Task(edges=chain, counted=np.ones(3, bool), limits=Limits(1))).spread == pytest.approx(3.0)
    found = made(Task(edges=chain, counted=np.array([True, False, True]), limits=Limits(3)))
    assert sorted(found.users.tolist()) == [0, 2]
    assert found.spread == pytest.approx(2.0)


def test_a_budget_buys_what_costs_allow_and_the_curve_rises_to_the_spread():
    cost = np.full(9, 100.0)
    cost[0] = 500.0
    found = made(Task(edges=TWO_STARS, counted=EVERYBODY, limits=Limits(9, 450.0, cost)))
    assert 0 not in found.users.tolist()
    assert found.users[0] == 5
    assert found.cost.sum() <= 450.0
    assert len(found.axis) == STEPS + 1
    assert set(found.curve) == {"plan", *RIVALS}
    line = found.curve["plan"]
    assert line[0] == 0.0
    assert (np.diff(line) >= 0).all()
    assert line[-1] == pytest.approx(found.marginal.sum())
    # 100 pays for the first seed alone.
    assert line[np.searchsorted(found.axis, 101.0)] == pytest.approx(3.4, abs=0.03)
    for rival in found.rivals.values():
        assert rival.cost <= 450.0
        assert rival.spread <= found.spread + 0.05


def test_rivals_are_the_sets_of_their_names():
    # 0 has most ties, all of them weak; 4 has one that is certain, to somebody whom nobody else reaches.
    edges = graph(6, (0, 1, 0.1), (0, 2, 0.1), (0, 3, 0.1), (4, 5, 1.0))
    found = made(Task(edges=edges, counted=np.ones(6, bool), limits=Limits(1)))
    assert found.users.tolist() == [4]
    assert found.rivals["topDegree"].spread == pytest.approx(1.3, abs=0.01)
    assert found.rivals["topDegree"].seeds == 1.0
    mean = (1.3 + 1.0 * 4 + 2.0) / 6
    assert 1.0 <= found.rivals["random"].spread <= 2.0
    assert abs(found.rivals["random"].spread - mean) < 0.5


@pytest.mark.parametrize("seed", range(4))
def test_a_given_set_has_the_spread_that_counting_every_world_gives(seed: int):
    edges = random_graph(seed)
    found = made(Task(edges=edges, counted=np.ones(6, bool), limits=Limits(1), what_if=np.array([1, 4])))
    exact = exact_spread(edges, {1, 4})
    assert found.users.tolist() == [1, 4]
    assert found.spread == pytest.approx(exact, abs=0.03)
    assert found.marginal[0] == pytest.approx(exact_spread(edges, {1}), abs=0.03)
    assert found.low <= exact <= found.high
    assert (found.best_high, found.guarantee) == (None, None)
    assert found.rivals["topDegree"].seeds == 2.0


def test_a_given_set_is_compared_for_as_much_money():
    cost = np.arange(1.0, 10.0)
    found = made(Task(edges=TWO_STARS, counted=EVERYBODY, limits=Limits(1, cost=cost), what_if=np.array([5])))
    assert found.cost.tolist() == [6.0]
    assert all(rival.cost <= 6.0 for rival in found.rivals.values())
    # The user of most ties costs 1, the next has ties worth 6 too much.
    assert found.rivals["topDegree"].spread >= 4.5


def test_within_a_horizon_slow_ties_count_less():
    # 0 reaches four within the hour, 5 reaches six in ten hours; users 1 and 6 are left out with their ties.
    edges = graph(12, *((0, v, 1.0) for v in (1, 2, 3, 4)), *((5, v, 1.0) for v in (6, 7, 8, 9, 10, 11)))
    delays = Delays(np.array([0.0, 3_600.0]), np.array([1.0] * 4 + [10.0] * 6))
    counted = ~np.isin(np.arange(12), [1, 6])
    task = Task(edges=edges, delays=delays, counted=counted, limits=Limits(1), horizon_h=1.0)
    soon = made(task)
    assert soon.users.tolist() == [0]
    assert soon.spread == pytest.approx(4.0, abs=0.01)
    late = made(dataclasses.replace(task, horizon_h=10.0))
    assert late.users.tolist() == [5]
    assert late.spread == pytest.approx(6.0, abs=0.01)
    # 5 reaches each of five within an hour one time in ten.
    given = made(dataclasses.replace(task, what_if=np.array([5])))
    assert given.spread == pytest.approx(1.5, abs=0.02)


def test_ties_and_their_delays_are_kept_in_model_folders():
    edges = graph(3, (0, 1, 0.5), (0, 2, 0.0), (1, 2, 0.25))
    tables = edge_tables(edges, Delays(np.array([0.0, 60.0]), np.array([1.0, 2.0, 4.0])))
    assert tables["edge_target"].tolist() == [1, 2]
    assert tables["edge_delay_scale"].tolist() == [1.0, 4.0]
    assert tables["delay_quantile_s"].tolist() == [0.0, 60.0]
    assert "edge_delay_scale" not in edge_tables(edges)


def test_what_cannot_be_planned_is_refused():
    task = Task(edges=TWO_STARS, counted=EVERYBODY, limits=Limits(1))
    with pytest.raises(DataError, match="leave the horizon out"):
        made(dataclasses.replace(task, horizon_h=24.0))
    with pytest.raises(DataError, match="nobody may be chosen"):
        made(dataclasses.replace(task, counted=np.zeros(9, bool)))
    with pytest.raises(DataError, match="nobody may be chosen"):
        made(dataclasses.replace(task, limits=Limits(1, 5.0, np.full(9, 6.0))))
    with pytest.raises(DataError, match="at least one user"):
        made(dataclasses.replace(task, what_if=np.array([], int)))
