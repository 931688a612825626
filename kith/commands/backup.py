"""`kith backup DIR` and `kith restore DIR`: the local graph, its models and the signing key."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from kith.commands.arguments import add, settings
from kith.terminal import print_json, say


def register(commands: Any) -> None:
    """Add the two commands."""
    command = add(commands, "backup", "stop Kith, write graph, models and signing key into a folder, start it", backup)
    command.add_argument("folder", type=Path, metavar="DIR", help="a folder that does not exist yet, or is empty")
    command = add(commands, "restore", "put a backup in the place of this home's graph", restore)
    command.add_argument("folder", type=Path, metavar="DIR", help="what `kith backup` wrote")
    command.add_argument("--force", action="store_true", help="put a graph that is there aside")


def backup(arguments: argparse.Namespace) -> int:
    """Write a backup and say how long Kith was down."""
    from kith import backup as work

    made = work.backup(settings(), arguments.folder.absolute(), _step)
    if arguments.json:
        print_json(
            {"folder": str(made.folder), "files": made.files, "bytes": made.size_bytes, "downtimeS": made.downtime_s}
        )
    else:
        say(f"{made.folder}: {made.files} files, {made.size_bytes / 2**20:.1f} MB; Kith was down {made.downtime_s:g} s")
        say("It holds personal data and the signing key, not Neo4j's password: keep it like the store itself.")
    return 0


def restore(arguments: argparse.Namespace) -> int:
    """Restore a backup into the home of this machine."""
    from kith import backup as work

    done = work.restore(settings(), arguments.folder.absolute(), _step, force=arguments.force)
    old = str(done.old) if done.old else None
    if arguments.json:
        print_json({"modelVersion": done.model_version, "old": old})
        return 0
    say(f"Restored; published is {done.model_version or 'no model'}. Start it with   kith up")
    if old:
        say(f"What was there before lies in {old}: delete it when all is well.")
    return 0


def _step(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
