"""Cascades as sequences of users, in the order of their starts, with the links between users where they are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.propagation.cascades import Cascades, from_folder

Int = NDArray[np.int64]
Float = NDArray[np.float64]

SHORTEST, LONGEST = 2, 500
"""Users of a cascade that is learned from or asked about."""
POSITIONS = 200
"""Users of a cascade, at most, that are asked about; published protocols cut it there, its end mark included."""
MAX_LINKS = 20_000_000
"""Links of a file; one with more is refused before memory is."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """N cascades of E events, every user at most once in each."""

    indptr: Int
    """(N + 1,) bounds of each cascade's events."""
    user: Int
    """(E,) whose event it is, [0, users)."""
    time_s: Float
    """(E,) seconds since any one origin, ascending inside a cascade."""
    users: int
    """Users that there are, those without an event included."""

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def part(self, start: int, end: int) -> Sequences:
        """Return the cascades of [start, end); their arrays hold nothing of the others."""
        events = slice(self.indptr[start], self.indptr[end])
        indptr = self.indptr[start : end + 1] - self.indptr[start]
        return Sequences(indptr, self.user[events].copy(), self.time_s[events].copy(), self.users)

    def take(self, rows: Int) -> Sequences:
        """Return the chosen cascades, in the order chosen."""
        counts = np.diff(self.indptr)[rows]
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        place = np.repeat(self.indptr[rows] - indptr[:-1], counts) + np.arange(indptr[-1])
        return Sequences(indptr, self.user[place], self.time_s[place], self.users)


@dataclass(frozen=True, slots=True)
class Links:
    """L directed links between users, each once."""

    source: Int
    """(L,) [0, users)."""
    target: Int
    """(L,) [0, users)."""


def no_links() -> Links:
    """Return no link at all."""
    return Links(np.zeros(0, np.int64), np.zeros(0, np.int64))


def read_folder(folder: Path) -> tuple[Sequences, Links, Int]:
    """Read `cascades.txt` and, where there is one, `edges.txt` (contracts.md, "cascades").

    Returns:
        The cascades of 2 to 500 users by their start (equal starts as in the file), the links, and the id of each user.

    Raises:
        DataError: a file is malformed or cascades.txt is missing; the message names file, line and reason.
    """
    cascades = from_folder(folder)
    pairs = _read_links(Path(folder) / "edges.txt")
    if cascades.user is None:
        raise DataError(f"{Path(folder) / 'cascades.txt'}: line 1: holds no users")
    ids = np.unique(np.concatenate([cascades.user, pairs.reshape(-1)]))
    found = sequences_of(cascades, np.searchsorted(ids, cascades.user), len(ids))
    pairs = np.unique(np.searchsorted(ids, pairs), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    return found, Links(pairs[:, 0].copy(), pairs[:, 1].copy()), ids


def sequences_of(cascades: Cascades, user: Int, users: int) -> Sequences:
    """Return the cascades of 2 to 500 users by their start; of a user's events in one cascade the first counts.

    Args:
        cascades: any.
        user: (E,) whose event it is, [0, users).
        users: how many there are.
    """
    of = cascades.cascade_of
    first = np.zeros(len(user), dtype=bool)
    first[np.unique(of * users + user, return_index=True)[1]] = True
    counts = np.bincount(of[first], minlength=len(cascades))
    bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    time_s = (cascades.start_s[of] + cascades.seconds)[first]
    whole = Sequences(bounds, user[first].astype(np.int64), time_s, users)
    kept = np.flatnonzero((counts >= SHORTEST) & (counts <= LONGEST))
    return whole.take(kept[np.argsort(cascades.start_s[kept], kind="stable")])


def _read_links(path: Path) -> Int:
    """Return (L, 2) the links of a file, none where there is no file."""
    pairs: list[tuple[int, int]] = []
    if not path.exists():
        return np.zeros((0, 2), np.int64)
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                if len(pairs) >= MAX_LINKS:
                    raise DataError(f"{path}: line {number}: more than {MAX_LINKS:,} links")
                try:
                    source, target = line.split(",")
                    pairs.append((int(source), int(target)))
                    np.int64(pairs[-1][0]), np.int64(pairs[-1][1])
                except (ValueError, OverflowError):
                    raise DataError(f"{path}: line {number}: {line.strip()[:40]!r} is not USER,USER") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: line {len(pairs) + 1}: is not text in UTF-8") from None
    return np.array(pairs, np.int64).reshape(-1, 2)
