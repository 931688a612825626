"""Signals of the item and of this very share, and the terms of the propagation formula."""

from __future__ import annotations

import numpy as np

from engine.serving.sharetarget.evidence import DAY_S, Evidence, fresh, nearness, ratio
from engine.serving.sharetarget.history import Float, Int

Signals = dict[str, Float]


def item(look: Evidence) -> Signals:
    """What v did with item i: received it from others, shared it; how much u's share of it resembles earlier ones."""
    row, event = look.seen.item_row, look.seen.item_event
    history = look.history
    got = look.pairs.place(row, history.recipient[event])
    gave = look.pairs.place(row, history.sender[event])
    by_u = history.sender[event] == look.questions.user[row]
    age = np.maximum(look.questions.time_s[row] - history.time_s[event], 1).astype(np.float64)
    source = np.full(len(look.questions), -1, dtype=np.int64)
    to_u = history.recipient[event] == look.questions.user[row]
    source[row[to_u]] = history.sender[event][to_u]
    return {
        "item_received": np.log1p(look.total(got[~by_u])),
        "item_received_last": nearness(look.youngest(got[~by_u], age[~by_u])),
        "item_shared": np.log1p(look.total(gave)),
        "item_shared_last": nearness(look.youngest(gave, age)),
        "item_events": np.log1p(look.by_question(row))[look.pairs.row],
        "item_from_v": (source[look.pairs.row] == look.pairs.user).astype(np.float64),
        "item_from_somebody": (source >= 0)[look.pairs.row].astype(np.float64),
    }


def share(look: Evidence) -> Signals:
    """Who has come for this share of i by u already, and who came along with them, or after the last, before."""
    own, history, row = look.own, look.history, look.pairs.row
    here, shares = look.here, look.earlier
    came = look.by_question(own.row[here])
    share_gap = np.full(len(look.questions), np.inf)
    np.minimum.at(share_gap, own.row[here], own.age_s[here])
    found: Signals = {
        "came": (look.total(own.place[here]) > 0).astype(np.float64),
        "came_all": np.log1p(came)[row],
        "came_last": nearness(share_gap)[row],
    }
    # Earlier shares of u by item: how many of those who came now were there, and how old it is.
    earlier = shares.at
    here_key = np.unique(own.row[here] * history.users + own.other[here])
    among = _contains(here_key, own.row[earlier] * history.users + own.other[earlier])
    alike = np.bincount(shares.share, among.astype(np.float64), minlength=len(shares.row))
    size = np.bincount(shares.share, minlength=len(shares.row)).astype(np.float64)
    alike = ratio(alike, np.sqrt(size) * np.sqrt(np.maximum(came, 1.0))[shares.row])
    weight = alike[shares.share] * fresh(own.age_s[earlier], 3 * DAY_S)
    together = look.total(own.place[earlier], weight)
    found["came_with"] = np.log1p(together)
    found["came_with_part"] = ratio(together, look.by_question(own.row[earlier], weight)[row])
    found["shares_apart"] = np.log1p(look.by_question(shares.row))[row]
    out = own.sent
    found |= _after(look, own.row[out], history.item[own.event[out]], own.age_s[out], own.place[out])
    return found | attendance(look)


def attendance(look: Evidence) -> Signals:
    """Which of u's last shares of other items v came for, how many went by without v, and at which place v comes.

    Shares of u are told apart by item; the newest is the one that somebody came for last.
    """
    own, shares = look.own, look.earlier
    row, place, share = own.row[shares.at], own.place[shares.at], shares.share
    count = look.by_question(shares.row)
    # Events are oldest first inside a question: the how-manieth of its share is each one?
    by_share = np.argsort(share, kind="stable")
    come_as = np.empty(len(row), dtype=np.int64)
    come_as[by_share] = np.arange(len(row)) - np.searchsorted(share[by_share], share[by_share])
    came = look.by_question(own.row[look.here])
    fits = np.exp(-np.abs(np.log1p(come_as) - np.log1p(came)[row]))
    once = np.unique(place * max(len(shares.row), 1) + share)
    once_place, once_back = once // max(len(shares.row), 1), shares.back[once % max(len(shares.row), 1)]
    found = {
        f"attended_{last}": ratio(look.total(once_place[once_back < last]), np.minimum(count, last)[look.pairs.row])
        for last in (1, 3, 10)
    }
    return found | {
        "missed": 1.0 / (1.0 + look.youngest(once_place, once_back.astype(np.float64))),
        "comes_now": ratio(look.total(place, fits), look.total(place)),
        "comes_first": ratio(look.total(place[come_as == 0]), look.total(place)),
    }


def _after(look: Evidence, row: Int, item: Int, age: Float, place: Int) -> Signals:
    """Who came right after the last one (of any item of u's) before, and who came in the same burst (10 minutes)."""
    other = look.own.other[look.own.sent]
    last = np.full(len(look.questions), -1, dtype=np.int64)
    last[row] = other  # rows of a question are oldest first: the newest stays
    last_age = np.full(len(look.questions), np.inf)
    np.minimum.at(last_age, row, age)
    follows = np.zeros(len(row), dtype=bool)
    follows[1:] = (row[1:] == row[:-1]) & (other[:-1] == last[row[1:]]) & (other[1:] != other[:-1])
    times = look.by_question(row[follows])
    after = look.total(place[follows])
    burst = age <= last_age[row] + 600.0
    items_of = np.unique(place * look.history.items + item)
    return {
        "after_last": ratio(after, (1.0 + times)[look.pairs.row]),
        "was_last": (last[look.pairs.row] == look.pairs.user).astype(np.float64),
        "in_burst": np.log1p(look.total(place[burst])),
        "sent_once": ratio(look.total(items_of // look.history.items), 1.0 + _shares(look, row, item)[look.pairs.row]),
    }


def _shares(look: Evidence, row: Int, item: Int) -> Float:
    """Return (Q,) number of items that u shared."""
    return look.by_question(np.unique(row * look.history.items + item) // look.history.items)


def formula(look: Evidence) -> Signals:
    """The two terms of the propagation formula, of the item and of the pair, by the receiver's and the sender's totals.

    A tie's strength is that of the friendship plus the number of shares between the two. `passed`: S(i,v) / D(v) with
    S over v's ties to those who shared i, u included. `tie`: S(u,v) / D; `acts`: C(u,v) / N with C = how often v
    opened what u sent.
    """
    history, questions, pairs, own = look.history, look.questions, look.pairs, look.own
    u = questions.user[pairs.row]
    friendship = look.ties.between(u, pairs.user)
    tie = friendship + look.total(own.place)
    opened = history.opened_s[own.event] < questions.seen_s[own.row]
    acts = look.total(own.place[own.sent & opened])
    events_of_v = look.total(look.partner_place)
    met_by_v = look.distinct(look.partner_place, look.circle.other, history.users)
    d_v = look.ties.total[pairs.user] + np.maximum(events_of_v, look.total(look.circle.place))
    n_v = look.ties.friends[pairs.user] + met_by_v
    d_u = look.ties.total[questions.user] + look.by_question(own.row)
    n_u = look.ties.friends[questions.user] + look.by_question(look.seen.partner_row)
    return {
        "friendship": np.log1p(friendship),
        "passed": ratio(passed(look), d_v),
        "tie_receiver": ratio(tie, np.maximum(d_v, tie)),
        "tie_sender": ratio(tie, d_u[pairs.row]),
        "acts_receiver": np.log1p(ratio(acts, n_v)),
        "acts_sender": np.log1p(ratio(acts, n_u[pairs.row])),
    }


def passed(look: Evidence, *, with_u: bool = True) -> Float:
    """Return (C,) S(i,v): strength of v's ties to those who shared i; u is one of them, or does not count."""
    history, questions = look.history, look.questions
    row, event = look.seen.item_row, look.seen.item_event
    every = np.arange(len(questions), dtype=np.int64)
    sharer_row = np.concatenate([row, every])
    sharer = np.concatenate([history.sender[event], questions.user])
    counted = np.full(len(sharer), with_u) | (sharer != questions.user[sharer_row])
    keys = np.unique((sharer_row * history.users + sharer)[counted])
    steps = look.circle
    through = _contains(keys, steps.row * history.users + steps.other)
    strength = look.total(look.partner_place[through])
    # Of a candidate who is no partner only the events with partners are seen.
    partner = look.seen.partner[look.seen.circle_place]
    reverse = _contains(keys, steps.row * history.users + partner)
    seen_by_partners = look.total(steps.place[reverse])
    is_partner = look.total(look.partner_place) > 0
    share_row, share_user = keys // history.users, keys % history.users
    position = np.searchsorted(look.pairs.row, [share_row, share_row + 1])
    counts = position[1] - position[0]
    candidate = np.arange(counts.sum()) + np.repeat(position[0] - (np.cumsum(counts) - counts), counts)
    friendships = look.total(candidate, look.ties.between(np.repeat(share_user, counts), look.pairs.user[candidate]))
    return np.where(is_partner, strength, seen_by_partners) + friendships


def _contains(keys: Int, asked: Int) -> np.ndarray:
    """Tell which values are among ascending `keys`."""
    if not len(keys):
        return np.zeros(len(asked), dtype=bool)
    place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return keys[place] == asked
