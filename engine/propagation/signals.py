"""What a cascade's first events say about its next ones, as one row of numbers.

Counts and rates by part of the window, the time since the last events, the gaps: temporal features as in Cheng et al.,
Can cascades be predicted? (WWW 2014), section 4. Beside them what is known around the cascade: the records of those
who took part (`record.py`), and how busy the whole stream is.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from engine.propagation.cascades import Cascades

NAMES = (
    "events",
    "in_last_2_thirds",
    "in_last_half",
    "in_last_quarter",
    "in_last_8th",
    "in_last_16th",
    "in_first_60th",
    "in_first_12th",
    "in_first_quarter",
    "since_last",
    "since_2nd_last",
    "since_3rd_last",
    "since_5th_last",
    "gap_mean",
    "gap_deviation",
    "gap_median",
    "gap_longest",
    "gap_shortest",
    "gaps_of_machines",
    "time_of_half",
    "time_of_5th",
    "mean_time",
    "time_of_9_tenths",
    "pauses_minute",
    "pauses_5_minutes",
    "record_mean",
    "record_known",
    "busy",
)
"""Columns; counts and times as base-2 logarithms, shares as they are; nan where not known, in the last three only."""
BUSY_S = 3_600.0
"""How far back the stream's events are counted."""
MACHINE_GAP_S = 2.0
"""Two events within it look like a machine's."""
_EASE_S = 30.0
"""Added to the time since an event before its logarithm: seconds more or less do not matter there."""
_LAST_PARTS = np.array([1.5, 2.0, 4.0, 8.0, 16.0])
_FIRST_PARTS = np.array([60.0, 12.0, 4.0])
_LAST_EVENTS = np.array([1, 2, 3, 5])


def signals(
    cascades: Cascades,
    age_s: float,
    record: NDArray[np.float64] | None = None,
    busy: NDArray[np.number] | None = None,
) -> NDArray[np.float64]:
    """Return a row per cascade, (N, len(NAMES)), of its events up to an age.

    Args:
        cascades: later events than the age are not looked at.
        age_s: seconds since each cascade's start, > 0.
        record: (E,) of each event's user, log2(1 + events that followed), nan where there is none; None: not known.
        busy: (N,) events of all cascades within BUSY_S before each cascade had that age; None: not known.
    """
    seen = cascades.before(age_s)
    rows = np.full((len(cascades), len(NAMES)), np.nan)
    _all_rows(seen.indptr, seen.seconds, float(age_s), rows)
    if record is not None:
        rows[:, -3:-1] = _records(seen, record[cascades.seconds <= age_s])
    if busy is not None:
        rows[:, -1] = np.log2(1.0 + busy)
    return rows


def busy_at(stream_s: NDArray[np.float64], now_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many events of all cascades came within BUSY_S up to each time, (N,).

    Args:
        stream_s: (E,) times of all events, ascending.
        now_s: (N,) times on the same clock.
    """
    return np.searchsorted(stream_s, now_s, "right") - np.searchsorted(stream_s, now_s - BUSY_S, "right")


def _records(seen: Cascades, record: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (mean of the known records, share of events with one) of each cascade, (N, 2)."""
    cascade, is_known = seen.cascade_of, ~np.isnan(record)
    known = np.bincount(cascade, is_known, len(seen))
    total = np.bincount(cascade, np.where(is_known, record, 0.0), len(seen))
    mean = np.divide(total, known, out=np.full(len(seen), np.nan), where=known > 0)
    return np.stack([mean, known / np.diff(seen.indptr)], axis=1)


@numba.njit(cache=True, nogil=True)
def _all_rows(indptr: NDArray[np.int64], seconds: NDArray[np.float64], age_s: float, rows: NDArray[np.float64]) -> None:
    for c in range(len(rows)):
        s = seconds[indptr[c] : indptr[c + 1]]
        _gaps(s, rows[c], _when(s, age_s, rows[c]))


@numba.njit(cache=True, nogil=True)
def _when(s: NDArray[np.float64], age_s: float, row: NDArray[np.float64]) -> int:
    """Write the counts by part of the window and the times since the last events; return the next free place."""
    k = len(s)
    row[0] = np.log2(1.0 + k)
    place = 1
    for part in _LAST_PARTS:
        row[place] = np.log2(1.0 + k - np.searchsorted(s, age_s - age_s / part, "right"))
        place += 1
    for part in _FIRST_PARTS:
        row[place] = np.log2(1.0 + np.searchsorted(s, age_s / part, "right"))
        place += 1
    for last in _LAST_EVENTS:
        row[place] = np.log2(_EASE_S + age_s - s[max(k - last, 0)])
        place += 1
    return place


@numba.njit(cache=True, nogil=True)
def _gaps(s: NDArray[np.float64], row: NDArray[np.float64], place: int) -> None:
    """Write what the gaps and the times of the events say."""
    k = len(s)
    gap = np.diff(s) if k > 1 else np.zeros(1)
    log = np.log2(1.0 + gap)
    row[place] = log.mean()
    row[place + 1] = log.std()
    row[place + 2] = np.log2(1.0 + np.median(gap))
    row[place + 3] = log.max()
    row[place + 4] = log.min()
    row[place + 5] = (gap <= MACHINE_GAP_S).mean()
    row[place + 6] = np.log2(1.0 + s[k // 2])
    row[place + 7] = np.log2(1.0 + s[min(4, k - 1)])
    row[place + 8] = np.log2(1.0 + s.mean())
    row[place + 9] = np.log2(1.0 + s[int(0.9 * (k - 1))])
    row[place + 10] = np.log2(1.0 + (gap > 60.0).sum())
    row[place + 11] = np.log2(1.0 + (gap > 300.0).sum())
