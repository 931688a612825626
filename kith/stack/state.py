"""What the supervisor tells the world: one JSON file, written whole; and who is still alive of those it names."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson
import psutil

from graph.settings import Settings


@dataclass(slots=True, kw_only=True)
class ProcessStatus:
    """One process as the supervisor saw it last; `state` is one of waiting, starting, well, unwell, done, stopped."""

    name: str
    state: str = "waiting"
    pid: int = 0
    start_mark: float = 0.0
    port: int | None = None
    restarts: int = 0
    uptime_s: int = 0
    pss_mb: float = 0.0
    peak_pss_mb: float = 0.0
    log: str = ""
    problem: str = ""

    @property
    def is_well(self) -> bool:
        """Whether it runs and answers, or has done what it had to do."""
        return self.state in ("well", "done")


@dataclass(slots=True, kw_only=True)
class StackStatus:
    """The whole stack; `phase` is one of down, starting, up, stopping, failed."""

    phase: str = "down"
    pid: int = 0
    start_mark: float = 0.0
    problem: str = ""
    peak_sum_mb: float = 0.0
    written_at: float = 0.0
    processes: list[ProcessStatus] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether the stack is up and every process is well."""
        return self.phase == "up" and all(process.is_well for process in self.processes)


def state_file(settings: Settings) -> Path:
    """Return where the state lies."""
    return settings.home / "run" / "state.json"


def write(settings: Settings, status: StackStatus) -> None:
    """Write the state, whole or not at all."""
    file = state_file(settings)
    partial = file.with_suffix(".partial")
    status.written_at = time.time()
    partial.write_bytes(orjson.dumps(asdict(status), option=orjson.OPT_INDENT_2))
    partial.replace(file)


def read(settings: Settings) -> StackStatus:
    """Read the state; without a file, or with one that is no state, the stack is down."""
    try:
        table = orjson.loads(state_file(settings).read_bytes())
        listed = [ProcessStatus(**row) for row in table.pop("processes")]
        return StackStatus(**table, processes=listed)
    except (OSError, ValueError, KeyError, TypeError):
        return StackStatus()


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
