"""The pairs that friend propagation is judged by: a sharer of a running cascade and a neighbour who is not yet in it.

Cascades of 2 to 500 users, sorted by their first event; of a user who comes twice the first event counts. At each place
of a cascade the pairs are the sharer's neighbours by links in either direction that have not come before and are in
some cascade of the file at all; a pair is positive if the neighbour comes later. The first 80 % of the cascades are
fitted on, the next 10 % choose, the rest is the test.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.propagation.cascades import (
    LONGEST,
    SHORTEST,
    Cascades,
    from_folder,
    links_from_folder,
    of_distinct_users,
)

Float = NDArray[np.float64]
Int = NDArray[np.int64]

MAX_PAIRS = 4_000_000
"""Pairs of one call; where there are more, places of cascades are drawn."""
LEAST = 10
"""Cascades of a folder: fewer leave a part without any."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Links of U users in compressed rows, each link in both rows: a tie is a place in these rows."""

    indptr: Int
    """(U + 1,)"""
    user: Int
    """(E,) the neighbour, ascending inside a row."""
    out: NDArray[np.bool_]
    """(E,) whether the link goes from the row's user to the neighbour."""
    into: NDArray[np.bool_]
    """(E,) whether it goes the other way; both are possible, one always holds."""

    @property
    def degree(self) -> Int:
        """(U,) number of neighbours."""
        return np.diff(self.indptr)

    @property
    def owner(self) -> Int:
        """(E,) the user in whose row each tie lies."""
        return np.repeat(np.arange(len(self.indptr) - 1), self.degree)


@dataclass(frozen=True, slots=True)
class Folder:
    """Cascades by start and the links of their users; users are renumbered from 0 in the order of their numbers."""

    cascades: Cascades
    neighbours: Neighbours

    @property
    def users(self) -> int:
        """Number of users U, those of links alone included."""
        return len(self.neighbours.indptr) - 1

    def parts(self) -> tuple[Int, Int, Int]:
        """Return the cascades that are fitted on, that choose, and of the test."""
        count = len(self.cascades)
        return tuple(np.split(np.arange(count), [int(0.8 * count), int(0.9 * count)]))  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Pairs:
    """P pairs, ordered by cascade, place and neighbour."""

    cascade: Int
    """(P,)"""
    place: Int
    """(P,) place of the sharer in the cascade, from 0."""
    tie: Int
    """(P,) place in the rows of the neighbours."""
    joins: NDArray[np.bool_]
    """(P,) whether the neighbour comes later."""

    def __len__(self) -> int:
        return len(self.tie)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Pairs:
        """Return the chosen pairs."""
        return Pairs(self.cascade[rows], self.place[rows], self.tie[rows], self.joins[rows])

    @property
    def question(self) -> Int:
        """(P,) number of the sharer's place among those that have pairs, from 0."""
        new = (np.diff(self.cascade, prepend=-1) != 0) | (np.diff(self.place, prepend=-1) != 0)
        return np.cumsum(new) - 1


def read_folder(folder: Path) -> Folder:
    """Read `cascades.txt` and `edges.txt` (contracts.md, "cascades").

    Raises:
        DataError: a file is missing or malformed, or holds too few cascades; the message names file, line and reason.
    """
    read = from_folder(folder)
    links = links_from_folder(folder)
    source, target = links[links[:, 0] != links[:, 1]].T
    if not len(source):
        raise DataError(f"{Path(folder) / 'edges.txt'}: line 1: holds no link between two users")
    cascades = of_distinct_users(read)
    if len(cascades) < LEAST:
        raise DataError(
            f"{Path(folder) / 'cascades.txt'}: line 1: {len(cascades)} cascades of {SHORTEST} to {LONGEST} users; "
            f"at least {LEAST} are needed"
        )
    ids = np.unique(np.concatenate([cascades.user, source, target]))
    dense = Cascades(cascades.start_s, cascades.indptr, cascades.seconds, np.searchsorted(ids, cascades.user))
    return Folder(dense, neighbours_of(np.searchsorted(ids, source), np.searchsorted(ids, target), len(ids)))


def neighbours_of(source: Int, target: Int, users: int) -> Neighbours:
    """Return the rows of links (E,) between users 0..users-1, no user with themselves; equal links count once."""
    key = np.unique(np.concatenate([source * users + target, target * users + source]))
    links = np.unique(source * users + target)
    owner, user = key // users, key % users
    indptr = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=users))]).astype(np.int64)
    return Neighbours(indptr, user, np.isin(key, links), np.isin(user * users + owner, links))


def pairs_of(folder: Folder, rows: Int, rng: np.random.Generator | None = None) -> Pairs:
    """Return the pairs of cascades (ascending); with `rng`, of places drawn so that about MAX_PAIRS remain.

    Raises:
        DataError: more than MAX_PAIRS without `rng`.
    """
    cascades, ties = folder.cascades, folder.neighbours
    asked = np.zeros(len(cascades.user), np.bool_)
    asked[cascades.events_of(rows)] = True
    most = int(ties.degree[cascades.user[asked]].sum())
    if most > MAX_PAIRS:
        if rng is None:
            raise DataError(f"up to {most:,} pairs to score; at most {MAX_PAIRS:,} are")
        asked &= rng.random(len(asked)) < MAX_PAIRS / most
    return Pairs(*_pairs((cascades.indptr, cascades.user), asked, (ties.indptr, ties.user), rows))


@numba.njit(cache=True)
def _pairs(
    running: tuple[Int, Int], asked: NDArray[np.bool_], ties: tuple[Int, Int], rows: Int
) -> tuple[Int, Int, Int, NDArray[np.bool_]]:
    """Return cascade, place, tie and outcome of the pairs of the events asked for."""
    indptr, user = running
    row_indptr, neighbour = ties
    most = 0
    for row in rows:
        for event in range(indptr[row], indptr[row + 1]):
            if asked[event]:
                most += row_indptr[user[event] + 1] - row_indptr[user[event]]
    cascade, place, tie = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    joins = np.empty(most, np.bool_)
    comes = np.full(len(row_indptr) - 1, -1)
    found = 0
    member = np.zeros(len(row_indptr) - 1, np.bool_)
    member[user] = True
    for row in rows:
        start, end = indptr[row], indptr[row + 1]
        for event in range(start, end):
            comes[user[event]] = event
        for event in range(start, end):
            if not asked[event]:
                continue
            for at in range(row_indptr[user[event]], row_indptr[user[event] + 1]):
                when = comes[neighbour[at]]
                if member[neighbour[at]] and (when < 0 or when > event):
                    cascade[found], place[found], tie[found] = row, event - start, at
                    joins[found] = when > event
                    found += 1
        for event in range(start, end):
            comes[user[event]] = -1
    return cascade[:found].copy(), place[:found].copy(), tie[:found].copy(), joins[:found].copy()
