"""Small folders of cascades and links."""

from __future__ import annotations

from pathlib import Path

import numpy as np

HAND = """\
5 7 1000,9 1010,
1 2 100,3 110,4 130,
2 3 200,
4 1 300,2 310,
1 3 400,4 405,
3 1 500,
2 4 600,
1 4 700,3 710,
2 1 800,
3 2 900,4 910,
8 1 1100,2 1200,
"""
"""Eleven cascades; the first line begins last but one."""
HAND_LINKS = "1,2\n2,1\n2,3\n4,2\n7,9\n9,5\n1,8\n6,2\n"


def hand(folder: Path) -> Path:
    (folder / "cascades.txt").write_text(HAND)
    (folder / "edges.txt").write_text(HAND_LINKS)
    return folder


def taught(folder: Path, cascades: int = 300, users: int = 60, seed: int = 0) -> Path:
    """Write cascades of two circles: who is of the root's circle joins with chance .35, others with .02."""
    rng = np.random.default_rng(seed)
    lines = []
    circle = np.arange(users) % 2
    for number in range(cascades):
        root = int(rng.integers(users))
        joins = rng.random(users) < np.where(circle == circle[root], 0.35, 0.02)
        joins[root] = False
        order = rng.permutation(np.flatnonzero(joins))
        if not len(order):
            continue
        start = 1_000 * number
        times = start + np.sort(rng.integers(1, 50_000, len(order)))
        times[0] = start
        lines.append(f"{root} " + ",".join(f"{u} {t}" for u, t in zip(order, times, strict=True)) + ",")
    (folder / "cascades.txt").write_text("\n".join(lines) + "\n")
    links = {(int(a), int(b)) for a, b in rng.integers(0, users, (8 * users, 2)) if a != b}
    (folder / "edges.txt").write_text("".join(f"{a},{b}\n" for a, b in sorted(links)))
    return folder
