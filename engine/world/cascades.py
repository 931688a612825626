"""Shares and reshares of a generated world: independent cascades along friendships with the true probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.world.behaviour import Clock, Visits
from engine.world.people import Crowd

ROOTS_PER_EVENT = 0.03
SENT_ANYWAY = 0.25
"""Chance that a share is sent to a friend who will not reshare it."""
OPENED_ANYWAY = 0.3
"""Chance that such a friend opens it."""
MEDIAN_DELAY_S = 7_200
MAX_DEPTH = 60


@dataclass(frozen=True, slots=True)
class SharedItems:
    """Shares in rows (parents before children), whom they were sent to, who opened them."""

    share: Visits
    """(S,) who shared what and when."""
    parent: NDArray[np.int64]
    """(S,) row of the share that caused this one, -1 for a root."""
    send: NDArray[np.int64]
    """(R, 2) share row, recipient."""
    open: NDArray[np.int64]
    """(O, 2) share row, user."""
    open_at_s: NDArray[np.int64]
    """(O,)"""

    @property
    def events(self) -> int:
        """Shares and opens together."""
        return len(self.parent) + len(self.open)

    @property
    def seen(self) -> Visits:
        """(O,) what the openers looked at."""
        return Visits(self.open[:, 1], self.share.item[self.open[:, 0]], self.open_at_s)


@dataclass(frozen=True, slots=True)
class _Level:
    """Shares of one depth."""

    user: NDArray[np.int64]
    at_s: NDArray[np.int64]
    root: NDArray[np.int64]
    parent: NDArray[np.int64]


def simulate(crowd: Crowd, roots: Visits, clock: Clock, max_events: int, rng: np.random.Generator) -> SharedItems:
    """Return the cascades that start from `roots`; whole cascades are left out beyond `max_events`.

    A user shares an item of one cascade once; each share gives every friend v one chance, P(u->v), to reshare; what
    would happen after the clock's end does not happen. Who reshares has been sent the share and opened it.
    """
    users = len(crowd.activity)
    start = np.searchsorted(crowd.probabilities.source, np.arange(users + 1))
    count = len(roots.user)
    level = _Level(roots.user, roots.at_s, np.arange(count), np.full(count, -1))
    active = np.unique(level.root * users + level.user)
    levels, sends, opens, opens_at = [level], [], [], []
    done = 0
    for _ in range(MAX_DEPTH):
        sharer, friend, acts, at_s = _reach(crowd, start, level, clock, rng)
        sent = acts | (rng.random(len(acts)) < SENT_ANYWAY)
        opened = acts | (sent & (rng.random(len(acts)) < OPENED_ANYWAY) & (at_s <= clock.end_s))
        sends.append(np.stack([done + sharer[sent], friend[sent]], axis=1))
        opens.append(np.stack([done + sharer[opened], friend[opened]], axis=1))
        opens_at.append(at_s[opened] - 1)
        chosen, active = _newly_active(level.root[sharer] * users + friend, acts, at_s, active)
        if not len(chosen):
            break
        parent = done + sharer[chosen]
        done += len(level.user)
        level = _Level(friend[chosen], at_s[chosen], level.root[sharer[chosen]], parent)
        levels.append(level)
    return _collect(
        roots, levels, np.concatenate(sends), np.concatenate(opens), np.concatenate(opens_at), max_events=max_events
    )


def _reach(
    crowd: Crowd, start: NDArray[np.int64], level: _Level, clock: Clock, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return per (share of the level, friend): position of the share, friend, whether they act, when."""
    degree = start[level.user + 1] - start[level.user]
    sharer = np.repeat(np.arange(len(degree)), degree)
    offset = np.arange(len(sharer)) - np.repeat(np.cumsum(degree) - degree, degree)
    edge = start[level.user][sharer] + offset
    at_s = level.at_s[sharer] + 2 + (MEDIAN_DELAY_S * rng.lognormal(0.0, 1.0, len(edge))).astype(np.int64)
    acts = (rng.random(len(edge)) < crowd.probabilities.probability[edge]) & (at_s <= clock.end_s)
    return sharer, crowd.probabilities.target[edge].astype(np.int64), acts, at_s


def _newly_active(
    key: NDArray[np.int64], acts: NDArray[np.bool_], at_s: NDArray[np.int64], active: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (positions of the first act of each newly active user of a cascade, all active keys)."""
    chosen = np.flatnonzero(acts)
    chosen = chosen[np.lexsort((at_s[chosen], key[chosen]))]
    _, first = np.unique(key[chosen], return_index=True)
    chosen = chosen[first]
    chosen = chosen[~np.isin(key[chosen], active, assume_unique=True)]
    return chosen, np.union1d(active, key[chosen])


def _collect(
    roots: Visits,
    levels: list[_Level],
    send: NDArray[np.int64],
    opened: NDArray[np.int64],
    open_at_s: NDArray[np.int64],
    *,
    max_events: int,
) -> SharedItems:
    root = np.concatenate([level.root for level in levels])
    per_root = np.bincount(root, minlength=len(roots.user)) + np.bincount(root[opened[:, 0]], minlength=len(roots.user))
    kept_root = np.cumsum(per_root) <= max_events
    kept = kept_root[root]
    row = np.cumsum(kept) - 1
    parent = np.concatenate([level.parent for level in levels])[kept]
    send, open_kept = send[kept[send[:, 0]]], kept[opened[:, 0]]
    opened = opened[open_kept]
    return SharedItems(
        share=Visits(
            np.concatenate([level.user for level in levels])[kept],
            roots.item[root[kept]],
            np.concatenate([level.at_s for level in levels])[kept],
        ),
        parent=np.where(parent >= 0, row[parent], -1),
        send=np.stack([row[send[:, 0]], send[:, 1]], axis=1),
        open=np.stack([row[opened[:, 0]], opened[:, 1]], axis=1),
        open_at_s=open_at_s[open_kept],
    )
