"""Random numbers inside numba loops: one independent, repeatable stream per chunk of work.

numba's own generator is global per thread, so results would depend on the number of threads. Here chunk c of a run
with seed s always draws from stream (s, c). The generator is xoroshiro128+ seeded by splitmix64 (Blackman and Vigna,
Scrambled linear pseudorandom number generators, ACM TOMS 2021); only its upper bits are used.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

_TO_UNIT = 1.0 / (1 << 53)


@numba.njit(cache=True, inline="always")
def _mix(z: np.uint64) -> np.uint64:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@numba.njit(cache=True, nogil=True)
def stream(seed: int, chunk: int) -> NDArray[np.uint64]:
    """Return the state, (2,) uint64, of stream `chunk` of `seed`."""
    step = np.uint64(0x9E3779B97F4A7C15)
    base = _mix(np.uint64(seed) * step + np.uint64(0x632BE59BD9B4E019)) ^ _mix(np.uint64(chunk) + step)
    state = np.empty(2, np.uint64)
    state[0] = _mix(base + step)
    state[1] = _mix(base + step + step) | np.uint64(1)  # never the all-zero state
    return state


@numba.njit(cache=True, inline="always")
def next_bits(state: NDArray[np.uint64]) -> np.uint64:
    """Advance the stream and return 64 bits."""
    s0, s1 = state[0], state[1]
    result = s0 + s1
    s1 ^= s0
    state[0] = ((s0 << np.uint64(24)) | (s0 >> np.uint64(40))) ^ s1 ^ (s1 << np.uint64(16))
    state[1] = (s1 << np.uint64(37)) | (s1 >> np.uint64(27))
    return result


@numba.njit(cache=True, inline="always")
def next_unit(state: NDArray[np.uint64]) -> float:
    """Advance the stream and return a number in [0, 1)."""
    return np.float64(next_bits(state) >> np.uint64(11)) * _TO_UNIT


def seed_from(rng: np.random.Generator) -> int:
    """Return a seed for `stream` drawn from an explicit generator."""
    return int(rng.integers(0, 2**62))
