"""Who comes into question: a bounded number of candidates from several sources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.serving.sharetarget.history import Excerpt, Float, History, Int, Questions
from engine.serving.sharetarget.population import Population
from engine.serving.sharetarget.ties import Ties

FRIENDS = 200
"""Friends of u."""
CIRCLE_OTHERS = 60
"""Users met by u's partners, by Adamic-Adar."""
ITEM_PEOPLE = 50
"""Users who shared or received this item last."""
LAST_PARTNERS = 3
"""Partners met last, whose likes are looked for."""


@dataclass(frozen=True, slots=True)
class Known:
    """What questions are answered from; all of the same U users."""

    history: History
    population: Population
    ties: Ties


@dataclass(frozen=True, slots=True)
class Pairs:
    """Candidates of Q questions."""

    key: Int
    """(C,) `row * users + user`, ascending."""
    row: Int
    """(C,) question."""
    user: Int
    """(C,) user index of the candidate."""
    users: int

    def __len__(self) -> int:
        return len(self.key)

    def place(self, row: Int, user: Int) -> Int:
        """Return each pair's place among the candidates, C where it is none."""
        asked = row * self.users + user
        if not len(self.key):
            return np.zeros(len(asked), np.int64)
        place = np.minimum(np.searchsorted(self.key, asked), len(self.key) - 1)
        return np.where(self.key[place] == asked, place, len(self.key))


def candidates(known: Known, questions: Questions, seen: Excerpt) -> Pairs:
    """Return partners, friends, users whom partners met, users of the item, strangers, likes; never the user."""
    history, population = known.history, known.population
    every = np.arange(len(questions), dtype=np.int64)
    active = population.active
    last_row, last = last_partners(history, questions, seen)
    of_last, like_last = population.like(last)
    sources = [
        (seen.partner_row, seen.partner),
        known.ties.friends_of(questions.user, FRIENDS),
        _met_by_partners(history, questions, seen),
        _people_of_item(history, seen),
        (np.repeat(every, len(active)), np.tile(active, len(every))),
        population.near(questions.user),
        population.like(questions.user),
        (last_row[of_last], like_last),
    ]
    row, user = (np.concatenate([source[part] for source in sources]) for part in (0, 1))
    kept = user != questions.user[row]
    key = np.unique(row[kept] * history.users + user[kept])
    return Pairs(key, key // history.users, key % history.users, history.users)


def circle_pairs(history: History, seen: Excerpt) -> tuple[Int, Int, Int]:
    """Return (place of the partner, user met, events) once per pair of the circle."""
    partner = seen.partner[seen.circle_place]
    met = _other(history, seen.circle_event, partner)
    key, events = np.unique(seen.circle_place * history.users + met, return_counts=True)
    return key // history.users, key % history.users, events.astype(np.int64)


def adamic_adar_weight(place: Int, partners: int) -> Float:
    """Return (P,) 1 / log(1 + users met) of each partner: Adamic and Adar 2003, with 1 added so that no log is 0."""
    return 1.0 / np.log(2.0 + np.bincount(place, minlength=partners))


def last_partners(history: History, questions: Questions, seen: Excerpt) -> tuple[Int, Int]:
    """Return (row, user): the LAST_PARTNERS users whom each question's user met last."""
    user = questions.user[seen.own_row]
    other = _other(history, seen.own_event, user)
    apart = other != user
    # The newest event of a pair comes first in the turned arrays.
    key, first = np.unique((seen.own_row * history.users + other)[apart][::-1], return_index=True)
    return _best(key, seen.own_event[apart][::-1][first], history.users, LAST_PARTNERS)


def _met_by_partners(history: History, questions: Questions, seen: Excerpt) -> tuple[Int, Int]:
    place, met, _ = circle_pairs(history, seen)
    weight = adamic_adar_weight(place, len(seen.partner))
    row = seen.partner_row[place]
    apart = met != questions.user[row]
    key, where = np.unique(row[apart] * history.users + met[apart], return_inverse=True)
    return _best(key, np.bincount(where, weight[place[apart]]), history.users, CIRCLE_OTHERS)


def _people_of_item(history: History, seen: Excerpt) -> tuple[Int, Int]:
    row = np.concatenate([seen.item_row, seen.item_row])
    user = np.concatenate([history.sender[seen.item_event], history.recipient[seen.item_event]])
    event = np.concatenate([seen.item_event, seen.item_event])
    key, where = np.unique(row * history.users + user, return_inverse=True)
    last = np.full(len(key), -1, dtype=np.int64)
    np.maximum.at(last, where, event)
    return _best(key, last, history.users, ITEM_PEOPLE)


def _best(key: Int, score: Float | Int, users: int, limit: int) -> tuple[Int, Int]:
    """Return (row, user) of the `limit` keys of each row with the highest score, ties by the lower user."""
    row = key // users
    order = np.lexsort((key, -score, row))
    start = np.searchsorted(row[order], row[order])
    kept = order[np.arange(len(order)) - start < limit]
    return row[kept], key[kept] % users


def _other(history: History, event: Int, user: Int) -> Int:
    return np.where(history.sender[event] == user, history.recipient[event], history.sender[event])
