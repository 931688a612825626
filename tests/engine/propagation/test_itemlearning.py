"""What an item makes of P(u->v): found where it is planted, left alone where it is not, never from what came later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.propagation import itemlearning
from engine.propagation.itemlearning import learn_item_spread
from engine.types import NO_TIME, Edges, GraphSnapshot, ItemSpread, Nodes
from tests.engine.propagation.test_outcomes import snapshot

USERS, ITEMS, SHARES, END_S = 400, 60, 6_000, 1_000_000
ALIKE, UNLIKE = 0.3, 0.03


def planted(alike: float, unlike: float, seed: int = 0) -> GraphSnapshot:
    """Two tastes of users and of items; friends at random; a friend opens a share at once by whether tastes agree."""
    rng = np.random.default_rng(seed)
    friend = np.unique(np.sort(rng.integers(0, USERS, (2_000, 2)), axis=1), axis=0)
    friend = friend[friend[:, 0] != friend[:, 1]]
    user, item = rng.integers(0, USERS, 20_000), rng.integers(0, ITEMS, 20_000)
    own = (user % 2 == item % 2) | (rng.random(len(user)) < 0.1)
    user, item = user[own], item[own]
    sharer, shared = rng.integers(0, USERS, SHARES), rng.integers(0, ITEMS, SHARES)
    at_s = np.sort(rng.integers(1, END_S, SHARES))
    opens = []
    for share in range(SHARES):
        circle = np.concatenate([friend[friend[:, 0] == sharer[share], 1], friend[friend[:, 1] == sharer[share], 0]])
        chance = np.where(circle % 2 == shared[share] % 2, alike, unlike)
        opens += [(share, int(v)) for v in circle[rng.random(len(circle)) < chance]]
    graph = snapshot(opens=opens, friends=[(*pair, 1.0) for pair in friend.tolist()], users=USERS)
    taste = np.where(np.arange(ITEMS) % 2, "odd", "even").astype(object)
    return replace(
        graph,
        watermark_s=END_S,
        items=Nodes(np.array([f"i{n}" for n in range(ITEMS)], object), {"kind": taste}),
        shares=Edges(sharer.astype(np.int32), shared.astype(np.int32),
                     {"parent": np.full(SHARES, -1, np.int32), "occurred_at_s": at_s}),
        share_ids=np.array([f"s{n}" for n in range(SHARES)], object),
        opens=Edges(graph.opens.source, graph.opens.target, {"occurred_at_s": at_s[graph.opens.source]}),
        interactions=Edges(user.astype(np.int32), item.astype(np.int32),
                           {"type": np.zeros(len(user), np.int8), "occurred_at_s": np.ones(len(user), np.int64)}),
        friends=Edges(graph.friends.source, graph.friends.target,
                      {**graph.friends.columns, "since_s": np.full(len(graph.friends), NO_TIME)}),
        follows=Edges(graph.follows.source, graph.follows.target, {"since_s": np.zeros(0, np.int64)}),
    )  # fmt: skip


def test_taste_that_decides_is_learned():
    spread, told = learn_item_spread(planted(ALIKE, UNLIKE), seed=0)
    assert spread is not None
    assert (told["model"], told["act"]) == ("item", "open")
    assert told["bce"]["item"] < told["bce"]["pair"] - 0.05
    assert told["ece"]["item"] < 0.03
    even, odd = spread.log_odds(np.array([0])), spread.log_odds(np.array([1]))
    of_even = np.arange(USERS) % 2 == 0
    # logit(.3) - logit(.03) = 2.63 between those whose taste it is and the others.
    assert even[of_even].mean() - even[~of_even].mean() == pytest.approx(2.63, abs=0.4)
    assert odd[~of_even].mean() - odd[of_even].mean() == pytest.approx(2.63, abs=0.4)
    # What both tastes have in common cancels out.
    both = spread.log_odds(np.arange(ITEMS))
    assert abs(both[of_even].mean() - both[~of_even].mean()) < 0.3


def test_where_the_item_decides_nothing_p_stays():
    spread, told = learn_item_spread(planted(0.1, 0.1), seed=0)
    assert told["model"] == "pair"
    assert spread is not None
    assert not spread.log_odds(np.arange(ITEMS)).any()
    assert abs(told["gain"]) < 2 * told["gainStandardError"] + 1e-3


def test_an_item_that_everybody_passes_on_is_told_from_others():
    graph = planted(0.05, 0.05, seed=1)
    rng = np.random.default_rng(2)
    # Whoever opened any share of item 0 .. 5 gets company: half of the sharer's shares of these are opened by user + 1.
    hot = np.flatnonzero(graph.shares.target < 6)
    extra = [(s, (graph.shares.source[s] + n) % USERS) for s in hot for n in (1, 2, 3) if rng.random() < 0.6]
    source, target = (np.array([row[at] for row in extra], np.int32) for at in (0, 1))
    at_s = np.concatenate([graph.opens.columns["occurred_at_s"], graph.shares.columns["occurred_at_s"][source]])
    opens = Edges(np.concatenate([graph.opens.source, source]), np.concatenate([graph.opens.target, target]),
                  {"occurred_at_s": at_s})  # fmt: skip
    spread, told = learn_item_spread(replace(graph, opens=opens), seed=0)
    assert spread is not None
    assert told["model"] == "item"
    assert spread.bias[:6].min() > spread.bias[6:].max()


@pytest.mark.parametrize("alike, unlike, model", [(ALIKE, UNLIKE, "item"), (0.15, 0.15, "pair")])
def test_what_was_sent_is_acted_on_by_its_own_chance(alike, unlike, model):
    graph = planted(alike, unlike, seed=3)
    rng = np.random.default_rng(4)
    friends = [*zip(graph.friends.source, graph.friends.target, strict=True)]
    friends += [(v, u) for u, v in friends]
    reach = {u: [v for w, v in friends if w == u] for u in range(USERS)}
    opened = set(zip(graph.opens.source.tolist(), graph.opens.target.tolist(), strict=True))
    # Who opens was sent the share, and a quarter of the others: P of what was sent is p / (p + (1 - p) / 4).
    rows = [(s, v) for s in range(SHARES) for v in reach[int(graph.shares.source[s])]
            if (s, int(v)) in opened or rng.random() < 0.25]  # fmt: skip
    sends = Edges(*(np.array([row[at] for row in rows], np.int32) for at in (0, 1)), {})
    told = learn_item_spread(replace(graph, sends=sends), seed=0)[1]
    assert (told["model"], told["sent"]["model"]) == (model, "sent")
    at = np.log(0.15 / 0.85)
    assert told["sent"]["base"] + told["sent"]["slope"] * at == pytest.approx(at + np.log(4.0), abs=0.15)
    assert told["sent"]["ece"]["sent"] < 0.05 < 0.2 < told["sent"]["ece"]["same"]


def test_where_being_sent_decides_nothing_it_adds_nothing():
    graph = planted(0.1, 0.1, seed=5)
    rng = np.random.default_rng(6)
    friend = np.concatenate([np.stack([graph.friends.source, graph.friends.target], 1),
                             np.stack([graph.friends.target, graph.friends.source], 1)])  # fmt: skip
    rows = [(s, v) for s in range(SHARES) for u, v in friend[friend[:, 0] == graph.shares.source[s]]
            if rng.random() < 0.5]  # fmt: skip
    sends = Edges(*(np.array([row[at] for row in rows], np.int32) for at in (0, 1)), {})
    told = learn_item_spread(replace(graph, sends=sends), seed=0)[1]["sent"]
    assert (told["model"], told["base"], told["slope"]) == ("same", 0.0, 1.0)
    assert "reason" in learn_item_spread(graph, seed=0)[1]["sent"]


def test_a_channel_in_which_more_is_acted_on_is_told_from_others():
    graph = planted(0.1, 0.1, seed=7)
    rng = np.random.default_rng(8)
    # In the mail as many shares, and each open of one in the app is gone with three quarters.
    channel = np.where(rng.random(SHARES) < 0.5, "mail", "app").astype(object)
    channel[:100] = ""
    kept = (channel[graph.opens.source] == "mail") | (rng.random(len(graph.opens)) < 0.25)
    opens = Edges(graph.opens.source[kept], graph.opens.target[kept],
                  {"occurred_at_s": graph.opens.columns["occurred_at_s"][kept]})  # fmt: skip
    shares = Edges(graph.shares.source, graph.shares.target, {**graph.shares.columns, "channel": channel})
    spread, told = learn_item_spread(replace(graph, opens=opens, shares=shares), seed=0)
    assert spread is not None
    assert (told["model"], sorted(told["channels"])) == ("item", ["app", "mail"])
    # logit(.1) - logit(.025) = 1.47
    assert told["channels"]["mail"] - told["channels"]["app"] == pytest.approx(1.47, abs=0.2)
    assert dict(spread.channels) == told["channels"]
    nobody = spread.log_odds(np.array([3]))
    assert spread.log_odds(np.array([3]), "mail") - nobody == pytest.approx(told["channels"]["mail"], abs=1e-5)
    assert (spread.log_odds(np.array([3]), "fax") == nobody).all()
    # About as many shares in both: what they add has a mean of 0.
    assert told["channels"]["mail"] + told["channels"]["app"] == pytest.approx(0.0, abs=0.1)


def test_what_a_window_holds_says_nothing_of_its_own_outcomes():
    graph = planted(ALIKE, UNLIKE)
    cut = int(np.quantile(graph.shares.columns["occurred_at_s"], 0.85))
    rows = itemlearning._window(graph, "open", (cut, END_S), ["mail"], seed=0)
    # Opens of the window are dealt anew: everything but the outcomes stays the same.
    rng = np.random.default_rng(5)
    late = graph.shares.columns["occurred_at_s"][graph.opens.source] >= cut
    target = graph.opens.target.copy()
    target[late] = rng.permutation(target[late])
    other = itemlearning._window(
        replace(graph, opens=Edges(graph.opens.source, target, graph.opens.columns)),
        "open",
        (cut, END_S),
        ["mail"],
        seed=0,
    )
    assert (rows.signals == other.signals).all()
    assert (rows.offset == other.offset).all()
    assert (rows.acted != other.acted).any()


def test_too_few_acts_tell_nothing(monkeypatch):
    assert learn_item_spread(snapshot(), seed=0)[1]["model"] == "none"
    monkeypatch.setattr(itemlearning, "FEWEST", 10**6)
    assert "at least 1000000" in learn_item_spread(planted(ALIKE, UNLIKE), seed=0)[1]["reason"]


def test_log_odds_by_hand():
    spread = ItemSpread(
        np.array([[1.0, 0.0], [0.0, 0.0]], np.float32),
        np.array([[2.0, 0.0], [4.0, 0.0]], np.float32),
        np.array([0.5, -0.5], np.float32),
    )
    assert spread.log_odds(np.array([0])).tolist() == [2.5, 0.5]
    assert spread.log_odds(np.array([0, 1])).tolist() == [3.0, 0.0]
    assert spread.log_odds(np.array([], int)).tolist() == [0.0, 0.0]
