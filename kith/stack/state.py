"""What the supervisor tells the world: one JSON file, written whole."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

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
