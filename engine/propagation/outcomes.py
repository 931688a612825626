"""What a snapshot says about who acted on whose shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.types import GraphSnapshot

Act = Literal["reshare", "open"]

FRIEND, FOLLOWER, CONTACT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Directed pairs along which a share may travel, and what happened along them."""

    users: int
    source: NDArray[np.int32]
    """(E,) u, who shares."""
    target: NDArray[np.int32]
    """(E,) v, who may act; pairs are unique, ordered by (u, v)."""
    kind: NDArray[np.int8]
    """(E,) FRIEND, FOLLOWER (v follows u) or CONTACT (u sent v something, or v acted on it)."""
    strength: NDArray[np.float64]
    """(E,) of the friendship, 1 for other kinds."""
    trials: NDArray[np.float64]
    """(E,) shares of u's that v could have acted on."""
    successes: NDArray[np.float64]
    """(E,) shares of u's that v acted on."""


def acts_shown(snapshot: GraphSnapshot) -> tuple[Act, ...]:
    """Return the acts that the snapshot has examples of, reshares first."""
    shown: dict[Act, bool] = {
        "reshare": bool((snapshot.shares.columns["parent"] >= 0).any()),
        "open": len(snapshot.opens) > 0,
    }
    return tuple(act for act, is_shown in shown.items() if is_shown)


def count_outcomes(snapshot: GraphSnapshot, act: Act, exposure: NDArray[np.float64] | None = None) -> Outcomes:
    """Count trials and successes of every pair (u, v).

    Every share of u's is a trial for each of u's friends, followers and recipients, sent to them or not: P(u->v) is
    the chance that "u shares" ends in "v acts". The one who made u reshare is no trial of that reshare, since they
    have acted already. Counts of this kind are the Bernoulli model of Goyal, Bonchi, Lakshmanan, Learning influence
    probabilities in social networks, WSDM 2010, section 4.1.

    A pair that is known only because v acted (no friendship, no follow, never sent anything in vain) would look like
    success by selection; the act that made it known is left out, with its trial.

    `exposure` (S,): how much of a trial each share is (`engine/propagation/censoring.py`); None: each a whole one.
    """
    users = len(snapshot.users)
    sharer = snapshot.shares.source.astype(np.int64)
    acted_from, acted_by = acts_of(snapshot, act)
    sent = np.concatenate([sharer[snapshot.sends.source], sharer[acted_from]])
    reached = np.concatenate([snapshot.sends.target, acted_by]).astype(np.int64)
    source, target = _both_ways(snapshot.friends.source, snapshot.friends.target)
    followee, follower = snapshot.follows.target.astype(np.int64), snapshot.follows.source.astype(np.int64)
    key = np.concatenate([source * users + target, followee * users + follower, sent * users + reached])
    kind = np.repeat([FRIEND, FOLLOWER, CONTACT], [len(source), len(followee), len(sent)])
    strength = np.ones(len(key))
    strength[: len(source)] = np.tile(snapshot.friends.columns["strength"].astype(np.float64), 2)
    kept = key // max(users, 1) != key % max(users, 1)
    # np.unique keeps the first of equal pairs: a friendship before a follow before a contact.
    pair, first = np.unique(key[kept], return_index=True)
    u, v = pair // max(users, 1), pair % max(users, 1)
    acted = _count_pairs(pair, *_once_a_share(acted_from, sharer, acted_by, users))
    trials = np.bincount(sharer, exposure, minlength=users)[u].astype(np.float64)
    trials -= _count_pairs(pair, *_made_to_share(snapshot, sharer, users))
    received = _count_pairs(pair, *_once_a_share(snapshot.sends.source, sharer, snapshot.sends.target, users))
    discovery = (kind[kept][first] == CONTACT) & (received <= acted)
    return Outcomes(
        users,
        u.astype(np.int32),
        v.astype(np.int32),
        kind[kept][first].astype(np.int8),
        strength[kept][first],
        np.maximum(trials, acted) - discovery,
        acted - discovery,
    )


def acts_of(snapshot: GraphSnapshot, act: Act) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (row of the share acted on, who acted) of each act."""
    if act == "open":
        return snapshot.opens.source.astype(np.int64), snapshot.opens.target.astype(np.int64)
    parent = snapshot.shares.columns["parent"]
    child = np.flatnonzero(parent >= 0)
    return parent[child].astype(np.int64), snapshot.shares.source[child].astype(np.int64)


def _once_a_share(
    share: NDArray[np.integer], sharer: NDArray[np.int64], actor: NDArray[np.integer], users: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (pair key, count), an actor counting once per share."""
    once = np.unique(share.astype(np.int64) * users + actor)
    return np.unique(sharer[once // max(users, 1)] * users + once % max(users, 1), return_counts=True)


def _made_to_share(
    snapshot: GraphSnapshot, sharer: NDArray[np.int64], users: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (key of the pair resharer -> the one reshared from, count)."""
    parent = snapshot.shares.columns["parent"]
    child = np.flatnonzero(parent >= 0)
    return np.unique(sharer[child] * users + sharer[parent[child]], return_counts=True)


def _count_pairs(pair: NDArray[np.int64], key: NDArray[np.int64], count: NDArray[np.int64]) -> NDArray[np.float64]:
    counts = np.zeros(len(pair))
    place = np.searchsorted(pair, key)
    known = place < len(pair)
    known[known] = pair[place[known]] == key[known]
    counts[place[known]] = count[known]
    return counts


def _both_ways(a: NDArray[np.int32], b: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.concatenate([a, b]).astype(np.int64), np.concatenate([b, a]).astype(np.int64)
