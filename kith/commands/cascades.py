"""`kith cascades list | show | spread | recompute | learn | alerts`: where shares spread."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from kith.commands.arguments import add, connect, duration_s, settings
from kith.terminal import print_json, progress, say, table

SHOWN_FORECASTS = 5
"""The newest so many; `--json` has all."""


def register(commands: Any) -> None:
    """Add the commands on cascades."""
    group = commands.add_parser("cascades", help="cascades of shares: list, show, spread, count anew, learn, alerts")
    parts = group.add_subparsers(dest="cascades_command", metavar="ACTION", required=True)
    listed = add(parts, "list", "list cascades, those first in which most was shared lately", list_cascades)
    listed.add_argument("--all", action="store_true", help="also those in which nothing was shared for a day")
    listed.add_argument("--item", metavar="ITEM", help="only of this item")
    listed.add_argument("--campaign", metavar="CAMPAIGN", help="only of this campaign")
    listed.add_argument("--limit", type=int, default=20, metavar="N", help="at most N (default 20)")
    show = add(parts, "show", "show one cascade by any of its shares: numbers and tree", show_cascade)
    show.add_argument("share", metavar="SHARE")
    show.add_argument("--limit", type=int, default=50, metavar="N", help="at most N shares (default 50)")
    _register_spread(add(parts, "spread", "report how shares spread, by item, channel, campaign or day", spread))
    add(parts, "learn", "learn now how cascades grow; the scheduler does it once a day", learn)
    told = add(parts, "alerts", "list the newest alerts on unusual cascades", list_alerts)
    told.add_argument("--code", metavar="CODE", help="only these: exploding, burst, clockwork, fewUsers")
    told.add_argument("--limit", type=int, default=20, metavar="N", help="at most N (default 20)")
    add(parts, "recompute", "count every cascade anew, say what differed and repair it", recompute)


def _register_spread(command: argparse.ArgumentParser) -> None:
    command.add_argument("--by", choices=("item", "channel", "campaign", "day"), default="day", help="(default day)")
    command.add_argument("--since", metavar="TIME", help="shares from this time on (default 30 days before the end)")
    command.add_argument("--until", metavar="TIME", help="shares before this time (default now)")
    command.add_argument("--item", metavar="ITEM", help="only of this item")
    command.add_argument("--campaign", metavar="CAMPAIGN", help="only of this campaign")
    command.add_argument("--channel", metavar="CHANNEL", help="only in this channel")
    command.add_argument(
        "--maturity", type=duration_s, default="72h", metavar="AGE", help="age of completed parents (default 72h)"
    )
    command.add_argument("--limit", type=int, default=31, metavar="N", help="at most N lines (default 31)")


def list_cascades(arguments: argparse.Namespace) -> int:
    """List cascades by growth."""
    from graph import cascade_reads
    from graph.values import now_ms

    with connect() as graph:
        rows = cascade_reads.growing(
            graph,
            now_ms=now_ms(),
            limit=arguments.limit,
            active=not arguments.all,
            item_id=arguments.item,
            campaign_id=arguments.campaign,
        )
    if arguments.json:
        print_json({"cascades": rows})
        return 0
    if not rows:
        say("nothing was shared within a day" if not arguments.all else "no cascade yet")
        return 0
    names = ("shareId", "itemId", "cascadeSize", "cascadeDepth", "structuralVirality", "opens", "conversions")
    table(
        ("root share", "item", "shares", "depth", "virality", "opens", "bought", "lately"),
        [(*(row[name] for name in names), round(row["recentShares"], 1)) for row in rows],
    )
    return 0


def show_cascade(arguments: argparse.Namespace) -> int:
    """Show a cascade's numbers and tree."""
    from graph import cascade_reads
    from graph.values import now_ms

    with connect() as graph:
        found = cascade_reads.cascade(graph, arguments.share, now_ms=now_ms(), limit=arguments.limit)
    if arguments.json:
        print_json(found)
        return 0
    for name, value in found.items():
        if name not in ("shares", "forecasts", "truncated") and value is not None:
            say(f"{name:20} {value}")
    forecasts = found["forecasts"][-SHOWN_FORECASTS:]
    if forecasts:
        table(("forecast at", "shares a day later", "low", "high"), [tuple(one.values()) for one in forecasts])
    rows = [
        ("  " * row["depth"] + row["shareId"], row["userId"], row["occurredAt"], row["opens"]) for row in _tree(found)
    ]
    table(("share", "user", "time", "opens"), rows)
    if found["truncated"]:
        say(f"the first {len(rows)} shares, nearest to the root: --limit shows more")
    return 0


def _tree(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the shares so that each one's reshares come after it."""
    below: dict[str | None, list[dict[str, Any]]] = {}
    for row in found["shares"]:
        below.setdefault(row["parentShareId"] if row["depth"] else None, []).append(row)
    rows: list[dict[str, Any]] = []
    waiting = below.get(None, [])[::-1]
    while waiting:
        row = waiting.pop()
        rows.append(row)
        waiting += below.get(row["shareId"], [])[::-1]
    return rows


def spread(arguments: argparse.Namespace) -> int:
    """Report how shares spread."""
    from graph.spread import report
    from graph.values import now_ms

    with connect() as graph:
        found = report(
            graph,
            by=arguments.by,
            now_ms=now_ms(),
            since_ms=_given_ms("since", arguments.since),
            until_ms=_given_ms("until", arguments.until),
            item_id=arguments.item,
            campaign_id=arguments.campaign,
            channel=arguments.channel,
            maturity_s=int(arguments.maturity),
            limit=arguments.limit,
        )
    if arguments.json:
        print_json(found)
    else:
        _print_spread(found)
    return 0


def _print_spread(found: dict[str, Any]) -> None:
    groups = found["groups"]
    names = ("key", "shares", "sharers", "kFactor", "reproductionNumber", "censoredParents", "cycleTimeS")
    names += ("amplification", "opens", "conversionRate")
    if groups:
        table(
            (found["by"], "shares", "sharers", "K", "R", "censored", "cycle s", "amplified", "opens", "bought/open"),
            [tuple(group[name] for name in names) for group in groups],
        )
    else:
        say(f"no such share from {found['since']} to {found['until']}")
    if found["groupCount"] > len(groups):
        say(f"{len(groups)} of {found['groupCount']:,}: --limit shows more")
    if found["truncated"]:
        say("the window holds more shares than one report looks at: only the newest count; choose a shorter one")


def _given_ms(name: str, text: str | None) -> int | None:
    from graph.errors import InputError
    from graph.values import time_ms

    try:
        return None if text is None else time_ms(text)
    except (ValueError, OverflowError):
        raise InputError(f"{name} is {text!r}, which is not an ISO 8601 time") from None


def recompute(arguments: argparse.Namespace) -> int:
    """Count every cascade anew; exit code 1 when something differed (it is repaired then)."""
    from graph.cascade_repair import recompute as repair

    with connect() as graph, progress("cascades") as show:
        found = repair(graph, settings(), lambda done, total: show("count", done, total, f"{done:,} cascades"))
    if arguments.json:
        print_json(asdict(found))
    else:
        say(f"{found.cascades:,} cascades of {found.shares:,} shares: {found.differences:,} differences, all repaired")
        if found.busy:
            say(f"{found.busy:,} cascades changed meanwhile and were not judged")
        rows = [(one["shareId"], one["name"], one["stored"], one["right"]) for one in found.told]
        if rows:
            table(("share", "property", "stored", "right"), rows)
    return 1 if found.differences else 0


def learn(arguments: argparse.Namespace) -> int:
    """Learn how cascades grow from the shop's own; too few past ones are no failure, there is no model then."""
    from workers import forecasting

    with connect() as graph:
        found = forecasting.learn(graph)
    print_json(asdict(found)) if arguments.json else say(str(found))
    return 0


def list_alerts(arguments: argparse.Namespace) -> int:
    """List the newest alerts."""
    from graph import alerts

    with connect() as graph:
        rows = alerts.newest(graph, limit=arguments.limit, code=arguments.code)
    if arguments.json:
        print_json({"alerts": rows})
    elif not rows:
        say("no alert")
    else:
        names = ("raisedAt", "code", "shareId", "shares", "cascadeSize")
        table(
            ("raised", "code", "root share", "shares then", "now"), [tuple(row[name] for name in names) for row in rows]
        )
    return 0
