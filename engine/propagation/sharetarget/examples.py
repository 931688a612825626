"""Questions with their answers and signals, each made from what lay before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.serving.sharetarget.candidates import Known
from engine.serving.sharetarget.evidence import look_at
from engine.serving.sharetarget.history import Int, Questions
from engine.serving.sharetarget.signals import signals

CHUNK = 256
"""Questions answered at a time; bounds memory."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Candidates of Q questions with their signals."""

    signals: NDArray[np.float32]
    """(C, F)"""
    user: Int
    """(C,) candidates, grouped by question."""
    indptr: Int
    """(Q + 1,) bounds of each question's candidates."""
    answer: Int
    """(Q,) place of the true recipient among all candidates, -1 where it is none."""

    def __len__(self) -> int:
        return len(self.answer)

    @property
    def row(self) -> Int:
        """(C,) question of each candidate."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.indptr))

    def part(self, rows: Int) -> Examples:
        """Return the chosen questions (positions, ascending or not)."""
        counts = np.diff(self.indptr)[rows]
        indptr = np.concatenate([[0], np.cumsum(counts)])
        shift = self.indptr[rows] - indptr[:-1]
        place = np.repeat(shift, counts) + np.arange(indptr[-1])
        answer = np.where(self.answer[rows] >= 0, self.answer[rows] - shift, -1)
        return Examples(self.signals[place], self.user[place], indptr, answer)

    def answerable(self) -> Examples:
        """Return the questions whose answer is a candidate."""
        answered = self.answer >= 0
        return self if answered.all() else self.part(np.flatnonzero(answered))


def make_examples(
    known: Known, questions: Questions, truth: Int, report: Callable[[int, int], None] | None = None
) -> Examples:
    """Return the questions with candidates and signals.

    Args:
        known: all events, of which each question sees those before its `seen_s`; a population as known when the
            questions are asked; friendships.
        questions: Q questions.
        truth: (Q,) the true recipient, -1 where not known.
        report: called with (questions done, all questions).
    """
    parts: list[Examples] = []
    for start in range(0, max(len(questions), 1), CHUNK):
        chunk = questions.part(slice(start, start + CHUNK))
        look = look_at(known, chunk)
        pairs, columns = look.pairs, signals(look)
        indptr = np.searchsorted(pairs.row, np.arange(len(chunk) + 1))
        asked = truth[start : start + CHUNK]
        place = pairs.place(np.arange(len(chunk), dtype=np.int64), np.maximum(asked, 0))
        parts.append(Examples(columns, pairs.user, indptr, np.where((asked >= 0) & (place < len(pairs)), place, -1)))
        if report:
            report(min(start + CHUNK, len(questions)), len(questions))
    return joined(parts)


def joined(parts: Sequence[Examples]) -> Examples:
    """Return the examples of all parts, one after another."""
    offsets = np.concatenate([[0], np.cumsum([len(part.user) for part in parts])])
    return Examples(
        np.concatenate([part.signals for part in parts]),
        np.concatenate([part.user for part in parts]),
        np.concatenate([[0], *(part.indptr[1:] + offset for part, offset in zip(parts, offsets, strict=False))]),
        np.concatenate(
            [np.where(part.answer >= 0, part.answer + offset, -1) for part, offset in zip(parts, offsets, strict=False)]
        ),
    )
