"""The plan: the table of processes as a file, handed from `kith up` to the supervisor. It holds no secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from graph.settings import Settings
from kith.stack.table import Process


def write(settings: Settings, processes: Sequence[Process]) -> Path:
    """Write the table and return its file."""
    file = settings.home / "run" / "plan.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(orjson.dumps([asdict(process) for process in processes], option=orjson.OPT_INDENT_2))
    return file


def read(file: Path) -> list[Process]:
    """Read what `write` wrote."""
    return [
        Process(
            **row
            | {
                "command": tuple(row["command"]),
                "stop_signals": tuple((name, seconds) for name, seconds in row["stop_signals"]),
            }
        )
        for row in orjson.loads(file.read_bytes())
    ]
