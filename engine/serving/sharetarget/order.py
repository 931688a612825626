"""In which order people come for the shares of u, and who is next in this one.

Groups that follow one inviter answer share after share in much the same order and at much the same pace. A share here
is all that u sent of one item, as far as the excerpt holds it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.serving.sharetarget.evidence import DAY_S, Evidence, fresh, place_in_line, ratio
from engine.serving.sharetarget.history import Float, Int

Signals = dict[str, Float]
LAST = 10
"""Shares of u whose order is looked at."""


@dataclass(frozen=True, slots=True)
class Line:
    """Arrivals for the last shares of u, other than this one: L arrivals in S shares of Q questions."""

    row: Int
    """(L,) question."""
    place: Int
    """(L,) candidate who came, C for none."""
    share: Int
    """(L,) share, ascending; inside a share in the order of time."""
    offset_s: Float
    """(L,) after the first arrival for that share."""
    back: Int
    """(L,) number of shares since then; 0 is the newest share of the question."""
    came: np.ndarray
    """(L,) bool: came for this share, too."""
    age_s: Float
    """(L,) before the question."""
    shares_row: Int
    """(S,) question of each share; those before the last LAST have no arrivals here."""

    def of_share(self, weight: Float) -> Float:
        """Return (S,) summed weights of the arrivals of each share."""
        return np.bincount(self.share, weight, minlength=len(self.shares_row)).astype(np.float64)


def line(look: Evidence) -> Line:
    """Return the arrivals for the last shares of u."""
    own, history, shares = look.own, look.history, look.earlier
    came_key = np.unique(own.row[look.here] * history.users + own.other[look.here])
    kept = np.flatnonzero(shares.back[shares.share] < LAST)
    kept = kept[np.argsort(shares.share[kept], kind="stable")]  # rows of a question are oldest first
    rows, share = shares.at[kept], shares.share[kept]
    age = own.age_s[rows]
    start = np.zeros(len(shares.row))
    np.maximum.at(start, share, age)
    asked = own.row[rows] * history.users + own.other[rows]
    return Line(
        own.row[rows],
        own.place[rows],
        share,
        start[share] - age,
        shares.back[share],
        np.isin(asked, came_key),
        age,
        shares.row,
    )


def order(look: Evidence) -> Signals:
    """Who is next: how many of those who came before v for the last shares are still awaited in this one.

    Arrivals of a share that resembles this one (by those who came for both) weigh more. `next_*`: 1 / (1 + awaited
    ahead of v); `pace`: nearness of the time that went by in both shares until v's arrival and until now; `due`: part
    of the shares for which v came no sooner; `overtaken`: part of those who came for both who came after v then,
    v having been passed over; `awaited`: how many of the shares alike are still to come.
    """
    own, row = look.own, look.pairs.row
    seen = line(look)
    here = look.here
    arrived = look.by_question(own.row[here])
    since = np.zeros(len(look.questions))
    np.maximum.at(since, own.row[here], own.age_s[here])

    size, both = seen.of_share(np.ones(len(seen.row))), seen.of_share(seen.came.astype(np.float64))
    alike = ratio(both, np.sqrt(size) * np.sqrt(np.maximum(arrived, 1.0))[seen.shares_row])
    ahead, after = _awaited_ahead(seen), _came_after(seen, both)
    is_next = 1.0 / (1.0 + ahead)
    age = fresh(seen.age_s, 3 * DAY_S)
    weight = (alike[seen.share] + 0.05) * age
    count = np.bincount(seen.shares_row, minlength=len(arrived))
    whole = np.bincount(seen.shares_row, _one_each(seen, weight), minlength=len(arrived))[row]
    pace = np.exp(-np.abs(np.log1p(seen.offset_s) - np.log1p(since[seen.row])))
    by_v = look.total(seen.place, weight)
    last = seen.back == 0
    found: Signals = {
        "next_last": look.total(seen.place[last], is_next[last]),
        "next_all": ratio(look.total(seen.place, is_next), np.minimum(count, LAST)[row]),
        "next_alike": ratio(look.total(seen.place, weight * is_next), whole),
        "next_if": ratio(look.total(seen.place, weight * is_next), by_v),
        "pace": ratio(look.total(seen.place, weight * pace), by_v),
        "due": ratio(look.total(seen.place, weight * (seen.offset_s >= since[seen.row])), by_v),
        "overtaken": ratio(look.total(seen.place, weight * after), by_v),
        "there": ratio(by_v, whole),
    }
    has_come = look.total(own.place[here]) > 0
    found["next_rank"] = place_in_line(row, np.where(has_come, 0.0, found["next_alike"]))
    found["next_last_rank"] = place_in_line(row, np.where(has_come, 0.0, found["next_last"]))
    best = np.zeros(len(arrived))
    np.maximum.at(best, seen.shares_row, alike)
    found["alike_share"] = best[row]
    left = size - both
    awaited = np.bincount(seen.shares_row, left * alike, minlength=len(arrived))
    found["awaited"] = np.log1p(ratio(awaited, np.bincount(seen.shares_row, alike, minlength=len(arrived))))[row]
    found["since_first"] = np.log1p(since / 60.0)[row]
    return found


def _one_each(seen: Line, weight: Float) -> Float:
    """Return (S,) the mean weight of each share's arrivals."""
    return ratio(seen.of_share(weight), seen.of_share(np.ones(len(weight))))


def _awaited_ahead(seen: Line) -> Float:
    """Return (L,) those who came strictly earlier for the same share and have not come for this one."""
    absent = (~seen.came).astype(np.float64)
    before = np.cumsum(absent) - absent
    first = _first_of_second(seen)
    start = np.searchsorted(seen.share, seen.share)
    return before[first] - before[start] if len(before) else before


def _came_after(seen: Line, both: Float) -> Float:
    """Return (L,) part of those who came for both who came later than this arrival."""
    came = seen.came.astype(np.float64)
    upto = np.cumsum(came)
    start = np.searchsorted(seen.share, seen.share)
    here = upto - (upto[start] - came[start]) if len(upto) else upto
    return ratio(both[seen.share] - here, both[seen.share])


def _first_of_second(seen: Line) -> Int:
    """Return (L,) the first arrival of the same share in the same second."""
    starts = np.ones(len(seen.row), dtype=bool)
    starts[1:] = (seen.share[1:] != seen.share[:-1]) | (seen.offset_s[1:] != seen.offset_s[:-1])
    return np.maximum.accumulate(np.where(starts, np.arange(len(starts)), 0))
