"""What followed on a user's earlier events: some people's shares are passed on, others' are not.

The record of a user is the mean of log2(1 + f) over their earlier events, where f is the number of events that came in
the same cascade within a span after theirs. An event counts only when its span is over, so a record holds nothing that
was not known at the time it is asked for. It is the simplest of the user features that Cheng et al., Can cascades be
predicted? (WWW 2014), section 4, find useful beside the times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.propagation.cascades import Cascades

SPAN_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Records:
    """Records of U users at one time."""

    user: NDArray[np.int64]
    """(U,) ascending, each once."""
    mean: NDArray[np.float64]
    """(U,) log2(1 + events that followed), >= 0."""

    def of(self, users: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the record of each user, same shape, nan where there is none."""
        if not len(self.user):
            return np.full(len(users), np.nan)
        place = np.minimum(np.searchsorted(self.user, users), len(self.user) - 1)
        return np.where(self.user[place] == users, self.mean[place], np.nan)


def records_at(cascades: Cascades, now_s: float, span_s: float = SPAN_S) -> Records:
    """Return what is known of every user at a time.

    Args:
        cascades: past and running ones, with users.
        now_s: the time, on the cascades' clock; events whose span ends later count nothing.
        span_s: how long an event's followers are counted.

    Raises:
        DataError: the cascades have no users.
    """
    user, known_s, followed = _histories(cascades, span_s)
    kept = known_s <= now_s
    users, place, count = np.unique(user[kept], return_inverse=True, return_counts=True)
    return Records(users, np.bincount(place, followed[kept], len(users)) / np.maximum(count, 1))


def records_before(cascades: Cascades, span_s: float = SPAN_S) -> NDArray[np.float64]:
    """Return the record of every event's user as it was when the event's own cascade began, (E,), nan where none.

    Raises:
        DataError: the cascades have no users.
    """
    user, known_s, followed = _histories(cascades, span_s)
    asked_s = cascades.start_s[cascades.cascade_of]
    number = np.unique(user, return_inverse=True)[1].astype(np.int64)
    order = np.lexsort((known_s, number))
    totals = np.concatenate([[0.0], np.cumsum(followed[order])])
    first = np.searchsorted(number[order], number)
    # How many of the user's events were known: their place among the user's own, by one sort of both kinds together.
    both_user, both_s = np.concatenate([number, number]), np.concatenate([known_s, asked_s])
    is_question = np.repeat([False, True], len(number))
    mixed = np.lexsort((is_question, both_s, both_user))
    known = np.cumsum(~is_question[mixed])
    upto = np.empty(len(number), np.int64)
    asked = is_question[mixed]
    upto[mixed[asked] - len(number)] = known[asked]
    count = upto - first
    return np.divide(totals[upto] - totals[first], count, out=np.full(len(number), np.nan), where=count > 0)


def _histories(cascades: Cascades, span_s: float) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (user, time from which it is known, log2(1 + followers)) of each event, each (E,)."""
    if cascades.user is None:
        raise DataError("records need the users of the events")
    cascade = cascades.cascade_of
    # Cascades one after another on one axis, far enough apart that a span never reaches the next.
    stride = float(cascades.seconds.max(initial=0.0)) + span_s + 1.0
    place = cascade * stride + cascades.seconds
    followers = np.searchsorted(place, place + span_s, "right") - np.searchsorted(place, place, "right")
    return cascades.user, cascades.start_s[cascade] + cascades.seconds + span_s, np.log2(1.0 + followers)
