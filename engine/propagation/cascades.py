"""Cascades as flat arrays: when each event came, and whose it was; from lists, or from a public `cascades.txt`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError

MAX_EVENTS = 20_000_000
"""Events of all cascades together; a file with more is refused before memory is."""
MAX_LINKS = 20_000_000
"""Links of a file, likewise."""
SHORTEST, LONGEST = 2, 500
"""Users of a cascade that public protocols keep."""
_LARGEST_USER = 2**62
_LATEST_S = 1e11
"""Times are seconds of this millennium or small offsets; anything larger is another unit."""


@dataclass(frozen=True, slots=True)
class Cascades:
    """N cascades of E events."""

    start_s: NDArray[np.float64]
    """(N,) time of the first event, in seconds since any one origin."""
    indptr: NDArray[np.int64]
    """(N + 1,) bounds of each cascade's events; every cascade has at least one."""
    seconds: NDArray[np.float64]
    """(E,) seconds since the cascade's own start, ascending inside a cascade, its first 0."""
    user: NDArray[np.int64] | None = None
    """(E,) whose event it is, as any whole number; None where it is not known."""

    def __len__(self) -> int:
        return len(self.start_s)

    @property
    def cascade_of(self) -> NDArray[np.int64]:
        """(E,) the cascade of each event."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    @property
    def end_s(self) -> float:
        """Time of the last event of all; -inf without any."""
        return float((self.start_s[self.cascade_of] + self.seconds).max(initial=-np.inf))

    def seen_by(self, age_s: float) -> NDArray[np.int64]:
        """Return the number of events that each cascade has at this age, (N,)."""
        return np.bincount(self.cascade_of, self.seconds <= age_s, len(self)).astype(np.int64)

    def events_of(self, rows: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the places of the chosen cascades' events, in the order chosen."""
        counts = np.diff(self.indptr)[rows]
        first = np.cumsum(counts) - counts
        return np.repeat(self.indptr[rows] - first, counts) + np.arange(counts.sum())

    def take(self, rows: NDArray[np.integer]) -> Cascades:
        """Return the chosen cascades, in the order chosen."""
        place = self.events_of(rows)
        indptr = np.concatenate([[0], np.cumsum(np.diff(self.indptr)[rows])]).astype(np.int64)
        return Cascades(
            self.start_s[rows], indptr, self.seconds[place], None if self.user is None else self.user[place]
        )

    def before(self, age_s: float) -> Cascades:
        """Return the cascades with the events up to this age."""
        kept = self.seconds <= age_s
        indptr = np.concatenate([[0], np.cumsum(kept)])[self.indptr]
        return Cascades(self.start_s, indptr, self.seconds[kept], None if self.user is None else self.user[kept])


def cascades_of(times: Sequence[NDArray[np.floating]], users: Sequence[NDArray[np.integer]] | None = None) -> Cascades:
    """Gather cascades from one array of event times each.

    Args:
        times: of each cascade, (k,) seconds since one origin, finite and ascending, k >= 1.
        users: of each cascade, (k,) whose event it is.

    Raises:
        DataError: a cascade without events, times that are not finite or go back, lengths that differ, too many events.
    """
    counts = np.array([len(time) for time in times], np.int64)
    if len(counts) and (counts < 1).any():
        raise DataError(f"cascade {int(np.argmin(counts))} has no event")
    if counts.sum() > MAX_EVENTS:
        raise DataError(f"more than {MAX_EVENTS:,} events")
    if users is not None and [len(user) for user in users] != counts.tolist():
        raise DataError("every event of a cascade needs a user, or none does")
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    time = np.concatenate([np.zeros(0), *times]).astype(np.float64)
    start = time[indptr[:-1]]
    seconds = time - np.repeat(start, counts)
    wrong = ~np.isfinite(seconds)
    wrong[1:] |= np.diff(seconds) < 0
    wrong[indptr[:-1]] = ~np.isfinite(start)  # a cascade may begin before the one listed above it
    if wrong.any():
        raise DataError(
            f"cascade {int(np.searchsorted(indptr, np.argmax(wrong), 'right')) - 1}: times are not finite or go back"
        )
    owner = None if users is None else np.concatenate([np.zeros(0, np.int64), *users]).astype(np.int64)
    return Cascades(start, indptr, seconds, owner)


def from_folder(folder: Path) -> Cascades:
    """Read `cascades.txt`: a cascade a line, `ROOT USER SECONDS,USER SECONDS,…` or `USER SECONDS,…`.

    In the first form root and first user act at the same second. A file that was cut in the middle of its last event
    (no line end, and the event is no pair) loses that event alone, as public files have it.

    Raises:
        DataError: the file is missing or malformed; the message names file, line and reason.
    """
    path = Path(folder) / "cascades.txt"
    times: list[NDArray[np.float64]] = []
    users: list[NDArray[np.int64]] = []
    events = 0
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    user, time = _events(line)
                except ValueError as error:
                    raise DataError(f"{path}: line {number}: {error}") from None
                events += len(time)
                if events > MAX_EVENTS:
                    raise DataError(f"{path}: line {number}: more than {MAX_EVENTS:,} events")
                times.append(time)
                users.append(user)
    except FileNotFoundError:
        raise DataError(f"{path}: line 1: there is no such file") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: line {len(times) + 1}: is not text in UTF-8") from None
    if not times:
        raise DataError(f"{path}: line 1: holds no cascade")
    return cascades_of(times, users)


def of_distinct_users(cascades: Cascades) -> Cascades:
    """Return the cascades of SHORTEST to LONGEST users by their start; of a user's events in one the first counts.

    Public protocols count so; cascades of equal starts stay as they were listed.

    Raises:
        DataError: the cascades have no users.
    """
    if cascades.user is None:
        raise DataError("the users of the events are needed")
    order = np.lexsort((np.arange(len(cascades.user)), cascades.user, cascades.cascade_of))
    again = np.zeros(len(cascades.user), np.bool_)
    again[order[1:]] = (np.diff(cascades.user[order]) == 0) & (np.diff(cascades.cascade_of[order]) == 0)
    indptr = np.concatenate([[0], np.cumsum(~again)])[cascades.indptr]
    once = Cascades(cascades.start_s, indptr, cascades.seconds[~again], cascades.user[~again])
    size = np.diff(indptr)
    rows = np.flatnonzero((size >= SHORTEST) & (size <= LONGEST))
    return once.take(rows[np.argsort(once.start_s[rows], kind="stable")])


def links_from_folder(folder: Path) -> NDArray[np.int64]:
    """Read `edges.txt`, a link `USER,USER` a line, and return its links (L, 2) as they stand there.

    Raises:
        DataError: the file is missing or malformed; the message names file, line and reason.
    """
    path = Path(folder) / "edges.txt"
    ends: list[tuple[int, int]] = []
    number = 0
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                if len(ends) >= MAX_LINKS:
                    raise DataError(f"{path}: line {number}: more than {MAX_LINKS:,} links")
                wrong = f"{path}: line {number}: {line.strip()[:40]!r} is not USER,USER"
                try:
                    source, target = map(int, line.split(","))
                except ValueError:
                    raise DataError(wrong) from None
                if max(abs(source), abs(target)) >= _LARGEST_USER:
                    raise DataError(f"{wrong}: a user is too large a number")
                ends.append((source, target))
    except FileNotFoundError:
        raise DataError(f"{path}: line 1: there is no such file") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: line {number + 1}: is not text in UTF-8") from None
    return np.array(ends, np.int64).reshape(-1, 2)


def _events(line: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return (users, seconds) of one line.

    Raises:
        ValueError: says what is wrong.
    """
    pairs = [event.split() for event in line.strip().removesuffix(",").split(",")]
    if not line.endswith("\n") and len(pairs) > 1 and len(pairs[-1]) < 2:
        pairs.pop()
    if len(pairs[0]) == 3:
        root, user, seconds = pairs[0]
        pairs[:1] = [[root, seconds], [user, seconds]]
    wrong = next((pair for pair in pairs if len(pair) != 2), None)
    if wrong is not None:
        raise ValueError(f"{' '.join(wrong)[:40]!r} is not USER SECONDS")
    try:
        user = np.array([int(pair[0]) for pair in pairs], np.int64)
        time = np.array([float(pair[1]) for pair in pairs])
    except (ValueError, OverflowError):
        raise ValueError("a user or a time is not a number") from None
    if not (np.abs(time) < _LATEST_S).all():
        raise ValueError("a time is not finite or not in seconds")
    if (np.diff(time) < 0).any():
        raise ValueError("times go back")
    return user, time
