"""Fit on past cascades; rank who shares next in a running one.

The ranker learns from questions that are asked inside the past: a border walks through it, what lies before the border
is the memory, and the cascades after it are asked about. Then the memory is made of the whole past.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.errors import DataError, TrainingError
from engine.propagation.cascades import LONGEST, SHORTEST
from engine.propagation.nextsharer.ending import Ending, learn_ending
from engine.propagation.nextsharer.memory import Memory, remember
from engine.propagation.nextsharer.metrics import values
from engine.propagation.nextsharer.questions import make_questions, positions
from engine.propagation.nextsharer.sequences import Float, Int, Links, Sequences
from engine.propagation.sharetarget.boosting import TreeSettings
from engine.propagation.sharetarget.examples import Examples, joined
from engine.propagation.sharetarget.ranks import ranks
from engine.propagation.sharetarget.training import RankSettings, fit
from engine.serving.sharetarget.model import RankModel, screened

BORDERS = (0.5, 0.625, 0.75, 0.875, 1.0)
"""Parts of the past: the memory of what lies before one is asked about the cascades up to the second next, so that some
questions come right after it and others a while later, as a test does after the choosing tenth."""
QUESTIONS = 2_500
"""Questions between two borders, at most, drawn from all."""
LEAST = 20
"""Cascades that a past has, at least."""
SETTINGS = RankSettings(
    hidden=32, epochs=4, dropout=0.2, screened=130, networks=2, trees=TreeSettings(trees=120), blend=0.5
)
TREES = (40, 80, 120)
BLENDS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Numbers of trees and their weights that are tried on the cut."""
SURELY = 2.0


@dataclass(frozen=True, slots=True)
class NextSharers:
    """What ranks the users who may share next."""

    memory: Memory
    ranker: RankModel
    ending: Ending

    def rank(self, users: Int, time_s: Float, most: int) -> tuple[Int, Float]:
        """Return the users who are likeliest to share next and their scores, best first, at most `most`.

        Args:
            users: (P,) who shared so far, in order, each once, [0, users); of more than 500 the first and the newest.
            time_s: (P,) when, ascending, on the clock of the past cascades.
            most: how many are wanted.

        Raises:
            DataError: nobody shared yet, a user is unknown to the model's numbering or listed twice, times go back.
        """
        users, time_s = np.asarray(users, np.int64), np.asarray(time_s, np.float64)
        self._check(users, time_s)
        if len(users) > LONGEST:
            users, time_s = (np.concatenate([each[:1], each[1 - LONGEST :]]) for each in (users, time_s))
        indptr = np.array([0, len(users) + 1])
        running = Sequences(indptr, np.append(users, -1), np.append(time_s, time_s[-1]), len(self.memory.count))
        asked = np.arange(len(users) + 1) == len(users)
        questions = make_questions(self.memory, running, asked)
        score = self.ranker.score(questions.signals, questions.row)
        best = np.lexsort((questions.user, -score))[: max(most, 0)]
        return questions.user[best], score[best]

    def _check(self, users: Int, time_s: Float) -> None:
        if not len(users) or users.shape != time_s.shape:
            raise DataError("a running cascade has at least one event, and a time for each")
        if users.min() < 0 or users.max() >= len(self.memory.count) or len(np.unique(users)) < len(users):
            raise DataError("a user of the cascade is listed twice or has no number in the model")
        if not np.isfinite(time_s).all() or (np.diff(time_s) < 0).any():
            raise DataError("times are not finite or go back")


def fit_next_sharers(past: Sequences, links: Links, seed: int, settings: RankSettings = SETTINGS) -> NextSharers:
    """Return a model of these cascades and nothing else.

    The evaluation does the same, and chooses number and weight of the trees on the tenth after the past.

    Args:
        past: cascades by start, at least LEAST.
        links: between users, known beforehand; may be none.
        seed: of everything random.
        settings: of the ranker.

    Raises:
        DataError: too few cascades, or too few questions with an answer that memory could foresee.
    """
    return with_ranker(past, links, fit(past_questions(past, links, seed), settings, seed), seed)


def with_ranker(past: Sequences, links: Links, ranker: RankModel, seed: int) -> NextSharers:
    """Return the model that ranks by this ranker and remembers these cascades."""
    memory = remember(past, links, seed)
    return NextSharers(memory, ranker, learn_ending(past, memory.fresh))


def past_questions(past: Sequences, links: Links, seed: int) -> Examples:
    """Return questions from inside the past, each with a memory of what lay before its border.

    Raises:
        DataError: too few cascades, or some that are none.
    """
    _check_past(past)
    rng = np.random.default_rng([seed, 11])
    borders = [int(part * len(past)) for part in BORDERS]
    parts = []
    for start, end in zip(borders, [*borders[2:], borders[-1]], strict=False):
        memory, later = remember(past.part(0, start), links, seed), past.part(start, end)
        asked = positions(later)
        asked &= rng.random(len(asked)) < QUESTIONS / max(1, asked.sum())
        parts.append(make_questions(memory, later, asked))
    return joined(parts)


def _check_past(past: Sequences) -> None:
    lengths = np.diff(past.indptr)
    if len(past) < LEAST:
        raise DataError(f"{len(past)} cascades to learn from; at least {LEAST} are needed")
    if lengths.min() < SHORTEST or lengths.max() > LONGEST or lengths.sum() != len(past.user):
        raise DataError(f"a cascade that is learned from has {SHORTEST} to {LONGEST} users")
    if past.user.min() < 0 or past.user.max() >= past.users or not np.isfinite(past.time_s).all():
        raise DataError("a user has no number among the users, or a time is not finite")
    of = np.repeat(np.arange(len(past)), lengths)
    if len(np.unique(of * past.users + past.user)) < len(past.user):
        raise DataError("a user is listed twice in a cascade that is learned from")


def choose(early: Examples, held: Examples, seed: int) -> tuple[RankModel, dict[str, float]]:
    """Return the model of the best number of trees and weight, and what each reached in Hits@100 + MAP@100 on `held`.

    SETTINGS stay unless another choice is better by SURELY standard errors of the paired difference: a small cut would
    choose among noise.
    """
    model = fit(early, SETTINGS, seed)
    if model.trees is None:
        raise TrainingError("there are no trees to choose among")
    kept = screened((model.standardised(held.signals) @ model.screen).astype(np.float64), held.row, model.screened)
    close = _only(held, kept)
    z = model.standardised(close.signals)
    networks = model.by_networks(z)
    worth: dict[tuple[int, float], Float] = {}
    for count in TREES:
        grown = model.trees.first(count).score(z)
        for blend in BLENDS:
            found = values(ranks(close, (1.0 - blend) * networks + blend * grown))
            worth[count, blend] = found["hits@100"] + found["map@100"]
    count, blend = surely_best(worth, (len(model.trees), SETTINGS.blend))
    reached = {f"trees={trees} blend={part}": float(each.mean()) for (trees, part), each in worth.items()}
    return replace(model, trees=model.trees.first(count), blend=blend), reached


def surely_best(worth: dict[tuple[int, float], Float], usual: tuple[int, float]) -> tuple[int, float]:
    """Return the choice of largest mean, or the usual one where it is not surely better in pairs.

    Args:
        worth: of each choice, (Q,) what each question counts; holds `usual`.
        usual: what stands in doubt.
    """
    best = max(worth, key=lambda choice: worth[choice].mean())
    gain = worth[best] - worth[usual]
    return best if gain.mean() > SURELY * gain.std() / np.sqrt(len(gain)) else usual


def _only(examples: Examples, kept: Int) -> Examples:
    """Return the questions with these candidates alone (places, ascending)."""
    counts = np.bincount(examples.row[kept], minlength=len(examples))
    place = np.searchsorted(kept, examples.answer)
    listed = (place < len(kept)) & (kept[np.minimum(place, len(kept) - 1)] == examples.answer)
    answer = np.where(listed, place, -1)
    return Examples(examples.signals[kept], examples.user[kept], np.concatenate([[0], np.cumsum(counts)]), answer)
