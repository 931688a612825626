"""Walk along a running cascade: candidates and signals of every position, from memory and the prefix alone."""

from __future__ import annotations

import numba
import numpy as np

from engine.propagation.nextsharer.candidates import MOST, choose_candidates, paired, paired_widely, vote
from engine.propagation.nextsharer.linear import Floats, linear_scores
from engine.propagation.nextsharer.memory import Memory
from engine.propagation.nextsharer.prefix import Prefix, advance, clear, link
from engine.propagation.nextsharer.sequences import Float, Int
from engine.propagation.nextsharer.signals import FACTORS_AT, WIDTH, measure, places

SENT_FADE = np.float32(0.9)


@numba.njit(cache=True)
def walk(  # noqa: PLR0917 - numba takes positions
    m: Memory, p: Prefix, users: Int, time_s: Float, asked: np.ndarray, signals: Floats, user: Int, counts: Int
) -> int:
    """Ask at every position of one cascade that is asked for; return the rows that are written.

    Args:
        m: of the past.
        p: working room, empty, and left so.
        users: (L,) of the cascade. A position sees the users before it; the last one asked for may be any number.
        time_s: (L,) of the events.
        asked: (L,) bool, the first False, at least one True.
        signals: (Q * MOST, WIDTH) is written, Q the number of positions asked for.
        user: (Q * MOST,) candidates of the rows; is written.
        counts: (Q,) candidates of each position; is written.
    """
    end = np.flatnonzero(asked)[-1]
    near = linear_scores(m, users, asked, 0.9), linear_scores(m, users, asked, 1.0)
    close, alike = np.zeros(m.sends.shape[1], np.float32), np.zeros(m.sends.shape[1], np.float32)
    chosen, marked = np.empty(MOST, np.int64), np.zeros(len(m.count), np.bool_)
    rows = q = n_active = n_linked = 0
    for t in range(end):
        u = users[t]
        n_active = advance(m, p, u, t, n_active)
        n_linked = link(m, p, u, n_linked)
        close = SENT_FADE * close + m.sends[u]
        alike = SENT_FADE * alike + m.receives[u]
        if asked[t + 1]:
            n_voted = vote(m, p, t + 1)
            found = n_active, n_voted, n_linked
            n = choose_candidates(m, p, found, close, near[0][q], chosen, marked)
            out = signals[rows : rows + n]
            times = time_s[t], time_s[t] - time_s[0], time_s[t] - time_s[max(t - 1, 0)]
            _by_vectors(m, chosen[:n], (close, m.sends[u], alike), (near[0][q], near[1][q]), out)
            _of_cascade(m, p, chosen[:n], t + 1, times, out)
            for k in range(n_voted):
                p.votes[p.voted[k], :] = 0.0
            user[rows : rows + n] = chosen[:n]
            counts[q] = n
            rows, q = rows + n, q + 1
    clear(p, users[:end], n_active, n_linked)
    return rows


@numba.njit(cache=True)
def _by_vectors(m: Memory, chosen: Int, ways: tuple, linear: tuple, out: Floats) -> None:
    """Write FACTOR_NAMES and LINEAR_NAMES of the candidates."""
    value = np.empty(len(chosen))
    for k in range(len(chosen)):
        v = chosen[k]
        for j in range(3):
            out[k, FACTORS_AT + j] = np.dot(m.receives[v], ways[j])
        for j in range(2):
            out[k, FACTORS_AT + 3 + j] = 5.0 * linear[j][v]
        value[k] = linear[0][v]
    places(value, out[:, FACTORS_AT + 5])


@numba.njit(cache=True)
def _of_cascade(  # noqa: PLR0917 - numba takes positions
    m: Memory, p: Prefix, chosen: Int, step: int, times: tuple, out: Floats
) -> None:
    """Write all other signals; `times` are now, the age of the cascade and the last gap, in seconds."""
    now_s, age_s, gap_s = times
    pairs, wide, votes = np.empty(len(chosen)), np.empty(len(chosen)), np.empty(len(chosen))
    for k in range(len(chosen)):
        v = chosen[k]
        measure(m, p, v, step, now_s, age_s, out[k])
        pairs[k] = paired(p, v)
        wide[k] = paired_widely(p, v)
        votes[k] = p.votes[v, 0] + 2.0 * p.votes[v, 1]
    at, total, wide_total = FACTORS_AT + 6, pairs.sum() + 1e-9, wide.sum() + 1e-9
    places(pairs, out[:, at])
    places(wide, out[:, at + 1])
    places(votes, out[:, at + 2])
    for k in range(len(chosen)):
        out[k, at + 3] = np.log1p(100.0 * pairs[k] / total)
        out[k, at + 4] = np.log1p(100.0 * wide[k] / wide_total)
        out[k, at + 5] = np.log(0.001 + pairs[k])
        out[k, at + 6] = np.log(0.001 + wide[k])
        out[k, at + 7] = np.log1p(step)
        out[k, at + 8] = np.log1p(age_s)
        out[k, at + 9] = np.log1p(gap_s)
        out[k, WIDTH - 1] = np.log1p(50.0 * total)
