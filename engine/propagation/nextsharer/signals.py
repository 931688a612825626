"""The signals of a candidate, by name; mostly logarithms of what the prefix calls to mind."""

from __future__ import annotations

import numba
import numpy as np

from engine.propagation.nextsharer.linear import Floats
from engine.propagation.nextsharer.memory import Memory
from engine.propagation.nextsharer.prefix import AGO, BEST, STATES, SUPPORTERS, SUPPORTERS_LATELY, Prefix
from engine.propagation.nextsharer.sequences import Float

PAIR_NAMES = (
    *("near5", "near9", "mid8", "mid95", "mid1", "later9", "later1", "quick5", "quick9", "last", "next8"),
    *("before9", "before1", "fresh5", "fresh95", "part8", "part1", "later8"),
    *("best", "supporters", "supporters8", "supported_part", "ago"),
)
VOTE_NAMES = ("votes", "votes_next", "votes_best", "votes_behind")
USER_NAMES = (*("count", "lately", "hour", "day", "since", "place", "place_off", "delay", "delay_off", "roots"),)
LINK_NAMES = ("out_all", "out_last", "in_all", "in_last", "degree", "linked_part")
FACTOR_NAMES = ("factors", "factors_last", "factors_alike")
LINEAR_NAMES = ("linear9", "linear1", "rank_linear")
AMONG_NAMES = ("rank_pairs", "rank_wide", "rank_votes", "part_pairs", "part_wide", "pairs", "wide")
CASCADE_NAMES = ("position", "age", "gap", "all_pairs")
NAMES = (
    *(*PAIR_NAMES, *VOTE_NAMES, *USER_NAMES, *LINK_NAMES),
    *(*FACTOR_NAMES, *LINEAR_NAMES, *AMONG_NAMES, *CASCADE_NAMES),
)
GROUPS = {
    "pairs": (*PAIR_NAMES, "rank_pairs", "rank_wide", "part_pairs", "part_wide", "pairs", "wide", "all_pairs"),
    "votes": (*VOTE_NAMES, "rank_votes"),
    "activity": USER_NAMES,
    "links": LINK_NAMES,
    "factors": FACTOR_NAMES,
    "linear": LINEAR_NAMES,
}
"""Groups that an ablation leaves out."""
WIDTH = len(NAMES)
_S = len(STATES)
_VOTES = len(PAIR_NAMES)
_USER = _VOTES + len(VOTE_NAMES)
_LINKS = _USER + len(USER_NAMES)
FACTORS_AT = _LINKS + len(LINK_NAMES)
NEVER_AGO, NEVER_SINCE = 6.0, 20.0
"""Stand for the logarithm of steps and seconds where there is nothing to count from."""


@numba.njit(cache=True)
def measure(  # noqa: PLR0917 - numba takes positions
    m: Memory, p: Prefix, v: int, step: int, now_s: float, age_s: float, out: Floats
) -> None:
    """Write the signals of v up to FACTORS_AT: pairs, votes, the user's own, links.

    Args:
        m: of the past.
        p: of the prefix.
        v: the candidate.
        step: users of the prefix, >= 1.
        now_s: time of its last event; what v did later is not looked at.
        age_s: seconds since its first.
        out: (WIDTH,) is written.
    """
    extra, votes, links = p.extra[v], p.votes[v], p.links[v]
    for j in range(_S):
        out[j] = np.log1p(50.0 * p.state[v, j])
    out[_S] = np.log1p(50.0 * extra[BEST])
    out[_S + 1] = np.log1p(extra[SUPPORTERS])
    out[_S + 2] = np.log1p(extra[SUPPORTERS_LATELY])
    out[_S + 3] = extra[SUPPORTERS] / step
    out[_S + 4] = np.log1p(step - 1 - extra[AGO]) if extra[SUPPORTERS] > 0 else NEVER_AGO
    for j in range(4):
        out[_VOTES + j] = np.log1p(10.0 * votes[j])
    _activity(m, v, now_s, out)
    out[_USER + 5] = m.place[v]
    out[_USER + 6] = abs(np.log2(1.0 + step) - m.place[v])
    out[_USER + 7] = m.delay[v]
    out[_USER + 8] = abs(np.log2(1.0 + age_s) - m.delay[v])
    out[_USER + 9] = np.log1p(m.roots[v])
    degree = m.out_ptr[v + 1] - m.out_ptr[v] + m.in_ptr[v + 1] - m.in_ptr[v]
    out[_LINKS] = np.log1p(links[0])
    out[_LINKS + 1] = links[1]
    out[_LINKS + 2] = np.log1p(links[2])
    out[_LINKS + 3] = links[3]
    out[_LINKS + 4] = np.log1p(degree)
    out[_LINKS + 5] = (links[0] + links[2]) / (1.0 + degree)


@numba.njit(cache=True)
def _activity(m: Memory, v: int, now_s: float, out: Floats) -> None:
    acted = m.acted_s[m.event_ptr[v] : m.event_ptr[v + 1]]
    known = np.searchsorted(acted, now_s, side="right")
    out[_USER] = np.log1p(m.count[v])
    out[_USER + 1] = np.log1p(m.lately[v])
    out[_USER + 2] = np.log1p(known - np.searchsorted(acted[:known], now_s - 3_600.0, side="right"))
    out[_USER + 3] = np.log1p(known - np.searchsorted(acted[:known], now_s - 86_400.0, side="right"))
    out[_USER + 4] = np.log1p(now_s - acted[known - 1]) if known > 0 else NEVER_SINCE


@numba.njit(cache=True)
def places(value: Float, out: Floats) -> None:
    """Write log(1 + place), from 0, of each value among all, the largest first."""
    order = np.argsort(-value)
    for place in range(len(order)):
        out[order[place]] = np.log1p(place)
