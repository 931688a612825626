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
COUNTS = ("received", "received_lately", "senders", "sent", "sent_lately")
"""Columns of `Population.counts`: shares received, those of the last days fading, distinct senders, shares sent."""
STRANGERS = 20
"""Most active receivers, and users near in the vectors, that are candidates of every question."""


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
    active: Int
    """(<= 200,) users who receive most lately, most first."""

    def take(self, rows: Int) -> Population:
        """Return the figures of other users: row r of this population, or nobody where r is -1."""
        known = rows >= 0
        place = np.full(len(self.counts) + 1, -1, dtype=np.int64)
        place[rows[known]] = np.flatnonzero(known)
        active = place[self.active]
        nearest = place[np.where(known[:, None], self.nearest[np.maximum(rows, 0)], -1)]

        def taken(table: Floats) -> Floats:
            return np.where(known[:, None], table[np.maximum(rows, 0)], np.float32(0.0))

        return Population(taken(self.counts), taken(self.sends), taken(self.receives), nearest, active[active >= 0])

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], users: int) -> Population:
        """Return the population of `users` users out of arrays by name.

        Raises:
            ArtifactError: an array is missing, has other rows, or names a user who is not there.
        """
        try:
            counts, sends, receives = (arrays[name] for name in ("counts", "sends", "receives"))
            nearest, active = (arrays[name].astype(np.int64) for name in ("nearest", "active"))
        except KeyError as error:
            raise ArtifactError(f"the share-target model lacks the array {error}") from None
        tables = (counts, sends, receives, nearest)
        if any(table.ndim != 2 or len(table) != users for table in tables) or counts.shape[1] != len(COUNTS):
            raise ArtifactError(f"the share-target model's population is not one of {users} users")
        if max(nearest.max(initial=-1), active.max(initial=-1)) >= users or active.min(initial=0) < 0:
            raise ArtifactError("the share-target model's population names a user who is not there")
        return cls(counts, sends, receives, nearest, active)

    def near(self, user: Int) -> tuple[Int, Int]:
        """Return (row, user): for each of Q users those listed as nearest."""
        listed = self.nearest[user]
        row, rank = np.nonzero(listed >= 0)
        return row.astype(np.int64), listed[row, rank]

    def affinity(self, sender: Int, recipient: Int) -> Float:
        """Return (P,) dot products of pairs."""
        return np.einsum("pd,pd->p", self.sends[sender], self.receives[recipient]).astype(np.float64)


def nobody(users: int) -> Population:
    """Return a population of which nothing is known."""
    empty = np.zeros((users, 1), dtype=np.float32)
    return Population(
        np.zeros((users, len(COUNTS)), dtype=np.float32),
        empty,
        empty,
        np.zeros((users, 0), np.int64),
        np.zeros(0, np.int64),
    )
