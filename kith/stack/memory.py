"""Memory of a process and everything it started, as PSS: pages that several share are counted once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import psutil


def pss_mb(roots: Iterable[int]) -> dict[int, float]:
    """Return the PSS of each process tree, MB; a tree that is gone counts 0.

    Where the system does not tell PSS (macOS), the resident size stands in.
    """
    children: defaultdict[int, list[int]] = defaultdict(list)
    for process in psutil.process_iter(["ppid"]):
        children[process.info["ppid"]].append(process.pid)
    wanted = set(roots)
    return {root: sum(_one_mb(pid) for pid in _tree(root, children, wanted)) for root in wanted}


def _tree(root: int, children: dict[int, list[int]], roots: set[int]) -> list[int]:
    """Return a process and its descendants, without those that are roots themselves."""
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += [child for child in children.get(pid, ()) if child not in roots]
    return found


def _one_mb(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except FileNotFoundError:
        return _resident_mb(pid)
    except OSError:
        pass
    return 0.0


def _resident_mb(pid: int) -> float:
    try:
        return psutil.Process(pid).memory_info().rss / 2**20
    except psutil.Error:
        return 0.0
