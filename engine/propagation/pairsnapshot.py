"""Signals of directed pairs out of a snapshot: counts, both users, the tie, structure, recency, taste."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.propagation.friendpropagation.pairs import neighbours_of
from engine.propagation.friendpropagation.pairsignals import tie_shape
from engine.propagation.outcomes import CONTACT, FOLLOWER, FRIEND, Outcomes
from engine.propagation.sharetarget.population import factors
from engine.types import NO_TIME, GraphSnapshot

Float = NDArray[np.float64]
NAMES = (
    "rate",
    "acts",
    "trials",
    "sender_rate",
    "sender_acts",
    "sender_trials",
    "sender_degree",
    "receiver_rate",
    "receiver_acts",
    "receiver_trials",
    "receiver_degree",
    "back_acts",
    "back_trials",
    "strength",
    "friend",
    "follower",
    "contact",
    "common",
    "adamic_adar",
    "jaccard",
    "sender_lately",
    "receiver_lately",
    "receiver_idle",
    "taste",
)
LATELY = 0.05
"""Part of the span of all shares and interactions that counts as lately."""
DIMENSIONS = 24
MAX_PAIRS = 4_000_000
"""With more pairs the signals of both windows would take more than a gigabyte."""


def signals_of_pairs(
    snapshot: GraphSnapshot, outcomes: Outcomes, rate: Float, now_s: int, seed: int
) -> NDArray[np.float32]:
    """Return the signals of the pairs, (E, len(NAMES)).

    Args:
        snapshot: what was known at `now_s`, nothing later.
        outcomes: its pairs.
        rate: (E,) their shrunken rates.
        now_s: the moment.
        seed: of the factors.
    """
    u, v, users = outcomes.source, outcomes.target, outcomes.users
    acts, trials = outcomes.successes, outcomes.trials
    sent = [np.bincount(u, each, users)[u] for each in (acts, trials)]
    taken = [np.bincount(v, each, users)[v] for each in (acts, trials)]
    overall = (acts.sum() + 0.5) / (trials.sum() + 1.0)
    degree = [np.bincount(end, minlength=users) for end in (u, v)]
    back = _back(outcomes)
    lately, idle = _activity(snapshot, now_s)
    shape = _structure(outcomes)
    taste = _taste(snapshot, seed)
    columns = [
        np.log(rate / (1.0 - rate)),
        np.log1p(acts),
        np.log1p(trials),
        *_of_side(sent, overall),
        np.log1p(degree[0][u]),
        *_of_side(taken, overall),
        np.log1p(degree[1][v]),
        *(np.log1p(each) for each in back),
        outcomes.strength,
        *(outcomes.kind == kind for kind in (FRIEND, FOLLOWER, CONTACT)),
        *shape.T,
        np.log1p(lately[u]),
        np.log1p(lately[v]),
        idle[v],
        _products(taste, u, v),
    ]
    found = np.empty((len(u), len(NAMES)), np.float32)
    for at, column in enumerate(columns):
        found[:, at] = column
    return found


def _of_side(totals: list[Float], overall: float) -> list[Float]:
    """Return log of one user's rate, drawn to the average, of acts and of trials."""
    acts, trials = totals
    return [np.log((acts + 5.0 * overall) / (trials + 5.0)), np.log1p(acts), np.log1p(trials)]


def _back(outcomes: Outcomes) -> list[Float]:
    """Return acts and trials of each pair the other way round, 0 where there is no such pair."""
    users = max(outcomes.users, 1)
    key = outcomes.source.astype(np.int64) * users + outcomes.target  # ascending
    wanted = outcomes.target.astype(np.int64) * users + outcomes.source
    place = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
    found = key[place] == wanted
    return [np.where(found, each[place], 0.0) for each in (outcomes.successes, outcomes.trials)]


def _structure(outcomes: Outcomes) -> NDArray[np.float32]:
    """Return (E, 3) common neighbours, Adamic-Adar and Jaccard among all pairs."""
    users = max(outcomes.users, 1)
    source, target = outcomes.source.astype(np.int64), outcomes.target.astype(np.int64)
    ties = neighbours_of(source, target, users)
    place = np.searchsorted(ties.owner * users + ties.user, source * users + target)
    return tie_shape(ties)[place, 2:]


def _activity(snapshot: GraphSnapshot, now_s: int) -> tuple[Float, Float]:
    """Return of every user (U,) acts and shares lately, and log of the days since the last one (a span if none)."""
    users = len(snapshot.users)
    who = np.concatenate([snapshot.interactions.source, snapshot.shares.source])
    at_s = np.concatenate([edges.columns["occurred_at_s"] for edges in (snapshot.interactions, snapshot.shares)])
    who, at_s = who[at_s != NO_TIME], at_s[at_s != NO_TIME].astype(np.int64)
    span_s = float(max(now_s - at_s.min(), 1)) if len(at_s) else 1.0
    lately = np.bincount(who, now_s - at_s < LATELY * span_s, users)
    last_s = np.full(users, now_s - span_s)
    np.maximum.at(last_s, who, at_s.astype(np.float64))
    return lately, np.log1p(np.maximum(now_s - last_s, 0.0) / 86_400.0)


def _taste(snapshot: GraphSnapshot, seed: int) -> NDArray[np.float32]:
    """Return the users' factors (U, D) of who acted on what, at unit length."""
    users, items = len(snapshot.users), len(snapshot.items)
    pair = np.unique(snapshot.interactions.source.astype(np.int64) * max(items, 1) + snapshot.interactions.target)
    owner, item = pair // max(items, 1), users + pair % max(items, 1)
    vectors = factors(owner, item, np.ones(len(pair)), users + items, dimensions=DIMENSIONS, seed=seed)[0][:users]
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-9)


def _products(vectors: NDArray[np.float32], u: NDArray[np.int32], v: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the products of both ends' vectors, (E,), in blocks to bound memory."""
    found = np.empty(len(u), np.float32)
    for start in range(0, len(u), 1_000_000):
        part = slice(start, start + 1_000_000)
        found[part] = np.einsum("ed,ed->e", vectors[u[part]], vectors[v[part]])
    return found
