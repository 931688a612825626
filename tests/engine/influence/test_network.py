from __future__ import annotations

import numpy as np
import pytest

from engine.errors import DataError
from engine.influence.network import incoming, outgoing
from tests.engine.influence.graphs import graph


def test_rows_in_both_directions():
    edges = graph(3, (2, 0, 0.25), (0, 1, 0.5), (0, 2, 0.75))
    out, into = outgoing(edges), incoming(edges)
    assert out.indptr.tolist() == [0, 2, 2, 3]
    assert out.neighbour.tolist() == [1, 2, 0]
    assert out.probability.tolist() == [0.5, 0.75, 0.25]
    assert into.indptr.tolist() == [0, 1, 2, 3]
    assert into.neighbour.tolist() == [2, 0, 0]


def test_parallel_edges_merge_and_loops_and_zeros_go():
    out = outgoing(graph(3, (0, 1, 0.5), (1, 1, 0.9), (0, 1, 0.5), (0, 2, 0.0), (1, 2, 1.0), (1, 2, 0.5)))
    assert out.neighbour.tolist() == [1, 2]
    np.testing.assert_allclose(out.probability, [0.75, 1.0], rtol=1e-12)
    assert out.probability[1] == 1.0


def test_an_empty_graph_has_no_rows():
    out = outgoing(graph(0))
    assert out.indptr.tolist() == [0]


@pytest.mark.parametrize("edge", [(0, 1, 1.5), (0, 1, -0.1), (0, 1, float("nan")), (0, 5, 0.5), (-1, 0, 0.5)])
def test_malformed_edges_are_refused(edge):
    with pytest.raises(DataError):
        outgoing(graph(2, edge))
