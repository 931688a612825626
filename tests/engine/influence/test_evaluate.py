"""Reading graphs, PageRank beside another library's, and the keys of an evaluation."""

from __future__ import annotations

import networkx
import numpy as np
import pytest

from engine.errors import DataError
from engine.influence.evaluate import evaluate_influence, judge, read_graph
from engine.influence.pagerank import reversed_pagerank
from tests.engine.influence.graphs import KNOWN, random_graph


def write(path, text: str):
    path.write_text(text)
    return path


def test_models_give_edges_their_probabilities(tmp_path):
    path = write(tmp_path / "edges.txt", "3 3\n0 2\n1 2\n2 0\n")
    assert read_graph(path, "wc").probability.tolist() == [0.5, 0.5, 1.0]
    assert read_graph(path, "ic:0.25").probability.tolist() == [0.25] * 3
    own = write(tmp_path / "p.txt", "2 0 0.125\n0 2 1\n1 2 0\n")
    assert read_graph(path, str(own)).probability.tolist() == [1.0, 0.0, 0.125]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1: 0 fields, not 2"),
        ("3\n0 1\n", "line 1: 1 fields, not 2"),
        ("3 2\n0 1\n", "line 3: 1 edges where the first line says 2"),
        ("3 2\n0 1\n0 3\n", "line 3: node 3 is none of 0 to 2"),
        ("3 2\n0 1\n0 x\n", "line 3: '0 x' is not 2 numbers"),
        ("3 2\n0 1\n0 1 2\n", "line 3: 3 fields, not 2"),
        ("0 0\n", "line 1: 0 nodes"),
    ],
)
def test_a_malformed_graph_is_refused_with_file_line_and_reason(tmp_path, text, why):
    path = write(tmp_path / "edges.txt", text)
    with pytest.raises(DataError) as found:
        read_graph(path, "wc")
    assert str(found.value).startswith(f"{path}: {why}")


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("ic:2", "from 0 to 1"),
        ("ic:x", "from 0 to 1"),
        ("absent", "no such file"),
        ("few.txt", "line 2: there is no probability of edge 1 2"),
        ("wrong.txt", "line 1: a probability"),
    ],
)
def test_a_model_that_is_none_is_refused(tmp_path, monkeypatch, model, why):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "edges.txt", "3 2\n0 1\n1 2\n")
    write(tmp_path / "few.txt", "0 1 0.5\n")
    write(tmp_path / "wrong.txt", "0 1 1.5\n1 2 0.5\n")
    with pytest.raises(DataError, match=why):
        read_graph(tmp_path / "edges.txt", model)


@pytest.mark.parametrize("seed", range(3))
def test_pagerank_agrees_with_networkx(seed):
    edges = random_graph(seed, nodes=12, edges=30)
    graph = networkx.DiGraph()
    graph.add_nodes_from(range(12))
    for u, v, p in zip(edges.source.tolist(), edges.target.tolist(), edges.probability.tolist(), strict=True):
        graph.add_edge(v, u, weight=p + (graph[v][u]["weight"] if graph.has_edge(v, u) else 0.0))
    known = networkx.pagerank(graph, alpha=0.85, weight="weight", tol=1e-12, max_iter=1_000)
    assert reversed_pagerank(edges) == pytest.approx([known[u] for u in range(12)], abs=1e-6)


def test_the_judge_agrees_with_what_is_known_by_hand():
    edges, known = KNOWN["diamond"]
    found = judge(edges, np.array([0]), 1)
    assert abs(found.mean - known[0]) < 5 * found.standard_error
    assert found.standard_error <= 0.0011 * found.mean


def test_an_evaluation_tells_all_keys_and_repeats(tmp_path):
    rng = np.random.default_rng(0)
    pairs = sorted({(int(a), int(b)) for a, b in rng.integers(0, 60, (300, 2)) if a != b})
    write(tmp_path / "edges.txt", f"60 {len(pairs)}\n" + "".join(f"{a} {b}\n" for a, b in pairs))
    found = evaluate_influence(tmp_path, "ic:0.2", seeds=3)
    assert len(found["seeds"]) == 3
    assert found["spread_low"] <= found["simulated"]["spread"] <= found["spread_high"]
    assert found["simulated"]["spread"] >= 0.95 * found["compared"]["top_degree"]["spread"]
    assert found["simulated"]["spread"] > found["compared"]["random"]["spread"]
    assert evaluate_influence(tmp_path, "ic:0.2", seeds=3)["seeds"] == found["seeds"]
    assert {"rr_sets_per_cpu_s", "cpu_s", "wall_s", "load_s", "jit_s", "peak_mb", "seed", "n"} <= set(found)
    with pytest.raises(DataError, match="no such file"):
        evaluate_influence(tmp_path / "absent")
