"""The rows of excerpts seen from their candidates: who did what, how long ago, and which candidate it speaks of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.serving.sharetarget.candidates import Known, Pairs, candidates
from engine.serving.sharetarget.history import Excerpt, Float, History, Int, Questions, excerpt
from engine.serving.sharetarget.population import Population
from engine.serving.sharetarget.ties import Ties

HOUR_S, DAY_S = 3_600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Rows:
    """Events of one part of the excerpts; R rows."""

    row: Int
    """(R,) question."""
    event: Int
    """(R,)"""
    sent: np.ndarray
    """(R,) bool: the user whose events these are was the sender."""
    other: Int
    """(R,) user at the other end."""
    age_s: Float
    """(R,) before the question's time, >= 1."""
    place: Int
    """(R,) candidate that is at the other end, C for none."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What u sent of other items than the question's; a share is all of one item: L arrivals in S shares."""

    at: Int
    """(L,) row of u's own events; the oldest first inside a question."""
    share: Int
    """(L,)"""
    row: Int
    """(S,) question, ascending."""
    back: Int
    """(S,) number of the question's shares for which somebody came later; 0 is the newest share."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that signals are made of."""

    history: History
    questions: Questions
    seen: Excerpt
    pairs: Pairs
    population: Population
    ties: Ties
    own: Rows
    """Events of u."""
    here: Int
    """Rows of `own` that are arrivals for this very share."""
    earlier: Shares
    circle: Rows
    """Events of the partners; `place` is the candidate whom the partner met."""
    partner_place: Int
    """(R of circle,) candidate that is the partner."""

    def total(self, place: Int, weight: Float | None = None) -> Float:
        """Return (C,) summed weights (or counts) of rows by candidate; place C is dropped."""
        counts = np.bincount(place, weight, minlength=len(self.pairs) + 1)
        return counts[: len(self.pairs)].astype(np.float64)

    def by_question(self, row: Int, weight: Float | None = None) -> Float:
        """Return (Q,) summed weights (or counts) of rows by question."""
        return np.bincount(row, weight, minlength=len(self.questions)).astype(np.float64)

    def youngest(self, place: Int, age_s: Float) -> Float:
        """Return (C,) the least age of rows by candidate, inf where there is none."""
        age = np.full(len(self.pairs) + 1, np.inf)
        np.minimum.at(age, place, age_s)
        return age[: len(self.pairs)]

    def distinct(self, place: Int, what: Int, bound: int) -> Float:
        """Return (C,) number of distinct values `what` in [0, bound) by candidate."""
        return self.total(np.unique(place * bound + what) // bound)


def look_at(known: Known, questions: Questions) -> Evidence:
    """Return candidates and evidence of the questions."""
    history = known.history
    seen = excerpt(history, questions)
    pairs = candidates(known, questions, seen)

    def rows(row: Int, event: Int, user: Int) -> Rows:
        sent = history.sender[event] == user
        other = np.where(sent, history.recipient[event], history.sender[event])
        age = np.maximum(questions.time_s[row] - history.time_s[event], 1).astype(np.float64)
        return Rows(row, event, sent, other, age, pairs.place(row, other))

    own = rows(seen.own_row, seen.own_event, questions.user[seen.own_row])
    row, partner = seen.partner_row[seen.circle_place], seen.partner[seen.circle_place]
    circle = rows(row, seen.circle_event, partner)
    partner_place = pairs.place(seen.partner_row, seen.partner)[seen.circle_place]
    is_here = history.item[own.event] == questions.item[own.row]
    here, others = np.flatnonzero(own.sent & is_here), np.flatnonzero(own.sent & ~is_here)
    earlier = _shares(own, others, history)
    return Evidence(
        history, questions, seen, pairs, known.population, known.ties, own, here, earlier, circle, partner_place
    )


def _shares(own: Rows, at: Int, history: History) -> Shares:
    """Return what is sent in these rows by item, and how far back each lies."""
    event = own.event[at]
    key, share = np.unique(own.row[at] * history.items + history.item[event], return_inverse=True)
    row = key // history.items
    newest = np.full(len(key), -1, dtype=np.int64)
    np.maximum.at(newest, share, event)
    back = np.empty(len(key), dtype=np.int64)
    back[np.lexsort((-newest, row))] = np.arange(len(key)) - np.searchsorted(row, row)
    return Shares(at, share, row, back)


def fresh(age_s: Float, half_life_s: float) -> Float:
    """Return what is left of each row: 1 now, half after `half_life_s`."""
    return np.exp2(-age_s / half_life_s)


def ratio(part: Float, whole: Float) -> Float:
    """Return part / whole, 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole > 0)


def nearness(age_s: Float) -> Float:
    """Return 1 / (1 + log2(1 + age in minutes)) in [0, 1]; 0 where there is no age."""
    finite = np.isfinite(age_s)
    return np.where(finite, 1.0 / (1.0 + np.log2(1.0 + np.where(finite, age_s, 0.0) / 60.0)), 0.0)


def place_in_line(row: Int, value: Float) -> Float:
    """Return (C,) 1 / rank among the candidates of a question by falling value; 0 where the value is 0."""
    order = np.lexsort((-value, row))
    start = np.searchsorted(row, row)
    ranked = np.empty(len(row))
    ranked[order] = 1.0 + np.arange(len(row)) - start[order]
    # Equal values share the first rank among them.
    tied = np.zeros(len(row), dtype=bool)
    tied[1:] = (row[order][1:] == row[order][:-1]) & (value[order][1:] == value[order][:-1])
    first = np.maximum.accumulate(np.where(tied, 0, np.arange(len(row))))
    ranked[order] = ranked[order][first]
    return np.where(value > 0, ratio(np.ones(len(row)), ranked), 0.0)
