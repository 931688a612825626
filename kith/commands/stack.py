"""`kith up | down | status | doctor`: the local stack."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from kith.commands.arguments import add, settings
from kith.terminal import print_json, say, table


def register(commands: Any) -> None:
    """Add the commands of the local stack."""
    add(commands, "up", "start Neo4j, broker, workers, scheduler and API on this machine", up)
    add(commands, "down", "stop what `kith up` started", down)
    add(commands, "status", "show the processes of the local stack", status)
    add(commands, "doctor", "find what is wrong on this machine and say the cure", doctor)


def up(arguments: argparse.Namespace) -> int:
    """Start the stack and wait until every part answers."""
    from kith import stack

    chosen = settings()
    started = stack.up(chosen)
    addresses = stack.addresses(chosen)
    if arguments.json:
        print_json({"started": started, **addresses})
        return 0
    say("Kith is up." if started else "Kith is already up.")
    for name, address in addresses.items():
        say(f"  {name:<14} {address}")
    say("  stop it with   kith down")
    return 0


def down(arguments: argparse.Namespace) -> int:
    """Stop the stack."""
    from kith import stack

    stopped = stack.down(settings())
    if arguments.json:
        print_json({"stopped": stopped})
    else:
        say("Kith is down." if stopped else "Kith was not up.")
    return 0


def status(arguments: argparse.Namespace) -> int:
    """Show each process; exit code 1 when one is not healthy."""
    from kith import stack

    found = stack.status(settings())
    if arguments.json:
        print_json(asdict(found))
    elif not found.processes:
        say("Kith is not up: start it with `kith up`.")
    else:
        rows = [
            (p.name, p.pid, p.state, p.port, p.restarts, p.uptime_s, round(p.pss_mb), round(p.peak_pss_mb))
            for p in found.processes
        ]
        table(("process", "pid", "state", "port", "restarts", "up s", "PSS MB", "peak MB"), rows)
    return 0 if found.healthy else 1


def doctor(arguments: argparse.Namespace) -> int:
    """Show every check; exit code 1 when one found a fault."""
    from kith import doctor as checks

    findings = checks.doctor()
    if arguments.json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            word = "PROBLEM" if not finding.ok else "note" if finding.note else "ok"
            say(f"{word:<7}  {finding.name}: {finding.detail}")
            if finding.cure and word != "ok":
                say(f"         cure: {finding.cure}")
    return 0 if all(finding.ok for finding in findings) else 1
