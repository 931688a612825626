"""Walk along running cascades: candidates and signals of every position, from memory and the prefix alone."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from engine.propagation.nextsharer.memory import EVENTS, FADE, Floats, Memory
from engine.propagation.nextsharer.sequences import LONGEST, Float, Int

ROWS = 8
STATES = ((0, 0.5), (0, 0.9), (1, 0.8), (1, 0.95), (1, 1.0), (2, 0.9), (2, 1.0), (3, 0.5), (3, 0.9), (4, 0.0),
          (4, 0.8), (5, 0.9), (5, 1.0), (6, 0.5), (6, 0.95), (7, 0.8), (7, 1.0))
S = len(STATES)
OF_ROW = np.array([row for row, _ in STATES])
FADES = np.array([fade for _, fade in STATES])
NAMES = (
    "near5", "near9", "mid8", "mid95", "mid1", "later9", "later1", "quick5", "quick9", "last",
    "next8", "before9", "before1", "fresh5", "fresh95", "share8", "share1",
    "best", "supporters", "supporters8", "supported_share", "ago",
    "knn_all", "knn_next", "knn_best", "knn_behind",
    "count", "lately", "hour", "day", "since", "place", "place_now", "delay", "delay_now", "roots",
    "out_all", "out_last", "in_all", "in_last", "degree", "out_share",
    "near_factors", "last_factors", "near_same", "rank_counting", "rank_knn", "part_counting",
    "position", "age", "gap", "support",
)
F = len(NAMES)
NEIGHBOURS = 100
LISTS = (150, 60, 60, 60, 60, 60, 60)
MOST = sum(LISTS)


class Scratch(NamedTuple):
    row: Float  # (U, ROWS)
    touched: Int
    state: Float  # (U, S)
    extra: Float  # (U, 4): best, supporters, supporters8, last step
    active: Int
    is_active: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    sim: Float  # (C, 4) sim, last step, last place, matches
    near: Int
    is_near: NDArray[np.bool_]
    knn: Float  # (U, 4)
    voted: Int
    links: Float  # (U, 4)
    linked: Int
    is_linked: NDArray[np.bool_]


def scratch_of(m: Memory) -> Scratch:
    u, c = len(m.count), len(m.fresh)
    return Scratch(
        np.zeros((u, ROWS)), np.zeros(u, np.int64), np.zeros((u, S)), np.zeros((u, 4)), np.zeros(u, np.int64),
        np.zeros(u, np.bool_), np.zeros(u, np.bool_), np.zeros((c, 4)), np.zeros(c + 1, np.int64), np.zeros(c, np.bool_),
        np.zeros((u, 4)), np.zeros(u, np.int64), np.zeros((u, 4)), np.zeros(u, np.int64), np.zeros(u, np.bool_),
    )


GAPS = np.stack([0.5 ** np.arange(LONGEST + 1), FADE ** np.arange(LONGEST + 1)])


@numba.njit(cache=True)
def gather(m, s, u, step):
    """Fill rows of users who came with u; returns number touched. Also updates sim of cascades."""
    n = 0
    last = m.event_ptr[u + 1]
    total = last - m.event_ptr[u]
    idf = np.log(1.0 + len(m.fresh) / (1.0 + total))
    for k in range(max(m.event_ptr[u], last - EVENTS), last):
        e = m.event[k]
        c = m.cascade_of[e]
        end = m.indptr[c + 1]
        for f in range(m.indptr[c], end):
            if f == e:
                continue
            v = m.user[f]
            r = s.row[v]
            if r[2] == 0.0 and r[5] == 0.0:
                s.touched[n] = v
                n += 1
            if f > e:
                g = f - e - 1
                mid = GAPS[1, g]
                r[0] += GAPS[0, g]
                r[1] += mid
                r[2] += 1.0
                r[3] += np.exp((m.time_s[e] - m.time_s[f]) / 3600.0)
                if g == 0:
                    r[4] += 1.0
                r[6] += m.fresh[c] * mid
                r[7] += 1.0 / (end - e - 1)
            else:
                r[5] += GAPS[1, e - f - 1]
        q = s.sim[c]
        q[0] = q[0] * 0.95 ** (step - q[1]) + idf
        q[1], q[2] = step, e - m.indptr[c]
        q[3] += 1.0
        if not s.is_near[c]:
            s.is_near[c] = True
            near = s.near
            near[0] += 1
            near[near[0]] = c
    return n


@numba.njit(cache=True)
def advance(m, s, u, step, n_active):
    for k in range(n_active):
        v = s.active[k]
        for j in range(S):
            s.state[v, j] *= FADES[j]
        s.extra[v, 2] *= 0.8
    n = gather(m, s, u, step)
    size = m.count[u]
    scale = 1.0 / (size + 0.5)
    for k in range(n):
        v = s.touched[k]
        if not s.is_active[v]:
            s.is_active[v] = True
            s.active[n_active] = v
            n_active += 1
        for j in range(S):
            s.state[v, j] += scale * s.row[v, OF_ROW[j]]
        if s.row[v, 2] > 0.0:
            x = s.extra[v]
            x[0] = max(x[0], s.row[v, 1] / (size + 2.0))
            x[1] += 1.0
            x[2] += 1.0
            x[3] = step
        s.row[v, :] = 0.0
    return n_active


@numba.njit(cache=True)
def link(m, s, u, n_linked):
    for k in range(n_linked):
        v = s.linked[k]
        s.links[v, 1] = 0.0
        s.links[v, 3] = 0.0
    for side in range(2):
        ptr = m.out_ptr if side == 0 else m.in_ptr
        to = m.out_user if side == 0 else m.in_user
        for k in range(ptr[u], ptr[u + 1]):
            v = to[k]
            if not s.is_linked[v]:
                s.is_linked[v] = True
                s.linked[n_linked] = v
                n_linked += 1
            s.links[v, 2 * side] += 1.0
            s.links[v, 2 * side + 1] = 1.0
    return n_linked


@numba.njit(cache=True)
def vote(m, s, step):
    """Fill knn votes; returns number voted."""
    total = s.near[0]
    weight = np.empty(total)
    for k in range(total):
        c = s.near[k + 1]
        q = s.sim[c]
        weight[k] = q[0] * 0.95 ** (step - q[1]) * q[3] / np.sqrt(m.indptr[c + 1] - m.indptr[c] + 5.0)
    order = np.argsort(-weight)[:NEIGHBOURS] if total > NEIGHBOURS else np.argsort(-weight)
    n = 0
    for k in order:
        c, w = s.near[k + 1], weight[k]
        start = m.indptr[c]
        for f in range(start, m.indptr[c + 1]):
            v = m.user[f]
            if s.inside[v]:
                continue
            x = s.knn[v]
            if x[0] == 0.0:
                s.voted[n] = v
                n += 1
            x[0] += w
            gap = f - start - int(s.sim[c, 2])
            if gap > 0:
                x[1] += w * GAPS[1, gap - 1]
            else:
                x[3] += w * GAPS[1, -gap]
            x[2] = max(x[2], w)
    return n


@numba.njit(cache=True)
def pick(value, of, k, chosen, marks, n):
    """Add the k users of largest positive value, best first; `of` users of each value."""
    if len(value) == 0:
        return n
    kept = np.argsort(-value)[:k] if len(value) <= 4 * k else np.argpartition(-value, k)[:k]
    for at in kept:
        v = of[at]
        if value[at] > 0.0 and not marks[v]:
            marks[v] = True
            chosen[n] = v
            n += 1
    return n


@numba.njit(cache=True)
def candidates(m, s, n_active, n_voted, n_linked, close, chosen, marks):
    n = 0
    act = s.active[:n_active]
    value = np.zeros(n_active)
    for source in range(3):
        for k in range(n_active):
            v = act[k]
            x = s.state[v]
            if s.inside[v]:
                value[k] = 0.0
            elif source == 0:
                value[k] = x[3] + x[9] + x[0]
            elif source == 1:
                value[k] = x[14] + x[13]
            else:
                value[k] = (x[6] + x[12]) / (m.count[v] + 1.0) ** 0.5
        n = pick(value, act, LISTS[source], chosen, marks, n)
    value = np.empty(n_voted)
    for k in range(n_voted):
        x = s.knn[s.voted[k]]
        value[k] = x[0] + 2.0 * x[1]
    n = pick(value, s.voted[:n_voted], LISTS[3], chosen, marks, n)
    value = np.empty(n_linked)
    for k in range(n_linked):
        v = s.linked[k]
        x = s.links[v]
        value[k] = 0.0 if s.inside[v] else (x[0] + x[2] + x[1] + x[3]) * (1.0 + m.count[v])
    n = pick(value, s.linked[:n_linked], LISTS[4], chosen, marks, n)
    added = 0
    for v in m.busiest:
        if added == LISTS[5]:
            break
        if s.inside[v]:
            continue
        added += 1
        if not marks[v]:
            marks[v] = True
            chosen[n] = v
            n += 1
    value = m.receives @ close
    kept = np.argpartition(-value, min(len(value) - 1, LISTS[6]))[: LISTS[6]]
    for v in kept:
        if value[v] > 0.0 and not marks[v] and not s.inside[v]:
            marks[v] = True
            chosen[n] = v
            n += 1
    for k in range(n):
        marks[chosen[k]] = False
    return n


@numba.njit(cache=True)
def before(times, start, end, now):
    """Number of times[start:end] <= now."""
    return np.searchsorted(times[start:end], now, side="right")


@numba.njit(cache=True)
def fill(m, s, v, step, now, age, out):
    x, e, k, l = s.state[v], s.extra[v], s.knn[v], s.links[v]
    for j in range(S):
        out[j] = np.log1p(50.0 * x[j])
    out[S] = np.log1p(50.0 * e[0])
    out[S + 1] = np.log1p(e[1])
    out[S + 2] = np.log1p(e[2])
    out[S + 3] = e[1] / step
    out[S + 4] = np.log1p(step - 1 - e[3]) if e[1] > 0 else 6.0
    at = S + 5
    for j in range(4):
        out[at + j] = np.log1p(10.0 * k[j])
    at += 4
    out[at] = np.log1p(m.count[v])
    out[at + 1] = np.log1p(m.lately[v])
    a, b = m.event_ptr[v], m.event_ptr[v + 1]
    known = before(m.acted_s, a, b, now)
    out[at + 2] = np.log1p(known - before(m.acted_s, a, b, now - 3600.0))
    out[at + 3] = np.log1p(known - before(m.acted_s, a, b, now - 86400.0))
    out[at + 4] = np.log1p(now - m.acted_s[a + known - 1]) if known > 0 else 20.0
    out[at + 5] = m.place[v]
    out[at + 6] = abs(np.log2(1.0 + step) - m.place[v])
    out[at + 7] = m.delay[v]
    out[at + 8] = abs(np.log2(1.0 + age) - m.delay[v])
    out[at + 9] = np.log1p(m.roots[v])
    at += 10
    degree = m.out_ptr[v + 1] - m.out_ptr[v] + m.in_ptr[v + 1] - m.in_ptr[v]
    out[at] = np.log1p(l[0])
    out[at + 1] = l[1]
    out[at + 2] = np.log1p(l[2])
    out[at + 3] = l[3]
    out[at + 4] = np.log1p(degree)
    out[at + 5] = (l[0] + l[2]) / (1.0 + degree)


@numba.njit(cache=True)
def rank_in(values, out):
    order = np.argsort(-values)
    for r in range(len(order)):
        out[order[r]] = np.log1p(r)


@numba.njit(cache=True)
def ask(m, s, n_active, n_linked, close, last_close, same, step, now, age, gap, chosen, marks, out):
    n_voted = vote(m, s, step)
    n = candidates(m, s, n_active, n_voted, n_linked, close, chosen, marks)
    score, knn = np.empty(n), np.empty(n)
    for k in range(n):
        v = chosen[k]
        fill(m, s, v, step, now, age, out[k])
        x = s.state[v]
        score[k] = x[3] + x[9] + x[0]
        knn[k] = s.knn[v, 0] + 2.0 * s.knn[v, 1]
        out[k, F - 10] = np.dot(m.receives[v], close)
        out[k, F - 9] = np.dot(m.receives[v], last_close)
        out[k, F - 8] = np.dot(m.receives[v], same)
    rank_in(score, out[:n, F - 7])
    rank_in(knn, out[:n, F - 6])
    total = score.sum() + 1e-9
    for k in range(n):
        out[k, F - 5] = np.log1p(100.0 * score[k] / total)
        out[k, F - 4] = np.log1p(step)
        out[k, F - 3] = np.log1p(age)
        out[k, F - 2] = np.log1p(gap)
        out[k, F - 1] = np.log1p(50.0 * total)
    for k in range(n_voted):
        s.knn[s.voted[k], :] = 0.0
    return n


@numba.njit(cache=True)
def reset(s, n_active, n_linked):
    for k in range(n_active):
        v = s.active[k]
        s.state[v, :] = 0.0
        s.extra[v, :] = 0.0
        s.is_active[v] = False
    for k in range(n_linked):
        v = s.linked[k]
        s.links[v, :] = 0.0
        s.is_linked[v] = False
    for k in range(s.near[0]):
        c = s.near[k + 1]
        s.sim[c, :] = 0.0
        s.is_near[c] = False
    s.near[0] = 0


@numba.njit(cache=True)
def walk(m, s, users, times, asked, signals, user, counts):
    """One cascade; asked (L,) bool; returns rows written."""
    n_active = n_linked = 0
    rows = q = 0
    chosen = np.empty(MOST, np.int64)
    marks = np.zeros(len(m.count), np.bool_)
    close = np.zeros(m.sends.shape[1], np.float32)
    same = np.zeros(m.sends.shape[1], np.float32)
    end = 0
    for t in range(len(users)):
        if asked[t]:
            end = t
    for t in range(end + 1):
        if t > 0 and asked[t]:
            n = ask(m, s, n_active, n_linked, close, m.sends[users[t - 1]], same, t, times[t - 1],
                    times[t - 1] - times[0], times[t - 1] - times[max(t - 2, 0)], chosen, marks, signals[rows:])
            user[rows : rows + n] = chosen[:n]
            counts[q] = n
            rows += n
            q += 1
        if t < end:
            u = users[t]
            s.inside[u] = True
            n_active = advance(m, s, u, t, n_active)
            n_linked = link(m, s, u, n_linked)
            close = np.float32(0.9) * close + m.sends[u]
            same = np.float32(0.9) * same + m.receives[u]
    for t in range(end):
        s.inside[users[t]] = False
    reset(s, n_active, n_linked)
    return rows
