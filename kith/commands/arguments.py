"""Arguments that several commands share, and how a command gets its settings and its connection."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graph.connection import Graph
    from graph.settings import Settings
    from graph.snapshot import SubgraphOptions

Run = Callable[[argparse.Namespace], int | None]


def add(commands: Any, name: str, about: str, run: Run) -> argparse.ArgumentParser:
    """Add a command with its one line of help and `--json`."""
    command = commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
    command.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    command.set_defaults(run=run)
    return command


UNITS_S = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def duration_s(text: str) -> float:
    """Return the seconds of a length of time such as `90s`, `15m`, `1h` or `2d`.

    Raises:
        argparse.ArgumentTypeError: it is none, or not positive.
    """
    try:
        value = float(text[:-1]) * UNITS_S[text[-1:]]
    except (ValueError, KeyError):
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a length of time: 90s, 15m, 1h, 2d")
    return value


def fraction(text: str) -> float:
    """Return a number from 0 to 1.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def settings() -> Settings:
    """Read the settings from the environment."""
    from graph.settings import Settings

    return Settings.load()


def connect() -> Graph:
    """Return a connection to the graph, its schema checked."""
    from graph import connection, schema

    graph = connection.connect(settings())
    schema.check(graph)
    return graph


def add_subgraph(command: argparse.ArgumentParser) -> None:
    """Add the options that choose a part of the graph."""
    part = command.add_argument_group("part of the graph")
    part.add_argument("--since", metavar="TIME", help="only events from this time on (ISO 8601)")
    part.add_argument("--category", help="only items of this category and who acted on them")
    part.add_argument("--community", help="only users whose property `community` has this value")
    part.add_argument("--seeds", type=Path, metavar="FILE", help="only users near those in FILE (one userId a line)")
    part.add_argument("--hops", type=int, default=1, metavar="N", help="how near, with --seeds (default 1)")


def subgraph(arguments: argparse.Namespace) -> SubgraphOptions:
    """Return the chosen part of the graph."""
    from graph.snapshot import SubgraphOptions

    seeds: tuple[str, ...] = ()
    if arguments.seeds:
        seeds = tuple(line.strip() for line in arguments.seeds.read_text(encoding="utf-8").splitlines() if line.strip())
    return SubgraphOptions(
        since=arguments.since,
        category=arguments.category,
        community=arguments.community,
        seeds=seeds,
        hops=arguments.hops,
    )
