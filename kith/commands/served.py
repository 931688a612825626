"""`kith served join`: lists that were served, and what came of them."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kith.commands.arguments import add, connect, settings
from kith.terminal import print_json, say


def register(commands: Any) -> None:
    """Add the commands on served lists."""
    group = commands.add_parser("served", help="lists that were served, and what came of them")
    parts = group.add_subparsers(dest="served_command", metavar="ACTION", required=True)
    join = add(parts, "join", "write listed items with propensity, clicks and purchases as Parquet", join_rewards)
    join.add_argument("out", type=Path, metavar="FILE", help="the file to write; it holds personal data")
    join.add_argument("--since", type=_time, metavar="TIME", help="lists served from this time on (ISO 8601)")
    join.add_argument("--until", type=_time, metavar="TIME", help="lists served before this time")


def join_rewards(arguments: argparse.Namespace) -> int:
    """Join served lists with the events that name them."""
    import pyarrow.parquet as pq

    from graph.rewards import SCHEMA, rewards

    sums = {"rows": 0, "clicks": 0, "carts": 0, "purchases": 0}
    partial = arguments.out.with_name(f".{arguments.out.name}.partial")
    try:
        with connect() as graph, pq.ParquetWriter(partial, SCHEMA, compression="zstd") as writer:
            for rows in rewards(graph, settings().served, arguments.since, arguments.until):
                writer.write_table(rows)
                sums["rows"] += rows.num_rows
                for name in ("clicks", "carts", "purchases"):
                    sums[name] += sum(rows[name].to_pylist())
        partial.replace(arguments.out)
    finally:
        partial.unlink(missing_ok=True)
    if arguments.json:
        print_json({"file": str(arguments.out), **sums})
    else:
        say(f"{arguments.out}: " + ", ".join(f"{count:,} {name}" for name, count in sums.items()))
    return 0


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO 8601 time") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
