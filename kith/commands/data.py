"""`kith import | export-graph`: folders in and out."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kith.commands.arguments import add, add_subgraph, connect, settings, subgraph
from kith.terminal import print_json, progress, say, table


def register(commands: Any) -> None:
    """Add the commands that move folders."""
    load = add(commands, "import", "load a folder of users, items, friendships and events", import_folder)
    load.add_argument("folder", type=Path, metavar="DIR")
    load.add_argument("--format", default="auto", help="auto (default), kith, or a public benchmark form")
    load.add_argument("--bulk", action="store_true", help="fill the empty, stopped local store by Neo4j's import tool")
    export = add(commands, "export-graph", "write the consented graph as a snapshot folder", export_graph)
    export.add_argument("folder", type=Path, metavar="DIR")
    add_subgraph(export)


def import_folder(arguments: argparse.Namespace) -> int:
    """Load a folder; exit code 0 also when rows were quarantined, because the good rows are in."""
    if arguments.bulk:
        from graph import bulk

        with progress("import") as show:
            report = bulk.load_folder(settings(), arguments.folder, fmt=arguments.format, progress=show)
    else:
        from graph import files

        with connect() as graph, progress("import") as show:
            report = files.import_folder(graph, settings(), arguments.folder, fmt=arguments.format, progress=show)
    if arguments.json:
        print_json(asdict(report))
        return 0
    table(("table", "good rows"), report.rows.items(), title=f"{report.dataset} ({report.form})")
    say(f"events: {report.accepted:,} new, {report.duplicates:,} already there")
    say(f"{sum(report.rows.values()):,} rows in {report.seconds:.1f} s ({report.rows_per_s:,.0f} rows/s)")
    if arguments.bulk:
        say("the store is filled: start it with `kith up`")
    if report.quarantined:
        say(f"{report.quarantined:,} bad rows, each with its reason: {report.quarantine}")
    return 0


def export_graph(arguments: argparse.Namespace) -> int:
    """Write the graph as a snapshot folder."""
    from engine import artifact
    from graph import snapshot

    begin = time.perf_counter()
    with connect() as graph, progress("export") as show:
        snapshot.settle(graph)
        taken = snapshot.export(
            graph,
            settings(),
            subgraph(arguments),
            progress=lambda part, doing: show("percent", int(100 * part), 100, doing),
        )
    artifact.write_snapshot(taken, arguments.folder)
    counts = {
        "users": len(taken.users),
        "items": len(taken.items),
        "interactions": len(taken.interactions),
        "friends": len(taken.friends),
        "shares": len(taken.shares),
    }
    seconds = time.perf_counter() - begin
    if arguments.json:
        print_json({"snapshotId": taken.snapshot_id, "folder": str(arguments.folder), **counts, "seconds": seconds})
    else:
        said = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        say(f"{taken.snapshot_id}: {said} in {seconds:.1f} s -> {arguments.folder}")
    return 0
