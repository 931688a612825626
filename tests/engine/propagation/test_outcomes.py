from __future__ import annotations

import numpy as np

from engine.propagation.outcomes import CONTACT, FOLLOWER, FRIEND, acts_shown, count_outcomes
from engine.types import Edges, GraphSnapshot, Nodes


def i32(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def snapshot(shares=(), sends=(), opens=(), friends=(), follows=(), users=5) -> GraphSnapshot:
    """`shares`: (user, parent row or -1); `sends`, `opens`: (share row, user); `friends`: (u, v, strength)."""

    def column(rows, position, dtype=np.int32):
        return np.array([row[position] for row in rows], dtype)

    return GraphSnapshot(
        "s", 0,
        Nodes(np.array([f"u{n}" for n in range(users)], object)),
        Nodes(np.array(["i0"], object)),
        Edges(i32(), i32(), {"type": np.zeros(0, np.int8)}),
        Edges(column(friends, 0), column(friends, 1), {"strength": column(friends, 2, np.float32)}),
        Edges(column(follows, 0), column(follows, 1), {}),
        Edges(column(shares, 0), np.zeros(len(shares), np.int32), {"parent": column(shares, 1)}),
        Edges(column(sends, 0), column(sends, 1), {}),
        Edges(column(opens, 0), column(opens, 1), {}),
        np.array([f"s{n}" for n in range(len(shares))], object),
    )  # fmt: skip


def table(outcomes) -> dict[tuple[int, int], tuple[int, float, float]]:
    rows = zip(outcomes.source, outcomes.target, outcomes.kind, outcomes.trials, outcomes.successes, strict=True)
    return {(int(u), int(v)): (int(k), float(t), float(s)) for u, v, k, t, s in rows}


def test_the_acts_are_those_that_the_graph_shows():
    assert acts_shown(snapshot()) == ()
    assert acts_shown(snapshot(shares=[(0, -1)])) == ()
    assert acts_shown(snapshot(shares=[(0, -1)], opens=[(0, 1)])) == ("open",)
    assert acts_shown(snapshot(shares=[(0, -1), (1, 0)], opens=[(0, 1)])) == ("reshare", "open")


def test_reshares_by_hand():
    # 0 shares twice; friend 1 reshares the first; 1's friends are 0 (who caused it) and 2.
    graph = snapshot(shares=[(0, -1), (0, -1), (1, 0)], friends=[(0, 1, 0.5), (1, 2, 0.25)], sends=[(0, 1), (0, 3)])
    outcomes = count_outcomes(graph, "reshare")
    assert table(outcomes) == {
        (0, 1): (FRIEND, 2, 1),
        (0, 3): (CONTACT, 2, 0),
        (1, 0): (FRIEND, 0, 0),
        (1, 2): (FRIEND, 1, 0),
        (2, 1): (FRIEND, 0, 0),
    }
    assert outcomes.strength.tolist() == [0.5, 1, 0.5, 0.25, 0.25]


def test_opens_count_once_a_share_and_follows_run_from_followee_to_follower():
    graph = snapshot(shares=[(0, -1), (0, -1)], follows=[(4, 0)], opens=[(0, 4), (0, 4), (1, 4), (1, 0)])
    # 0 opening their own share is no pair.
    assert table(count_outcomes(graph, "open")) == {(0, 4): (FOLLOWER, 2, 2)}


def test_the_act_that_made_a_pair_known_is_left_out():
    # 0 shares three times; 1 opened two and was sent nothing else; 2 opened one and was sent another in vain.
    graph = snapshot(shares=[(0, -1)] * 3, sends=[(0, 1), (1, 2), (2, 2)], opens=[(0, 1), (1, 1), (2, 2)])
    assert table(count_outcomes(graph, "open")) == {(0, 1): (CONTACT, 2, 1), (0, 2): (CONTACT, 3, 1)}


def test_an_empty_graph_has_no_outcomes():
    assert len(count_outcomes(snapshot(users=0), "open").source) == 0
