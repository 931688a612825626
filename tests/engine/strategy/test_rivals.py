"""Simple orders of users, PageRank against networkx, and how limits cut them."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from engine.influence.coverage import Limits
from engine.strategy.rivals import by_degree, by_pagerank, taken
from tests.engine.influence.graphs import graph, random_graph


def test_degree_counts_those_whom_a_user_may_reach():
    assert by_degree(graph(4, (2, 0, 0.1), (2, 1, 0.1), (1, 0, 0.9))).tolist() == [2, 1, 0, 3]


@pytest.mark.parametrize("seed", range(5))
def test_pagerank_is_that_of_the_reversed_ties(seed: int):
    edges = random_graph(seed, nodes=12, edges=20)
    pairs = sorted(set(zip(edges.target.tolist(), edges.source.tolist(), strict=True)))
    unique = graph(12, *((u, v, 0.5) for v, u in pairs))
    reversed_ties = nx.DiGraph()
    reversed_ties.add_nodes_from(range(12))
    reversed_ties.add_edges_from(pairs)
    rank = nx.pagerank(reversed_ties, alpha=0.85, tol=1e-12, max_iter=1_000)
    found = [rank[u] for u in by_pagerank(unique).tolist()]
    assert found == pytest.approx(sorted(rank.values(), reverse=True), abs=1e-4)


def test_limits_cut_an_order():
    order = np.array([3, 2, 1, 0])
    assert taken(order, Limits(2)).tolist() == [3, 2]
    allowed = np.array([True, True, True, False])
    assert taken(order, Limits(2, allowed=allowed)).tolist() == [2, 1]
    assert taken(order, Limits(3, included=np.array([0]))).tolist() == [0, 3, 2]
    # 3 does not fit into the budget and is passed over; 1 and 0 do.
    assert taken(order, Limits(4, 5.0, np.array([2.0, 3.0, 9.0, 6.0]))).tolist() == [1, 0]
    group = np.array([0, 0, 1, 1])
    assert taken(order, Limits(4, group=group, quota=1)).tolist() == [3, 1]
    nowhere = np.array([-1, -1, 1, 1])
    assert taken(order, Limits(4, group=nowhere, quota=1)).tolist() == [3, 1, 0]
