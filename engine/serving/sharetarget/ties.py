"""Friendships around a question."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.serving.sharetarget.history import Float, Int


@dataclass(frozen=True)
class Ties:
    """Friendships of U users, each stored once."""

    one: Int
    """(F,) user index."""
    other: Int
    """(F,) user index."""
    strength: Float
    """(F,) > 0."""
    users: int
    total: Float
    """(U,) summed strength of all of a user's ties, also of those not listed here: D."""
    friends: Int
    """(U,) number of all of a user's friends: N."""

    @classmethod
    def of(
        cls,
        one: Int,
        other: Int,
        strength: Float,
        *,
        users: int,
        total: Float | None = None,
        friends: Int | None = None,
    ) -> Ties:
        """Return ties; totals that are not given are those of the ties listed."""
        one, other = np.asarray(one, np.int64), np.asarray(other, np.int64)
        ends, both = np.concatenate([one, other]), np.concatenate([strength, strength])
        return cls(
            one,
            other,
            np.asarray(strength, np.float64),
            users,
            np.bincount(ends, both, users) if total is None else total,
            np.bincount(ends, minlength=users) if friends is None else friends,
        )

    @cached_property
    def _directed(self) -> tuple[Int, Float]:
        key = np.concatenate([self.one * self.users + self.other, self.other * self.users + self.one])
        order = np.argsort(key, kind="stable")
        return key[order], np.concatenate([self.strength, self.strength])[order]

    def between(self, one: Int, other: Int) -> Float:
        """Return (P,) strength of each pair's tie, 0 where they are no friends."""
        keys, strength = self._directed
        if not len(keys):
            return np.zeros(len(one))
        asked = one * self.users + other
        place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
        return np.where(keys[place] == asked, strength[place], 0.0)

    def friends_of(self, user: Int, limit: int) -> tuple[Int, Int]:
        """Return (row, friend): for each of Q users their friends, the lowest `limit` indices of them."""
        keys, _ = self._directed
        start = np.searchsorted(keys, user * self.users)
        counts = np.minimum(np.searchsorted(keys, (user + 1) * self.users) - start, limit)
        row = np.repeat(np.arange(len(user), dtype=np.int64), counts)
        place = np.arange(len(row)) + np.repeat(start - (np.cumsum(counts) - counts), counts)
        return row, keys[place] % self.users


def no_ties(users: int) -> Ties:
    """Return ties of users who have none."""
    none = np.zeros(0, np.int64)
    return Ties.of(none, none, np.zeros(0), users=users)
