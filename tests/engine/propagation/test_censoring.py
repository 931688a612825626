"""How much of a trial a recent share is, and snapshots as they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.propagation.censoring import between, end_of, exposure
from engine.propagation.estimation import shrunken_rates
from engine.propagation.outcomes import count_outcomes
from engine.types import NO_TIME, Edges, Nodes
from tests.engine.propagation.test_outcomes import snapshot, table


def timed(shares, opens=(), interactions=(), friends=(), watermark_s=0, users=5):
    """`shares`: (user, parent, second); `opens`: (share row, user, second); `interactions`: (user, item, second)."""
    graph = snapshot(shares=[row[:2] for row in shares], opens=[row[:2] for row in opens], friends=friends, users=users)

    def seconds(rows):
        return np.array([row[2] for row in rows], np.int64)

    return replace(
        graph,
        watermark_s=watermark_s,
        items=Nodes(np.array(["i0", "i1"], object), {"category": np.array(["tea", "art"], object)}),
        shares=Edges(
            graph.shares.source, graph.shares.target, {**graph.shares.columns, "occurred_at_s": seconds(shares)}
        ),
        opens=Edges(graph.opens.source, graph.opens.target, {"occurred_at_s": seconds(opens)}),
        interactions=Edges(
            np.array([row[0] for row in interactions], np.int32),
            np.array([row[1] for row in interactions], np.int32),
            {"type": np.zeros(len(interactions), np.int8), "occurred_at_s": seconds(interactions)},
        ),
        follows=Edges(graph.follows.source, graph.follows.target, {"since_s": np.zeros(0, np.int64)}),
        friends=Edges(
            graph.friends.source,
            graph.friends.target,
            {**graph.friends.columns, "since_s": np.full(len(graph.friends), NO_TIME)},
        ),
    )


def test_a_share_is_as_much_of_a_trial_as_acts_have_come_by_its_age():
    # The older half of the shares, 20 at second 0, are opened after 1 .. 20 seconds.
    old = [(0, -1, 0)] * 20
    graph = timed([*old, (0, -1, 95), (0, -1, 90), (0, -1, 100), (0, -1, NO_TIME)], [(n, 1, n + 1) for n in range(20)])
    assert exposure(graph, 100).tolist() == [1.0] * 20 + [0.25, 0.5, 0.0, 1.0]
    assert exposure(timed([(0, -1, 0), (0, -1, 9)], [(0, 1, 5)]), 9).tolist() == [1.0, 1.0]  # one act tells nothing
    assert exposure(timed([]), 9).tolist() == []


def test_trials_are_exposed():
    graph = timed([(0, -1, 0), (0, -1, 0)], [(0, 1, 5)], friends=[(0, 1, 1.0), (0, 2, 1.0)])
    found = table(count_outcomes(graph, "open", np.array([1.0, 0.25])))
    assert found[0, 1][1:] == (1.25, 1.0)
    assert found[0, 2][1:] == (1.25, 0.0)


def test_exposure_takes_the_bias_of_recent_shares_away():
    """Friends open with chance .4 after a mean of 1,000 s; half of the shares are younger than that."""
    rng = np.random.default_rng(0)
    at_s = np.sort(np.concatenate([rng.integers(0, 50_000, 4_000), rng.integers(99_000, 100_000, 4_000)]))
    delay = rng.exponential(1_000, len(at_s)).astype(int)
    opened = (rng.random(len(at_s)) < 0.4) & (at_s + delay <= 100_000)
    graph = timed(
        [(0, -1, int(second)) for second in at_s],
        [(int(row), 1, int(at_s[row] + delay[row])) for row in np.flatnonzero(opened)],
        friends=[(0, 1, 1.0)],
        watermark_s=100_000,
    )
    plain, exposed = (
        float(shrunken_rates(count_outcomes(graph, "open", weight))[0])
        for weight in (None, exposure(graph, end_of(graph)))
    )
    old = opened[:4_000].mean()  # all of these have had their time
    assert plain < old - 0.1
    assert exposed == pytest.approx(old, abs=0.02)


def test_a_snapshot_of_a_span_by_hand():
    graph = timed(
        [(0, -1, 10), (1, 0, 20), (2, 1, 30), (3, -1, NO_TIME)],
        [(0, 4, 15), (1, 4, 40), (1, 3, 25)],
        [(0, 0, 5), (0, 1, 25), (1, 1, 35)],
        friends=[(0, 1, 1.0)],
    )
    part = between(graph, 20, 35)
    assert part.shares.source.tolist() == [1, 2]
    assert part.shares.columns["parent"].tolist() == [-1, 0]  # the first share's parent is from before
    assert list(zip(part.opens.source.tolist(), part.opens.target.tolist(), strict=True)) == [(0, 3)]
    assert part.interactions.target.tolist() == [1]
    assert len(part.friends) == 1  # since when is not known
    assert part.share_ids.tolist() == ["s1", "s2"]
    dated = replace(graph, friends=Edges(graph.friends.source, graph.friends.target,
                                         {"strength": np.ones(1, np.float32), "since_s": np.array([35])}))  # fmt: skip
    assert len(between(dated, 20, 35).friends) == 0
    assert len(between(dated, 20, 36).friends) == 1
