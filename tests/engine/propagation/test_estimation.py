from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.errors import DataError
from engine.propagation.estimation import MAX_PROBABILITY, UNTAUGHT_MASS, edge_probabilities
from engine.types import Edges, Nodes
from engine.world import WorldSettings, generate, to_snapshot
from tests.engine.propagation.test_outcomes import i32, snapshot


def by_pair(edges) -> dict[tuple[int, int], float]:
    return {(int(u), int(v)): float(p) for u, v, p in zip(edges.source, edges.target, edges.probability, strict=True)}


@pytest.fixture(scope="module")
def world_and_estimate():
    world = generate(WorldSettings(users=2_000, items=400, events=120_000, seed=5))
    truth, estimate = world.truth.probabilities, edge_probabilities(to_snapshot(world))
    key = estimate.source.astype(np.int64) * truth.nodes + estimate.target
    wanted = truth.source.astype(np.int64) * truth.nodes + truth.target
    place = np.searchsorted(key, wanted)
    assert (key[place] == wanted).all()
    return truth.probability.astype(float), estimate.probability[place].astype(float), estimate


def test_the_truth_of_a_generated_world_is_found(world_and_estimate):
    truth, estimate, _ = world_and_estimate
    assert np.corrcoef(truth, estimate)[0, 1] > 0.6


def test_the_estimate_is_calibrated(world_and_estimate):
    truth, estimate, _ = world_and_estimate
    tenths = np.array_split(np.argsort(estimate), 10)
    off = [abs(truth[part].mean() - estimate[part].mean()) for part in tenths]
    assert np.mean(off) < 0.1 * truth.mean()
    assert abs(estimate.mean() / truth.mean() - 1) < 0.1


def test_the_posterior_is_about_as_wide_as_the_truth_is_off(world_and_estimate):
    truth, estimate, edges = world_and_estimate
    tried = np.isin(edges.probability, estimate.astype(np.float32))
    assert (edges.count > 0).all()
    spread = np.sqrt(edges.probability[tried] * (1 - edges.probability[tried]) / (edges.count[tried] + 1))
    assert 0.5 < np.sqrt(np.mean((truth - estimate) ** 2)) / np.sqrt(np.mean(spread**2)) < 2


def test_trials_count_beside_those_of_the_prior():
    def worth(count: int) -> float:
        shares = [(u, -1) for u in range(10) for _ in range(count)]
        friends = [(u, 10 + v, 1.0) for u in range(10) for v in range(10)]
        opens = [(count * u + n, 10 + v) for u in range(10) for v in range(10) for n in range(count * (u + v) // 40)]
        edges = edge_probabilities(snapshot(shares=shares, friends=friends, opens=opens, users=20))
        at = np.flatnonzero((edges.source == 8) & (edges.target == 18))
        return float(edges.count[at][0])

    assert 3 < worth(200) / worth(20) < 30


def test_follows_that_never_led_to_anything_are_nearly_impossible(world_and_estimate):
    _, estimate, edges = world_and_estimate
    assert len(edges.source) > len(estimate)
    others = np.sort(edges.probability)[: len(edges.source) - len(estimate)]
    assert others.max() < 0.01


def test_one_pair_keeps_its_rate_when_there_is_evidence():
    shares = [(0, -1)] * 200
    graph = snapshot(shares=shares, friends=[(0, 1, 1.0)], opens=[(row, 1) for row in range(50)])
    assert by_pair(edge_probabilities(graph))[0, 1] == pytest.approx(0.25, rel=0.05)


def test_evidence_separates_the_persuasive_and_the_receptive():
    # Ten senders share 40 times each to ten receivers; pair (u, v) acts on 2u of them for even v, on none for odd v.
    shares = [(u, -1) for u in range(10) for _ in range(40)]
    friends = [(u, 10 + v, 1.0) for u in range(10) for v in range(10)]
    opens = [(40 * u + n, 10 + v) for u in range(10) for v in range(0, 10, 2) for n in range(2 * u)]
    p = by_pair(edge_probabilities(snapshot(shares=shares, friends=friends, opens=opens, users=20)))
    assert p[9, 10] > p[5, 10] > p[1, 10] > 0
    assert p[9, 11] < 0.1 * p[9, 10]
    assert p[9, 10] == pytest.approx(18 / 40, rel=0.1)


def test_probabilities_are_probabilities_and_nobody_persuades_themselves():
    graph = snapshot(shares=[(0, -1)] * 30, friends=[(0, 1, 1.0)], opens=[(n, v) for n in range(30) for v in (0, 1)])
    edges = edge_probabilities(graph)
    assert edges.probability.max() <= MAX_PROBABILITY
    assert (edges.source != edges.target).all()
    assert edges.nodes == 5


def test_without_shares_ties_get_a_weighted_cascade():
    edges = edge_probabilities(snapshot(friends=[(0, 1, 1.0), (2, 1, 0.5)], follows=[(3, 1)]))
    p = by_pair(edges)
    # 1 has friends 0 (1) and 2 (.5); 3 follows 1.
    assert p[0, 1] == pytest.approx(UNTAUGHT_MASS * 1.0 / 1.5)
    assert p[2, 1] == pytest.approx(UNTAUGHT_MASS * 0.5 / 1.5)
    assert p[1, 3] == p[1, 0] == pytest.approx(UNTAUGHT_MASS)
    assert (3, 1) not in p


def test_without_shares_common_taste_weighs_a_tie():
    graph = snapshot(friends=[(0, 1, 1.0), (2, 1, 1.0)])
    graph = replace(
        graph,
        items=Nodes(np.array(["i0", "i1"], object)),
        interactions=Edges(i32(0, 1, 2), i32(0, 0, 1), {"type": np.zeros(3, np.int8)}),
    )
    p = by_pair(edge_probabilities(graph))
    assert p[0, 1] == pytest.approx(UNTAUGHT_MASS * 2 / 3)
    assert p[2, 1] == pytest.approx(UNTAUGHT_MASS / 3)


def test_a_graph_without_ties_has_no_edges():
    assert len(edge_probabilities(snapshot()).source) == 0
    assert len(edge_probabilities(snapshot(users=0)).source) == 0


def test_an_act_that_never_happened_is_refused():
    for shares in ([], [(0, -1)]):
        opens = [(row, 1) for row in range(len(shares))]
        with pytest.raises(DataError):
            edge_probabilities(snapshot(shares=shares, friends=[(0, 1, 1.0)], opens=opens), act="reshare")
