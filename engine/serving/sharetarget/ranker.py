"""The ranker of share targets as it is served: the trained model, the population it was trained with, and ids.

    ranker.rank(Question("ann", "shoe", now), evidence_rows, ties, limit=5)

`EventRows` are the share events fetched for the question, by id; `TieRows` the friendships around it. The numbers are
those that the whole history gives, because both are read through the same excerpt (`history.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.serving.sharetarget.candidates import Known
from engine.serving.sharetarget.evidence import Evidence, look_at
from engine.serving.sharetarget.history import NOT_OPENED, History, Int, Questions, ask
from engine.serving.sharetarget.model import RankModel
from engine.serving.sharetarget.population import Population
from engine.serving.sharetarget.reasons import reasons_of
from engine.serving.sharetarget.signals import COLUMNS, signals
from engine.serving.sharetarget.ties import Ties

PREFIX = "share_target."
"""Of the ranker's arrays in a model folder."""
POPULATION_ARRAYS = ("counts", "sends", "receives", "nearest", "alike", "active")
MAX_ROWS = 25_000
"""Most share events of one question; more are cut to the newest."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whom should a user share an item with, now?"""

    user_id: str
    item_id: str
    time_s: int


@dataclass(frozen=True, slots=True)
class EventRows:
    """Share events by id, any order; E rows, one per recipient of a share."""

    sender_id: Sequence[str] = ()
    item_id: Sequence[str] = ()
    recipient_id: Sequence[str] = ()
    time_s: Sequence[int] = ()
    opened: Sequence[bool] = ()
    """Whether the recipient has opened it by now."""


@dataclass(frozen=True, slots=True)
class TieRows:
    """Friendships by id; F rows, each friendship once. Totals count the friendships that are not listed, too."""

    user_id: Sequence[str] = ()
    friend_id: Sequence[str] = ()
    strength: Sequence[float] = ()
    total: Mapping[str, float] = field(default_factory=dict)
    """Summed strength of all ties of a user; those listed, where it is not given."""
    friends: Mapping[str, int] = field(default_factory=dict)
    """Number of all friends of a user; those listed, where it is not given."""


@dataclass(frozen=True, slots=True)
class RankedTarget:
    """A ranked recipient."""

    user_id: str
    score: float
    """Share of the candidates' softmax, (0, 1]; ranks, and is no probability that the item goes on."""
    reasons: tuple[str, ...]
    """Of TARGET_REASONS."""


@dataclass(frozen=True)
class Ranker:
    """A trained ranker of share targets."""

    model: RankModel
    population: Population
    user_ids: NDArray[np.object_]
    """(U,) ids of the population's users, ascending."""

    def rank(
        self,
        question: Question,
        events: EventRows,
        ties: TieRows,
        limit: int,
        *,
        allowed: frozenset[str] | None = None,
        strangers: bool = True,
    ) -> list[RankedTarget]:
        """Return the best `limit` recipients, best first; equal scores by user id.

        Args:
            question: who, what and when; events from its second on are not seen.
            events: share events around the question.
            ties: friendships around the question.
            limit: most targets.
            allowed: who may be named; None: everybody.
            strangers: whether users may be named whom nothing but the population speaks for.

        Raises:
            DataError: columns differ in length.
        """
        ids, known, questions = self._localised(question, events, ties)
        look = look_at(known, questions)
        columns = signals(look)
        score = self.model.score(columns, look.pairs.row)
        named = reasons_of(look, columns)
        order = np.lexsort((look.pairs.user, -score))
        kept = [place for place in order if allowed is None or ids[look.pairs.user[place]] in allowed]
        kept = [place for place in kept if strangers or set(named[place]) - STRANGER_REASONS][:limit]
        share = _softmax(score)
        return [RankedTarget(ids[look.pairs.user[at]], float(share[at]), named[at]) for at in kept]

    def look(self, question: Question, events: EventRows, ties: TieRows) -> tuple[list[str], Evidence]:
        """Return the ids of the evidence's users and all that the question is answered from."""
        ids, known, questions = self._localised(question, events, ties)
        return ids, look_at(known, questions)

    def to_folder(self) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
        """Return the tables (rows of users) and the weights under which a model folder keeps the ranker."""
        arrays = {f"{PREFIX}{name}": array for name, array in self.to_arrays().items()}
        tables = {name: array for name, array in arrays.items() if name.removeprefix(PREFIX) in POPULATION_ARRAYS}
        return tables, {name: array for name, array in arrays.items() if name not in tables}

    @classmethod
    def from_folder(
        cls, tables: Mapping[str, NDArray[Any]], weights: Mapping[str, NDArray[Any]], user_ids: NDArray[np.object_]
    ) -> Ranker | None:
        """Return the ranker of a model folder, None where it holds none: too few shares, or an older folder.

        Raises:
            ArtifactError: an array is missing or does not fit.
        """
        own = {
            name.removeprefix(PREFIX): array
            for name, array in (*tables.items(), *weights.items())
            if name.startswith(PREFIX)
        }
        return cls.from_arrays(own, user_ids) if own else None

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return model and population as arrays by name."""
        people = self.population
        return self.model.to_arrays() | {
            "counts": people.counts,
            "sends": people.sends,
            "receives": people.receives,
            "nearest": people.nearest.astype(np.int32),
            "alike": people.alike.astype(np.int32),
            "active": people.active.astype(np.int32),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], user_ids: NDArray[np.object_]) -> Ranker:
        """Return the ranker that `to_arrays` stored.

        Raises:
            ArtifactError: an array is missing or does not fit.
        """
        model = RankModel.from_arrays(arrays, len(COLUMNS))
        return cls(model, Population.from_arrays(arrays, len(user_ids)), user_ids)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {user_id: place for place, user_id in enumerate(self.user_ids.tolist())}

    def _localised(self, question: Question, events: EventRows, ties: TieRows) -> tuple[list[str], Known, Questions]:
        """Return the ids of the users around the question, ascending, and everything in their numbering."""
        own = self._place.get(question.user_id, -1)
        people = np.concatenate([self.population.active, self._near(own), self._like(question, events)])
        named = {question.user_id, *events.sender_id, *events.recipient_id, *ties.user_id, *ties.friend_id}
        ids = sorted(named | set(self.user_ids[people].tolist()))
        local = {user_id: place for place, user_id in enumerate(ids)}
        items = {item_id: place for place, item_id in enumerate(sorted({question.item_id, *events.item_id}))}
        rows = np.array([self._place.get(user_id, -1) for user_id in ids], dtype=np.int64)
        known = Known(_history(events, local, items, question.time_s), self.population.take(rows), _ties(ties, local))
        asked = (local[question.user_id], items[question.item_id], question.time_s)
        return ids, known, ask(*(np.array([value], dtype=np.int64) for value in asked))

    def _near(self, own: int) -> Int:
        listed = self.population.nearest[own] if own >= 0 else np.zeros(0, np.int64)
        return listed[listed >= 0]

    def _like(self, question: Question, events: EventRows) -> Int:
        """Return the users who are like the question's user or anybody with whom this user shared."""
        ends = zip(events.sender_id, events.recipient_id, strict=True)
        met = {question.user_id, *(user for pair in ends if question.user_id in pair for user in pair)}
        listed = self.population.alike[[self._place[user] for user in met if user in self._place]]
        return np.unique(listed[listed >= 0])


STRANGER_REASONS = frozenset(("similarTaste", "activeReceiver"))
"""Codes that name no tie, no share and no common partner."""


def _history(events: EventRows, local: Mapping[str, int], items: Mapping[str, int], now_s: int) -> History:
    time_s = np.asarray(events.time_s, dtype=np.int64)
    newest = np.sort(np.argsort(-time_s, kind="stable")[:MAX_ROWS])
    opened = np.asarray(events.opened, dtype=bool)
    # The rows say that it was opened by now, not when.
    opened_s = np.where(opened, np.minimum(time_s, now_s - 1), NOT_OPENED)
    columns = [
        np.array([numbers[each] for each in ids], dtype=np.int64)
        for ids, numbers in ((events.sender_id, local), (events.item_id, items), (events.recipient_id, local))
    ]
    whole = History.of(*columns, time_s, opened_s, users=len(local), items=len(items))
    return whole if len(time_s) <= MAX_ROWS else whole.take(newest)


def _ties(ties: TieRows, local: Mapping[str, int]) -> Ties:
    one, other = (np.array([local[each] for each in ids], dtype=np.int64) for ids in (ties.user_id, ties.friend_id))
    listed = Ties.of(one, other, np.asarray(ties.strength, dtype=np.float64), users=len(local))
    for table, given in ((listed.total, ties.total), (listed.friends, ties.friends)):
        for user_id, value in given.items():
            if user_id in local:
                table[local[user_id]] = value
    return listed


def _softmax(score: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(score):
        return score
    mass = np.exp(score - score.max())
    return np.maximum(mass / mass.sum(), np.finfo(np.float64).tiny)
