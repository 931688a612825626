from __future__ import annotations

import numpy as np
import pytest

from engine.types import INTERACTION_TYPES, Edges, Nodes
from engine.world import WorldSettings, generate, to_snapshot
from tests.engine.test_artifact import small_snapshot

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")


def test_hetero_data_holds_every_edge_and_column_of_a_small_snapshot():
    data = small_snapshot().to_hetero_data()
    assert data.validate()
    assert (data["user"].num_nodes, data["item"].num_nodes, data["share"].num_nodes) == (3, 2, 2)
    assert {key: data[key].edge_index.tolist() for key in data.edge_types} == {
        ("user", "viewed", "item"): [[0], [0]],
        ("user", "liked", "item"): [[1], [1]],
        ("user", "rated", "item"): [[2], [1]],
        ("user", "friend", "user"): [[0], [1]],
        ("user", "follows", "user"): [[2], [0]],
        ("user", "shared", "share"): [[0, 1], [0, 1]],
        ("share", "of_item", "item"): [[0, 1], [1, 1]],
        ("share", "sent_to", "user"): [[0, 0], [1, 2]],
        ("user", "opened", "share"): [[1], [0]],
    }
    assert data["user", "viewed", "item"].count.tolist() == [3]
    assert data["user", "rated", "item"].rating.tolist() == [4.5]
    assert data["user", "friend", "user"].strength.tolist() == [0.5]
    assert data["share", "of_item", "item"].parent.tolist() == [-1, 0]
    assert data["user", "opened", "share"].occurred_at_s.tolist() == [35]


def test_hetero_data_of_a_world_counts_as_the_snapshot_does():
    snapshot = to_snapshot(generate(WorldSettings(users=300, items=150, events=6_000, seed=2)))
    data = snapshot.to_hetero_data()
    assert data.validate()
    types = snapshot.interactions.columns["type"]
    for code, name in enumerate(INTERACTION_TYPES):
        count = int((types == code).sum())
        key = ("user", name.lower(), "item")
        assert (data[key].num_edges if key in data.edge_types else 0) == count
        if count:
            for column in ("occurred_at_s", "count", "rating"):
                expected = torch.from_numpy(snapshot.interactions.columns[column][types == code])
                torch.testing.assert_close(data[key][column], expected, equal_nan=True)
    assert data["user", "friend", "user"].num_edges == len(snapshot.friends)
    assert data["share", "sent_to", "user"].num_edges == len(snapshot.sends)
    assert data["user", "opened", "share"].num_edges == len(snapshot.opens)
    assert data["share", "of_item", "item"].num_edges == len(snapshot.shares)


def test_tables_know_their_length():
    assert len(Nodes(np.array(["a", "b"], object))) == 2
    assert len(Edges(np.zeros(3, np.int32), np.zeros(3, np.int32))) == 3
