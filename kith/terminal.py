"""What a person sees: tables, progress, one clear line for an error, and JSON as the last line when asked."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

QUIET_LINE_EVERY_S = 10.0
"""How often a stage says how far it is when the output is not a terminal."""


class Progress(Protocol):
    """A callback that long work calls: stage, done, total (0 where unknown), and what it is doing just now."""

    def __call__(self, stage: str, done: int, total: int, doing: str = "") -> None:
        """Say how far the stage is."""


def say(text: str = "") -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def fail(text: str) -> None:
    """Print one line of error."""
    print(f"kith: {text}", file=sys.stderr, flush=True)


def print_json(value: dict[str, Any]) -> None:
    """Print the object as one line of JSON."""
    import orjson

    say(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z).decode())


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> None:
    """Print rows under their headings; numbers are set to the right."""
    from rich.console import Console
    from rich.table import Table

    drawn = Table(title=title or None, title_justify="left", header_style="bold")
    listed = [list(row) for row in rows]
    for position, name in enumerate(columns):
        numeric = bool(listed) and all(isinstance(row[position], int | float) for row in listed)
        drawn.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        drawn.add_row(*(_shown(value) for value in row))
    Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(drawn)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@contextmanager
def progress(label: str = "") -> Iterator[Progress]:
    """Show the stages of a long job: a bar on a terminal, a line every few seconds elsewhere."""
    if sys.stderr.isatty():
        with _bars(label) as show:
            yield show
    else:
        yield _lines(label)


@contextmanager
def _bars(label: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn(f"{label} {{task.description}}".strip()),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int, doing: str = "") -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total or None)
            bars.update(tasks[stage], completed=done, total=total or None, description=f"{stage} {doing}".rstrip())

        yield show


def _lines(label: str) -> Progress:
    said_at: dict[str, float] = {}
    last: dict[str, str] = {}

    def show(stage: str, done: int, total: int, doing: str = "") -> None:
        now = time.monotonic()
        is_end = bool(total) and done >= total
        line = f"    {label} {stage}: {done:,}{f' of {total:,}' if total else ''} {doing}".rstrip()
        is_due = is_end or now - said_at.get(stage, -QUIET_LINE_EVERY_S) >= QUIET_LINE_EVERY_S
        if is_due and line != last.get(stage):
            said_at[stage], last[stage] = now, line
            say(line)

    return show
