"""Signals of a candidate v of the question (u, i, t), in named groups; all finite, most within [0, 6]."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from engine.serving.sharetarget.candidates import Known, adamic_adar_weight, circle_pairs
from engine.serving.sharetarget.evidence import (
    DAY_S,
    HOUR_S,
    Evidence,
    fresh,
    look_at,
    nearness,
    place_in_line,
    ratio,
)
from engine.serving.sharetarget.history import Float, History, Int, ask
from engine.serving.sharetarget.itemsignals import formula, item, share
from engine.serving.sharetarget.order import order
from engine.serving.sharetarget.population import nobody
from engine.serving.sharetarget.ties import no_ties

Signals = dict[str, Float]
HALF_LIVES = {"1h": HOUR_S, "6h": 6 * HOUR_S, "1d": DAY_S, "3d": 3 * DAY_S, "10d": 10 * DAY_S}


def sent(look: Evidence) -> Signals:
    """What u sent to v: counts, shares of all that u sent, recency with several half-lives, opened."""
    own, row = look.own, look.pairs.row
    out = own.sent
    place, age, event = own.place[out], own.age_s[out], own.event[out]
    count, all_sent = look.total(place), look.by_question(own.row[out])
    opened = look.history.opened_s[event] < look.questions.seen_s[own.row[out]]
    last = look.youngest(place, age)
    found: Signals = {
        "sent": np.log1p(count),
        "sent_part": ratio(count, all_sent[row]),
        "sent_items": np.log1p(look.distinct(place, look.history.item[event], look.history.items)),
        "sent_opened": ratio(look.total(place, opened.astype(np.float64)), count),
        "sent_last": nearness(last),
        "sent_last_rank": place_in_line(row, nearness(last)),
        "sent_rank": place_in_line(row, count),
    }
    for name, half_life in HALF_LIVES.items():
        weight = fresh(age, half_life)
        mine = look.total(place, weight)
        found[f"sent_{name}"] = np.log1p(mine)
        found[f"sent_part_{name}"] = ratio(mine, look.by_question(own.row[out], weight)[row])
    return found


def received(look: Evidence) -> Signals:
    """What v sent to u, and whether sharing goes both ways."""
    own, row = look.own, look.pairs.row
    got = ~own.sent
    place, age = own.place[got], own.age_s[got]
    count = look.total(place)
    found: Signals = {
        "received": np.log1p(count),
        "received_part": ratio(count, look.by_question(own.row[got])[row]),
        "received_last": nearness(look.youngest(place, age)),
        "received_rank": place_in_line(row, count),
        "both_ways": np.log1p(np.minimum(count, look.total(own.place[own.sent]))),
    }
    for name in ("6h", "1d", "3d"):
        weight = fresh(age, HALF_LIVES[name])
        mine = look.total(place, weight)
        found[f"received_{name}"] = np.log1p(mine)
        found[f"received_part_{name}"] = ratio(mine, look.by_question(own.row[got], weight)[row])
    return found


def circle(look: Evidence) -> Signals:
    """Friends of friends: common partners, Adamic-Adar, and two-step walks u - p - v in each pair of directions."""
    place, met, events = circle_pairs(look.history, look.seen)
    row = look.seen.partner_row[place]
    candidate = look.pairs.place(row, met)
    weight = adamic_adar_weight(place, len(look.seen.partner))
    found: Signals = {
        "common": np.log1p(look.total(candidate)),
        "adamic_adar": np.log1p(look.total(candidate, weight[place])),
        "adamic_adar_events": np.log1p(look.total(candidate, weight[place] * np.log1p(events))),
    }
    found["adamic_adar_rank"] = place_in_line(look.pairs.row, found["adamic_adar"])
    own, steps = look.own, look.circle
    partners = len(look.seen.partner)
    keys = look.seen.partner_row * look.history.users + look.seen.partner
    to_partner = np.searchsorted(keys, own.row * look.history.users + own.other)
    to_partner = np.where(
        (to_partner < partners)
        & (keys[np.minimum(to_partner, partners - 1)] == own.row * look.history.users + own.other)
        if partners
        else False,
        to_partner,
        partners,
    )
    apart = steps.other != look.questions.user[steps.row]
    second = fresh(steps.age_s, 3 * DAY_S)
    for first_name, chosen in (("to", own.sent), ("from", ~own.sent)):
        near = np.bincount(to_partner[chosen], fresh(own.age_s[chosen], 3 * DAY_S), minlength=partners + 1)[:partners]
        near = ratio(near, look.by_question(look.seen.partner_row, near)[look.seen.partner_row])
        for second_name, way in (("to", steps.sent), ("from", ~steps.sent)):
            direction = way & apart
            spread = np.bincount(look.seen.circle_place[direction], second[direction], minlength=partners)
            part = ratio(second[direction], spread[look.seen.circle_place[direction]])
            walked = look.total(steps.place[direction], near[look.seen.circle_place[direction]] * part)
            found[f"walk_{first_name}_{second_name}"] = np.sqrt(walked)
    return found


def receiver(look: Evidence) -> Signals:
    """What v did lately with anybody, where v is a partner of u: activity, and how much of it is with u."""
    steps, place = look.circle, look.partner_place
    got = ~steps.sent
    with_u = steps.other == look.questions.user[steps.row]
    received_all = look.total(place[got])
    found: Signals = {
        "v_received": np.log1p(received_all),
        "v_sent": np.log1p(look.total(place[steps.sent])),
        "v_from_u": ratio(look.total(place[got & with_u]), received_all),
        "v_to_u": ratio(look.total(place[steps.sent & with_u]), look.total(place[steps.sent])),
        "v_senders": np.log1p(look.distinct(place[got], steps.other[got], look.history.users)),
        "v_last": nearness(look.youngest(place, steps.age_s)),
        "v_last_received": nearness(look.youngest(place[got], steps.age_s[got])),
        "v_last_sent": nearness(look.youngest(place[~got], steps.age_s[~got])),
    }
    for name in ("1h", "6h", "1d", "3d"):
        weight = fresh(steps.age_s, HALF_LIVES[name])
        all_of_v = look.total(place[got], weight[got])
        found[f"v_received_{name}"] = np.log1p(all_of_v)
        found[f"v_from_u_{name}"] = ratio(look.total(place[got & with_u], weight[got & with_u]), all_of_v)
    return found


def clock(look: Evidence) -> Signals:
    """Time of day: do u and v meet, and does v act, at this hour; how long u and history have been silent."""
    questions, row = look.questions, look.pairs.row
    found: Signals = {}
    for name, part, place in (
        ("pair", look.own, look.own.place),
        ("v", look.circle, look.partner_place),
    ):
        at = look.history.time_s[part.event] % DAY_S
        gap = np.abs(at - questions.time_s[part.row] % DAY_S)
        near = np.exp(-0.5 * (np.minimum(gap, DAY_S - gap) / (1.5 * HOUR_S)) ** 2)
        found[f"hour_{name}"] = look.total(place, near) / (1.0 + look.total(place))
    silent = np.full(len(questions), np.inf)
    np.minimum.at(silent, look.own.row, look.own.age_s)
    hour = 2 * np.pi * (questions.time_s % DAY_S) / DAY_S
    found |= {
        "u_last": nearness(silent)[row],
        "u_sent": np.log1p(look.by_question(look.own.row[look.own.sent]))[row],
        "u_received": np.log1p(look.by_question(look.own.row[~look.own.sent]))[row],
        "u_partners": np.log1p(look.by_question(look.seen.partner_row))[row],
        "behind": np.log1p((questions.time_s - questions.seen_s) / HOUR_S)[row],
        "hour_sin": np.sin(hour)[row],
        "hour_cos": np.cos(hour)[row],
    }
    return found


def population(look: Evidence) -> Signals:
    """How often v receives and sends in the whole network, as counted in training."""
    counts = np.log1p(look.population.counts[look.pairs.user].astype(np.float64))
    return {
        f"all_{name}": counts[:, place]
        for place, name in enumerate(("received", "lately", "senders", "sent", "sending", "met", "welcomed"))
    }


def vectors(look: Evidence) -> Signals:
    """Nearness of u and v in the factors of who shares with whom."""
    u = look.questions.user[look.pairs.row]
    there = look.population.affinity(u, look.pairs.user)
    receives, own = look.population.receives, look.own
    mine = _ways(receives[look.pairs.user])
    found: Signals = {"alike": _cosine(_ways(receives[look.questions.user]), mine, look.pairs.row)}
    ways = _ways(receives[own.other])
    for name, chosen, half_life in (
        ("sent", own.sent, 3 * DAY_S),
        ("now", own.sent, HOUR_S),
        ("received", ~own.sent, 3 * DAY_S),
    ):
        weighted = ways[chosen] * fresh(own.age_s[chosen], half_life).astype(np.float32)[:, None]
        met = np.zeros((len(look.questions), receives.shape[1]), np.float32)
        np.add.at(met, own.row[chosen], weighted)
        found[f"alike_{name}"] = _cosine(_ways(met), mine, look.pairs.row)
    return found | {
        "vector": np.clip(there, -6.0, 6.0),
        "vector_back": np.clip(look.population.affinity(look.pairs.user, u), -6.0, 6.0),
        "vector_rank": place_in_line(look.pairs.row, np.maximum(there, 0.0)),
    }


def _ways(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vectors (R, D) at length 1, those of length 0 as they are."""
    length = np.sqrt(np.einsum("rd,rd->r", vectors, vectors))[:, None]
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-12)


def _cosine(ways: NDArray[np.float32], mine: NDArray[np.float32], row: Int) -> Float:
    """Return (C,) products of each candidate's way (C, D) with that of its question (Q, D)."""
    return np.einsum("cd,cd->c", ways[row], mine).astype(np.float64)


GROUPS: Mapping[str, Callable[[Evidence], Signals]] = {
    "sent": sent,
    "received": received,
    "circle": circle,
    "item": item,
    "share": share,
    "order": order,
    "formula": formula,
    "receiver": receiver,
    "clock": clock,
    "population": population,
    "vectors": vectors,
}
"""Groups of signals in their order; an ablation leaves one out."""


def signals(look: Evidence) -> NDArray[np.float32]:
    """Return the signals of the candidates, (C, len(COLUMNS))."""
    return np.stack(
        [column for make in GROUPS.values() for column in make(look).values()],
        axis=1,
        casting="same_kind",
        dtype=np.float32,
    )


def _columns() -> tuple[tuple[str, str], ...]:
    """Return (group, name) of each column, as one question of two users has them."""
    history = History.of([0], [0], [1], [0])
    questions = ask(*(np.array([value]) for value in (0, 0, 1)))
    look = look_at(Known(history, nobody(2), no_ties(2)), questions)
    return tuple((group, name) for group, make in GROUPS.items() for name in make(look))


COLUMNS = _columns()
"""(group, name) of each column of `signals`."""
