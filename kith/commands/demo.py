"""`kith demo`: the main job on a generated world, from an empty machine to answers."""

from __future__ import annotations

import argparse
from typing import Any

from kith.commands.arguments import add, settings


def register(commands: Any) -> None:
    """Add the demo."""
    demo = add(commands, "demo", "run the main job on a generated world and leave the stack up", run)
    demo.add_argument("--users", type=int, default=5_000, metavar="N")
    demo.add_argument("--items", type=int, default=2_000, metavar="N")
    demo.add_argument("--events", type=int, default=200_000, metavar="N")
    demo.add_argument("--seed", type=int, default=7, metavar="S")
    demo.add_argument("--once", action="store_true", help="stop the stack at the end")


def run(arguments: argparse.Namespace) -> int:
    """Run the demo."""
    from kith.demo.run import DemoSettings, run_demo

    wanted = DemoSettings(
        users=arguments.users,
        items=arguments.items,
        events=arguments.events,
        seed=arguments.seed,
        once=arguments.once,
        as_json=arguments.json,
    )
    return run_demo(settings(), wanted)
