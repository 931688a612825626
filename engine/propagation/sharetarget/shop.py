"""The ranker of a shop, learned from its own shares in a snapshot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from engine.errors import DataError
from engine.propagation.sharetarget.boosting import TreeSettings
from engine.propagation.sharetarget.examples import Examples, joined, make_examples
from engine.propagation.sharetarget.population import count_population
from engine.propagation.sharetarget.ranks import NOT_LISTED, PLACES, mean_reciprocal, ranks
from engine.propagation.sharetarget.training import MIN_ANSWERED, RankSettings, fit
from engine.serving.sharetarget.candidates import Known
from engine.serving.sharetarget.history import NOT_OPENED, History, ask
from engine.serving.sharetarget.ranker import Ranker
from engine.serving.sharetarget.ties import Ties
from engine.types import NO_TIME, GraphSnapshot

MAX_EVENTS = 1_000_000
"""Newest share events that are read."""
MAX_QUESTIONS = 8_000
"""Newest openings that are asked for; a tenth of them, the newest, is the cut."""
BLOCKS = 10
"""Parts of the questions; each has the population as it was before it."""
CUT = 0.1
SETTINGS = RankSettings(hidden=32, epochs=3, dropout=0.3, networks=1, trees=TreeSettings(trees=60, rate=0.1))
"""Chosen for the time they take: a training is to grow by half a minute at most."""


def learn(snapshot: GraphSnapshot, seed: int, settings: RankSettings | None = None) -> tuple[Ranker, dict[str, Any]]:
    """Return a ranker of share targets, and what it reached on the newest shares, unseen.

    A question is asked for each share that was opened (each that was sent, where too few were): whom should this user
    send this item to? It sees what lay before it.

    Args:
        snapshot: the graph.
        seed: of everything random.
        settings: of the ranker.

    Raises:
        DataError: too few shares have a recipient who could be foreseen.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # batches are small: threads would wait for each other
    try:
        return _learn(snapshot, seed, settings or SETTINGS)
    finally:
        torch.set_num_threads(threads)


def _learn(snapshot: GraphSnapshot, seed: int, settings: RankSettings) -> tuple[Ranker, dict[str, Any]]:
    history, ties = history_of(snapshot), ties_of(snapshot)
    asked = np.flatnonzero((history.opened_s < NOT_OPENED) & (history.sender != history.recipient))
    if len(asked) < 2 * MIN_ANSWERED:
        asked = np.flatnonzero(history.sender != history.recipient)
    asked = asked[-MAX_QUESTIONS:]
    if len(asked) < 2 * MIN_ANSWERED:
        raise DataError(f"{len(asked)} shares with a recipient; {2 * MIN_ANSWERED} are needed to learn share targets")
    held = int(CUT * len(asked))
    early = _examples(history, ties, asked[:-held], seed)
    late = _examples(history, ties, asked[-held:], seed, blocks=1)
    measured = fit(early, replace(settings, networks=1), seed)
    rank = ranks(late, measured.score(late.signals, late.row))
    model = fit(joined([early, late]), settings, seed)
    population = count_population(history, int(history.time_s[-1]) + 1, seed)
    card = {
        f"mrr@{PLACES}": mean_reciprocal(rank),
        f"hits@{PLACES}": float((rank <= PLACES).mean()),
        "candidates": float((rank < NOT_LISTED).mean()),
        "shares": len(history),
        "questions": len(asked),
        "heldOut": "the newest tenth of the shares asked for, unseen by the model measured",
    }
    return Ranker(model, population, snapshot.users.ids), card


def history_of(snapshot: GraphSnapshot) -> History:
    """Return the shares of a snapshot, one event per recipient; shares without a time are left out."""
    users = len(snapshot.users)
    share, recipient = snapshot.sends.source.astype(np.int64), snapshot.sends.target.astype(np.int64)
    opener, open_share = snapshot.opens.target.astype(np.int64), snapshot.opens.source.astype(np.int64)
    key = np.concatenate([share * users + recipient, open_share * users + opener])
    when = snapshot.opens.columns["occurred_at_s"].astype(np.int64)
    opened = np.concatenate([np.full(len(share), NOT_OPENED), np.where(when == NO_TIME, NOT_OPENED - 1, when)])
    order = np.lexsort((opened, key))  # the first of a pair is its earliest opening
    key, first = np.unique(key[order], return_index=True)
    opened = opened[order][first]
    share, recipient = key // users, key % users
    time_s = snapshot.shares.columns["occurred_at_s"].astype(np.int64)[share]
    # An opening without a time counts from the moment of the share.
    opened = np.where(opened == NOT_OPENED - 1, time_s, opened)
    rows = np.flatnonzero(time_s != NO_TIME)
    rows = rows[np.argsort(time_s[rows], kind="stable")][-MAX_EVENTS:]
    sender, item = (column.astype(np.int64)[share] for column in (snapshot.shares.source, snapshot.shares.target))
    return History.of(
        *(column[rows] for column in (sender, item, recipient, time_s, opened)), users=users, items=len(snapshot.items)
    )


def ties_of(snapshot: GraphSnapshot) -> Ties:
    """Return the friendships of a snapshot; an unknown strength is 1."""
    strength = np.asarray(snapshot.friends.columns["strength"], dtype=np.float64)
    strength = np.where(np.isfinite(strength) & (strength > 0), strength, 1.0)
    one, other = (end.astype(np.int64) for end in (snapshot.friends.source, snapshot.friends.target))
    return Ties.of(one, other, strength, users=len(snapshot.users))


def _examples(history: History, ties: Ties, asked: np.ndarray, seed: int, blocks: int = BLOCKS) -> Examples:
    parts = []
    for rows in np.array_split(asked, blocks):
        population = count_population(history, int(history.time_s[rows[0]]), seed)
        questions = ask(history.sender[rows], history.item[rows], history.time_s[rows])
        parts.append(make_examples(Known(history, population, ties), questions, history.recipient[rows]))
    return joined(parts)
