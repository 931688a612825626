from __future__ import annotations

import numpy as np
import pytest

from engine.propagation.waiting import PRIOR, learn_delays
from engine.types import EdgeProbabilities, Edges, GraphSnapshot, Nodes

HOUR = 3_600


def snapshot(shares=(), opens=(), users=4) -> GraphSnapshot:
    """`shares`: (user, parent row or -1, time); `opens`: (share row, user, time)."""

    def column(rows, position, dtype=np.int32):
        return np.array([row[position] for row in rows], dtype)

    none = np.zeros(0, np.int32)
    return GraphSnapshot(
        "s", 0,
        Nodes(np.array([f"u{n}" for n in range(users)], object)),
        Nodes(np.array(["i0"], object)),
        Edges(none, none, {"type": np.zeros(0, np.int8)}),
        Edges(none, none, {"strength": np.zeros(0, np.float32)}),
        Edges(none, none, {}),
        Edges(column(shares, 0), np.zeros(len(shares), np.int32),
              {"parent": column(shares, 1), "occurred_at_s": column(shares, 2, np.int64)}),
        Edges(none, none, {}),
        Edges(column(opens, 0), column(opens, 1), {"occurred_at_s": column(opens, 2, np.int64)}),
        np.array([f"s{n}" for n in range(len(shares))], object),
    )  # fmt: skip


EDGES = EdgeProbabilities(np.array([0, 0, 1], np.int32), np.array([1, 2, 2], np.int32), np.full(3, 0.5, np.float32), 4)


def test_who_takes_long_has_slow_edges():
    # User 1 passes on after an hour, user 2 after four; user 3 never. Both half as often as the prior weighs.
    shares = [(0, -1, 1_000)]
    for _n in range(5):
        shares += [(1, 0, 1_000 + HOUR), (2, 0, 1_000 + 4 * HOUR)]
    delays = learn_delays(snapshot([*shares, (3, -1, 10**9)]), EDGES)
    # Both are a factor 2 away from the geometric mean, half of which is believed.
    believed = 2 ** (5 / (5 + PRIOR))
    assert delays.scale == pytest.approx([1 / believed, believed, believed])
    assert delays.quantile_s[0] == pytest.approx(HOUR * believed)
    assert delays.quantile_s[-1] == pytest.approx(4 * HOUR / believed)


def test_opens_tell_where_nobody_reshares():
    delays = learn_delays(snapshot([(0, -1, 1_000)], opens=[(0, 1, 1_000 + HOUR)]), EDGES)
    assert delays.quantile_s.min() == pytest.approx(HOUR)


def test_young_shares_tell_nothing_while_older_ones_do():
    # Ten old shares were passed on after ten hours; one of the last hour after a minute.
    shares = [(0, -1, 1_000)] + [(1, 0, 1_000 + 10 * HOUR)] * 10
    end_s = 1_000 + 100 * HOUR
    shares += [(0, -1, end_s - HOUR), (2, len(shares), end_s - HOUR + 60), (3, -1, end_s)]
    delays = learn_delays(snapshot(shares), EDGES)
    assert delays.quantile_s.min() == pytest.approx(delays.quantile_s.max())


def test_without_an_act_there_is_nothing_to_learn():
    assert learn_delays(snapshot([(0, -1, 1_000)]), EDGES) is None
    assert learn_delays(snapshot(), EDGES) is None
    # An act that is older than what it answers, or without a time, is none.
    assert learn_delays(snapshot([(0, -1, 5_000), (1, 0, 4_000)]), EDGES) is None
    assert learn_delays(snapshot([(0, -1, -1), (1, 0, 4_000)]), EDGES) is None
