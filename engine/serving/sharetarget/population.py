"""What an excerpt cannot tell: how often everybody receives and sends, and vectors of who shares with whom.

Counted once, when the ranker is trained, and kept with it as arrays. A user that came later has zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ArtifactError
from engine.serving.sharetarget.history import Float, Int

Floats = NDArray[np.float32]
COUNTS = ("received", "received_lately", "senders", "sent", "sent_lately", "met_lately", "welcomed_lately")
"""Columns of `Population.counts`: shares received, those of the last days fading, distinct senders, shares sent; and,
fading, shares from somebody for the first time, and those of them whose sender was new to the network."""
STRANGERS = 20
"""Most active receivers, and users near in the vectors, that are candidates of every question."""
ALIKE = 20
"""Users who receive from the same people."""


@dataclass(frozen=True, slots=True)
class Population:
    """Figures of U users."""

    counts: Floats
    """(U, len(COUNTS)) >= 0."""
    sends: Floats
    """(U, D) vector as a sender."""
    receives: Floats
    """(U, D) vector as a recipient; the dot product with `sends` says who would share with whom."""
    nearest: Int
    """(U, <= STRANGERS) users whose `receives` is nearest to the row's `sends`, -1 where there are fewer."""
    alike: Int
    """(U, <= ALIKE) users whose `receives` points where the row's points, nearest first, -1 where there are fewer."""
    active: Int
    """(<= 3 * STRANGERS,) users who receive most lately, from whomever, from people new to them, from newcomers."""

    def take(self, rows: Int) -> Population:
        """Return the figures of other users: row r of this population, or nobody where r is -1."""
        known = rows >= 0
        place = np.full(len(self.counts) + 1, -1, dtype=np.int64)
        place[rows[known]] = np.flatnonzero(known)
        active = place[self.active]

        def listed(table: Int) -> Int:
            return place[np.where(known[:, None], table[np.maximum(rows, 0)], -1)]

        def taken(table: Floats) -> Floats:
            return np.where(known[:, None], table[np.maximum(rows, 0)], np.float32(0.0))

        return Population(
            taken(self.counts),
            taken(self.sends),
            taken(self.receives),
            listed(self.nearest),
            listed(self.alike),
            active[active >= 0],
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], users: int) -> Population:
        """Return the population of `users` users out of arrays by name.

        Raises:
            ArtifactError: an array is missing, has other rows, or names a user who is not there.
        """
        try:
            counts, sends, receives = (arrays[name] for name in ("counts", "sends", "receives"))
            nearest, alike, active = (arrays[name].astype(np.int64) for name in ("nearest", "alike", "active"))
        except KeyError as error:
            raise ArtifactError(f"the share-target model lacks the array {error}") from None
        tables = (counts, sends, receives, nearest, alike)
        if any(table.ndim != 2 or len(table) != users for table in tables) or counts.shape[1] != len(COUNTS):
            raise ArtifactError(f"the share-target model's population is not one of {users} users")
        if max(listed.max(initial=-1) for listed in (nearest, alike, active)) >= users or active.min(initial=0) < 0:
            raise ArtifactError("the share-target model's population names a user who is not there")
        return cls(counts, sends, receives, nearest, alike, active)

    def near(self, user: Int) -> tuple[Int, Int]:
        """Return (row, user): for each of Q users those listed as nearest."""
        return _listed(self.nearest[user])

    def like(self, user: Int) -> tuple[Int, Int]:
        """Return (row, user): for each of Q users those listed as alike."""
        return _listed(self.alike[user])

    def affinity(self, sender: Int, recipient: Int) -> Float:
        """Return (P,) dot products of pairs."""
        return np.einsum("pd,pd->p", self.sends[sender], self.receives[recipient]).astype(np.float64)


def _listed(listed: Int) -> tuple[Int, Int]:
    row, rank = np.nonzero(listed >= 0)
    return row.astype(np.int64), listed[row, rank]


def nobody(users: int) -> Population:
    """Return a population of which nothing is known."""
    empty = np.zeros((users, 1), dtype=np.float32)
    return Population(
        np.zeros((users, len(COUNTS)), dtype=np.float32),
        empty,
        empty,
        np.zeros((users, 0), np.int64),
        np.zeros((users, 0), np.int64),
        np.zeros(0, np.int64),
    )
