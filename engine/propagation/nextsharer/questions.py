"""Positions of running cascades as questions with candidates, signals and the answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.propagation.nextsharer.memory import Memory
from engine.propagation.nextsharer.sequences import POSITIONS, Int, Sequences
from engine.propagation.nextsharer.walk import MOST, NAMES, scratch_of, walk
from engine.propagation.sharetarget.examples import Examples, joined

CHUNK = 256


def positions(cascades: Sequences) -> NDArray[np.bool_]:
    """Return (E,) True for the events that are asked for: all but the first, up to POSITIONS users of a cascade."""
    place = np.arange(len(cascades.user)) - np.repeat(cascades.indptr[:-1], np.diff(cascades.indptr))
    return (place > 0) & (place < POSITIONS)


def make_questions(memory: Memory, cascades: Sequences, asked: NDArray[np.bool_]) -> Examples:
    scratch = scratch_of(memory)
    parts, buffer = [], [np.empty((0, len(NAMES)), np.float32), np.empty(0, np.int64), np.empty(0, np.int64)]
    for c in range(len(cascades)):
        span = slice(cascades.indptr[c], cascades.indptr[c + 1])
        mine = asked[span]
        total = int(mine.sum())
        if not total:
            continue
        if total > len(buffer[2]):
            buffer = [np.empty((total * MOST, len(NAMES)), np.float32), np.empty(total * MOST, np.int64), np.empty(total, np.int64)]
        rows = walk(memory, scratch, cascades.user[span], cascades.time_s[span], mine, *buffer)
        signals, user, counts = buffer[0][:rows].copy(), buffer[1][:rows].copy(), buffer[2][:total]
        indptr = np.concatenate([[0], np.cumsum(counts)])
        row = np.repeat(np.arange(total), counts)
        hit = np.flatnonzero(user == cascades.user[span][mine][row])
        answer = np.full(total, -1, np.int64)
        answer[row[hit]] = hit
        parts.append(Examples(signals, user, indptr, answer))
    return joined(parts)
