"""What is known at a moment of how well an item suits a user and of how readily its shares are acted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.propagation.outcomes import Act
from engine.propagation.pairlearning import group_factors
from engine.propagation.sharetarget.population import factors
from engine.types import EdgeProbabilities, GraphSnapshot

Float = NDArray[np.float64]
GROUPS = ("category", "kind")
"""Columns of items that name a group; each item is a group of its own beside them."""
MOST_GROUPS = 64
"""Of a column; the items of smaller ones have no group there."""
MOST_CHANNELS = 16
DIMENSIONS = 16
ACTS = 5.0
"""Acts that a user's leaning to a group is drawn by."""
SIGNALS = ("taste", *(f"{name}Taste" for name in GROUPS), *GROUPS, "item", "channel")


@dataclass(frozen=True, slots=True)
class Taste:
    """What is known of users, items and channels at a moment."""

    user: NDArray[np.float32]
    """(U, D) unit rows or zeros."""
    item: NDArray[np.float32]
    """(I, D) unit rows or zeros."""
    leaning: list[NDArray[np.float32]]
    """Of each column (U, MOST_GROUPS or fewer)."""
    group: list[NDArray[np.int64]]
    """Of each column (I,) a column of its `leaning`, -1 for none."""
    spread: Float
    """(I, G) log of the factors of each item's groups."""
    channel: Float
    """(C + 1,) log of the factors of the channels; the first is that of all others."""

    def signals(self, v: NDArray[np.int64], i: NDArray[np.int64], channel: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return SIGNALS of opportunities of v to act on i, shared in a channel, (R, F)."""
        near = np.einsum("rd,rd->r", self.user[v], self.item[i])
        leanings = [
            np.where(group[i] >= 0, leaning[v, group[i]], 0.0) if leaning.shape[1] else np.zeros(len(v))
            for leaning, group in zip(self.leaning, self.group, strict=True)
        ]
        return np.stack([near, *leanings, *self.spread[i].T, self.channel[channel]], axis=1).astype(np.float32)


def channel_names(snapshot: GraphSnapshot) -> list[str]:
    """Return the MOST_CHANNELS channels in which most was shared, the first one first."""
    names, shares = np.unique(_channels(snapshot), return_counts=True)
    order = np.argsort(-shares, kind="stable")
    return [str(names[at]) for at in order if names[at]][:MOST_CHANNELS]


def channel_codes(snapshot: GraphSnapshot, names: list[str]) -> NDArray[np.int64]:
    """Return 1 + the place of each share's channel among the names, (S,); 0 for none and for others."""
    known, code = np.unique(_channels(snapshot), return_inverse=True)
    place = {name: at for at, name in enumerate(names, start=1)}
    return np.array([place.get(str(name), 0) for name in known], np.int64)[code]


def _channels(snapshot: GraphSnapshot) -> NDArray[Any]:
    return snapshot.shares.columns.get("channel", np.full(len(snapshot.shares), "", object)).astype(str)


def taste_of(snapshot: GraphSnapshot, act: Act, edges: EdgeProbabilities, channels: list[str], seed: int) -> Taste:
    """Return what is known of a snapshot whose ties have these P(u->v)."""
    users, items = len(snapshot.users), len(snapshot.items)
    pair = np.unique(snapshot.interactions.source.astype(np.int64) * max(items, 1) + snapshot.interactions.target)
    owner, item = pair // max(items, 1), users + pair % max(items, 1)
    left, right = factors(owner, item, np.ones(len(pair)), users + items, dimensions=DIMENSIONS, seed=seed)
    group, leaning, spread = [], [], np.zeros((items, len(GROUPS) + 1))
    shared = snapshot.shares.target
    for at, name in enumerate(GROUPS):
        values = snapshot.items.columns.get(name, np.full(items, "", object)).astype(str)
        code, of_item = _largest(values, pair % max(items, 1))
        groups = int(code.max(initial=-1)) + 1
        spread[:, at] = np.log(group_factors(snapshot, act, edges, code[shared], groups)[0])[code]
        group.append(of_item)
        leaning.append(_leaning(owner, of_item[pair % max(items, 1)], users, int(of_item.max(initial=-1)) + 1))
    spread[:, -1] = np.log(group_factors(snapshot, act, edges, shared, items)[0])
    channel = group_factors(snapshot, act, edges, channel_codes(snapshot, channels), len(channels) + 1)[0]
    return Taste(_unit(left[:users]), _unit(right[users:]), leaning, group, spread, np.log(channel))


def _largest(values: NDArray[Any], acted: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the code of each item's value, (I,), and its place among the MOST_GROUPS most acted on, -1 for none."""
    names, code = np.unique(values, return_inverse=True)
    acts = np.bincount(code[acted], minlength=len(names)) * (names != "")
    most = np.argsort(-acts, kind="stable")[:MOST_GROUPS]
    place = np.full(len(names), -1, np.int64)
    place[most] = np.where(acts[most] > 0, np.arange(len(most)), -1)
    return code.astype(np.int64), place[code]


def _leaning(owner: NDArray[np.int64], group: NDArray[np.int64], users: int, groups: int) -> NDArray[np.float32]:
    """Return log of how much more of a user's acts go to a group than of all acts, (U, G), drawn to 0.

    Args:
        owner: (A,) who acted.
        group: (A,) on what, -1 for no group.
        users: U.
        groups: G.
    """
    known = group >= 0
    acts = np.bincount(owner[known] * groups + group[known], minlength=users * groups).reshape(users, groups)
    part = acts.sum(axis=0) / max(len(owner), 1)
    total = np.bincount(owner, minlength=users)[:, None]
    return np.log((acts + ACTS * part) / ((total + ACTS) * np.maximum(part, 1e-12))).astype(np.float32)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-9)
