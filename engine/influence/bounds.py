"""How far counts of hits may lie from what is expected.

n independent sets, each hit or not, need not have the same chance. With x the share that is hit and q the expected
share, P(x >= a) <= exp(-n KL(a, q)) for a > q, and P(x <= a) likewise for a < q, where KL(a, q) = a ln(a / q) +
(1 - a) ln((1 - a) / (1 - q)) (Hoeffding, Probability inequalities for sums of bounded random variables, JASA 1963,
theorem 1). So each bound here fails with exp(-eta) at most, in units of hits.
"""

from __future__ import annotations

import math

import numba

STEPS = 60
"""Of bisection."""


@numba.njit(cache=True, nogil=True)
def lower(hits: float, sets: float, eta: float) -> float:
    """Return a lower bound of the expected hits among so many sets."""
    if hits <= 0.0 or sets <= 0.0:
        return 0.0
    share = min(hits / sets, 1.0)
    low, high = 0.0, share
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        if sets * _kl(share, middle) > eta:
            low = middle
        else:
            high = middle
    return sets * low


@numba.njit(cache=True, nogil=True)
def upper(hits: float, sets: float, eta: float) -> float:
    """Return an upper bound of the expected hits among so many sets."""
    if sets <= 0.0:
        return 0.0
    share = min(max(hits / sets, 0.0), 1.0)
    low, high = share, 1.0
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        if sets * _kl(share, middle) > eta:
            high = middle
        else:
            low = middle
    return sets * high


@numba.njit(cache=True, nogil=True)
def slack(hits: float, sets: float, eta: float) -> float:
    """Return by how much the expected hits of anything that hits at most `hits` of the sets may exceed its hits.

    The difference between `upper` and the hits grows with these while `upper` is below one half of the sets; behind,
    it stays below n sqrt(eta / 2n) (Pinsker's inequality).
    """
    high = upper(hits, sets, eta)
    return high - hits if high <= 0.5 * sets else math.sqrt(0.5 * eta * sets)


@numba.njit(cache=True, nogil=True)
def _kl(share: float, chance: float) -> float:
    """Return KL(share, chance), share in [0, 1] and chance in (0, 1)."""
    found = 0.0
    if share > 0.0:
        found += share * math.log(share / chance)
    if share < 1.0:
        found += (1.0 - share) * math.log((1.0 - share) / (1.0 - chance))
    return found
