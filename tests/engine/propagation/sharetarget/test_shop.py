"""A shop's own snapshot: which rows become events, ties, and a ranker that serves."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import DataError
from engine.propagation.sharetarget import shop
from engine.propagation.sharetarget.training import RankSettings
from engine.serving.sharetarget.history import NOT_OPENED
from engine.serving.sharetarget.ranker import EventRows, Question, Ranker, TieRows
from engine.types import NO_TIME, Edges, GraphSnapshot, Nodes
from tests.engine.propagation.sharetarget.groups import START, events


def edges(source, target, **columns) -> Edges:
    return Edges(np.array(source, np.int32), np.array(target, np.int32), columns)


def snapshot(shares: Edges, sends: Edges, opens: Edges, users: int, items: int, friends: Edges | None = None):
    none = edges([], [], strength=np.zeros(0, np.float32), since_s=np.zeros(0, np.int64))
    ids = [
        np.array([f"{kind}{n:04d}" for n in range(count)], dtype=object) for kind, count in (("u", users), ("i", items))
    ]
    return GraphSnapshot(
        snapshot_id="s",
        watermark_s=0,
        users=Nodes(ids[0]),
        items=Nodes(ids[1]),
        interactions=none,
        friends=friends or none,
        follows=none,
        shares=shares,
        sends=sends,
        opens=opens,
        share_ids=np.array([str(n) for n in range(len(shares))], dtype=object),
    )


def test_events_are_sends_and_opens_once_per_share_and_recipient() -> None:
    shares = edges([0, 1, 2], [5, 6, 7], occurred_at_s=np.array([100, 200, NO_TIME]))
    sends = edges([0, 0, 1], [1, 2, 2])
    # Share 0: opened by 1 twice, by 3 to whom it was not sent; share 1: by 2 at an unknown time; share 2 has no time.
    opens = edges([0, 0, 0, 1, 2], [1, 1, 3, 2, 1], occurred_at_s=np.array([150, 120, 130, NO_TIME, 300]))
    history = shop.history_of(snapshot(shares, sends, opens, 4, 8))
    rows = list(zip(history.sender, history.item, history.recipient, history.time_s, history.opened_s, strict=True))
    assert [tuple(int(value) for value in row) for row in rows] == [
        (0, 5, 1, 100, 120),
        (0, 5, 2, 100, NOT_OPENED),
        (0, 5, 3, 100, 130),
        (1, 6, 2, 200, 200),
    ]


def test_an_unknown_strength_of_a_tie_is_one() -> None:
    none = edges([], [], occurred_at_s=np.zeros(0, np.int64))
    friends = edges([0, 1], [1, 2], strength=np.array([np.nan, 2.5]), since_s=np.zeros(2, np.int64))
    ties = shop.ties_of(snapshot(none, none, none, 3, 1, friends))
    assert ties.strength.tolist() == [1.0, 2.5]
    assert ties.total.tolist() == [1.0, 3.5, 2.5]


def test_a_shop_with_habits_gets_a_ranker_that_knows_them() -> None:
    frame = events(count=2_500)
    when = (
        (np.asarray(frame.timestamp, dtype="datetime64[s]") - np.datetime64(START, "s")).astype(np.int64)
    ) + 1_000_000
    shares = edges(frame.inviter, frame["item"], occurred_at_s=when)
    row = np.arange(len(frame))
    whole = snapshot(shares, edges(row, frame.voter), edges(row, frame.voter, occurred_at_s=when + 60), 60, 400)
    ranker, card = shop.learn(whole, seed=1, settings=RankSettings(hidden=8, networks=1))
    assert card["mrr@5"] > 0.6
    assert card["shares"] == len(frame)
    tables, weights = ranker.to_folder()
    assert {len(table) for name, table in tables.items() if not name.endswith("active")} == {60}
    again = Ranker.from_folder({**tables, "other": np.zeros(1)}, weights, ranker.user_ids)
    assert again is not None
    assert Ranker.from_folder({"other": np.zeros(1)}, {}, ranker.user_ids) is None
    mine = frame[(frame.inviter == 7) | (frame.voter == 7)]
    rows = EventRows(
        [f"u{n:04d}" for n in mine.inviter],
        [f"i{n:04d}" for n in mine["item"]],
        [f"u{n:04d}" for n in mine.voter],
        when[(frame.inviter == 7) | (frame.voter == 7)].tolist(),
        [True] * len(mine),
    )
    found = again.rank(Question("u0007", "i0399", int(when.max()) + 10), rows, TieRows(), 5)
    assert found[0].user_id == "u0008"
    assert found[0].reasons[:2] == ("openedBefore", "sharedBefore")
    assert len(found) == 5


def test_too_few_shares_are_refused() -> None:
    none = edges([], [], occurred_at_s=np.zeros(0, np.int64))
    with pytest.raises(DataError, match="are needed to learn share targets"):
        shop.learn(snapshot(none, none, none, 3, 1), seed=0)
