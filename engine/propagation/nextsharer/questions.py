"""Positions of running cascades as questions with candidates, signals and the answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.propagation.nextsharer.candidates import MOST
from engine.propagation.nextsharer.memory import Memory
from engine.propagation.nextsharer.prefix import empty_prefix
from engine.propagation.nextsharer.sequences import POSITIONS, Int, Sequences
from engine.propagation.nextsharer.signals import WIDTH
from engine.propagation.nextsharer.walk import walk
from engine.propagation.sharetarget.examples import Examples, joined

END = -1
"""Stands for the end of a cascade where it is asked for like a user."""


def positions(cascades: Sequences) -> NDArray[np.bool_]:
    """Return (E,) True for the events that are asked for: all but the first, up to POSITIONS of a cascade."""
    place = np.arange(len(cascades.user)) - np.repeat(cascades.indptr[:-1], np.diff(cascades.indptr))
    return (place > 0) & (place < POSITIONS)


def with_end_marks(cascades: Sequences) -> Sequences:
    """Return the cascades, each with END after its last user."""
    last = cascades.indptr[1:]
    indptr = cascades.indptr + np.arange(len(cascades.indptr))
    user = np.insert(cascades.user, last, END)
    return Sequences(indptr, user, np.insert(cascades.time_s, last, cascades.time_s[last - 1]), cascades.users)


def make_questions(memory: Memory, cascades: Sequences, asked: NDArray[np.bool_]) -> Examples:
    """Return the questions in the order of the events that are asked for, with no look at what comes from there on.

    Args:
        memory: of past cascades; no other event is known than theirs and those of the prefix.
        cascades: running ones.
        asked: (E,) True for the events whose users are asked for, never a cascade's first.
    """
    room = empty_prefix(memory)
    parts = [Examples(np.empty((0, WIDTH), np.float32), *(np.zeros(n, np.int64) for n in (0, 1, 0)))]
    most = int(np.add.reduceat(asked, cascades.indptr[:-1], dtype=np.int64).max(initial=0))
    signals, user = np.empty((most * MOST, WIDTH), np.float32), np.empty(most * MOST, np.int64)
    counts = np.empty(most, np.int64)
    for start, end in zip(cascades.indptr, cascades.indptr[1:], strict=False):
        mine, users = asked[start:end], cascades.user[start:end]
        total = int(mine.sum())
        if total:
            rows = walk(memory, room, users, cascades.time_s[start:end], mine, signals, user, counts)
            parts.append(_examples(signals[:rows].copy(), user[:rows].copy(), counts[:total], users[mine]))
    return joined(parts)


def _examples(signals: NDArray[np.float32], user: Int, counts: Int, truth: Int) -> Examples:
    row = np.repeat(np.arange(len(counts)), counts)
    hit = np.flatnonzero(user == truth[row])
    answer = np.full(len(counts), -1, np.int64)
    answer[row[hit]] = hit
    return Examples(signals, user, np.concatenate([[0], np.cumsum(counts)]), answer)
