"""Cascades for tests: lists of users, and a small world whose chains of users come again and again."""

from __future__ import annotations

import numpy as np

from engine.propagation.nextsharer.sequences import Sequences


def sequences(rows: list[list[int]], users: int, every_s: float = 1_000.0, gap_s: float = 10.0) -> Sequences:
    """One cascade a row; the n-th starts at n * every_s, its users share every gap_s."""
    lengths = [len(row) for row in rows]
    times = [place * every_s + gap_s * np.arange(length) for place, length in enumerate(lengths)]
    return Sequences(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate([np.array(row, np.int64) for row in rows]),
        np.concatenate(times).astype(np.float64),
        users,
    )


def chains(count: int, seed: int, *, users: int = 60, chain: int = 6) -> list[list[int]]:
    """Each cascade goes along one of the chains 0..5, 6..11, ..., two users left out, with a stranger in between."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        first = chain * rng.integers(users // chain)
        row = [int(user) for user in first + np.sort(rng.permutation(chain)[: chain - 2])]
        strangers = [user for user in range(users) if user not in range(first, first + chain)]
        row.insert(int(rng.integers(1, len(row))), int(rng.choice(strangers)))
        rows.append(row)
    return rows


def written(rows: list[list[int]], every_s: float = 1_000.0, gap_s: float = 10.0) -> str:
    """The same as the text of a cascades.txt."""
    return "\n".join(
        "".join(f"{user} {place * every_s + gap_s * at:.0f}," for at, user in enumerate(row))
        for place, row in enumerate(rows)
    )
