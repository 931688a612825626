"""Cascades as sequences of users, in the order of their starts, with the links between users where they are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.propagation.cascades import Cascades, from_folder, links_from_folder, of_distinct_users

Int = NDArray[np.int64]
Float = NDArray[np.float64]

POSITIONS = 200
"""Users of a cascade, at most, that are asked about; published protocols cut it there, its end mark included."""


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
    pairs = links_from_folder(folder) if (Path(folder) / "edges.txt").exists() else np.zeros((0, 2), np.int64)
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
    kept = of_distinct_users(Cascades(cascades.start_s, cascades.indptr, cascades.seconds, user))
    time_s = kept.start_s[kept.cascade_of] + kept.seconds
    return Sequences(kept.indptr, kept.user.astype(np.int64), time_s, users)
