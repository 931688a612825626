"""Whether a process still runs, told apart from any other that gets its number later. Loads nothing of Kith's."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil


def start_mark(pid: int) -> float:
    """Return a number that tells this process from any other that gets its pid later; 0 when there is no such process.

    On Linux it is the start in clock ticks since boot, which no change of the clock moves; elsewhere the start time.
    """
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return 0.0 if words[0] == "Z" else float(words[19])
    except FileNotFoundError:
        pass
    except OSError:
        return 0.0
    try:
        process = psutil.Process(pid)
        return 0.0 if psutil.LINUX or process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.Error, ValueError):
        return 0.0


def is_alive(pid: int, mark: float) -> bool:
    """Whether the very process with this pid and mark still runs; a pid that was given to another does not count."""
    return pid > 0 and mark > 0 and start_mark(pid) == mark


def name(pid: int | None = None) -> str:
    """Return what names a process for good: `host/numbering#pid#start`."""
    pid = os.getpid() if pid is None else pid
    return f"{_place()}#{pid}#{start_mark(pid):.0f}"


def is_gone(named: str) -> bool:
    """Whether the process with this name has ended for certain; of one that ran elsewhere nothing is known."""
    place, _, rest = named.partition("#")
    pid, _, mark = rest.partition("#")
    return place == _place() and pid.isdigit() and f"{start_mark(int(pid)):.0f}" != mark


def is_here(named: str) -> bool:
    """Whether the name is one of this machine, or of this container."""
    return named.partition("#")[0] == _place()


def _place() -> str:
    """Name the machine and, in it, the numbering of processes: containers may share a host's name."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        namespace = "pid"
    return f"{socket.gethostname()}/{namespace}"
