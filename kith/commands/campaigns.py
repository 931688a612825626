"""`kith campaign plan`: whom a campaign should start with, or what a given set reaches."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kith.commands.arguments import add, connect, duration_s, settings
from kith.terminal import print_json, progress, say, table

if TYPE_CHECKING:
    from graph.plan_request import PlanRequest

RIVALS = {"topDegree": "most ties", "topPagerank": "highest PageRank", "random": "at random"}


def register(commands: Any) -> None:
    """Add the commands on campaigns."""
    group = commands.add_parser("campaign", help="campaigns: plan whom to start with")
    parts = group.add_subparsers(dest="campaign_command", metavar="ACTION", required=True)
    plan = add(parts, "plan", "choose the users a campaign starts with, within a budget", show_plan)
    what = plan.add_mutually_exclusive_group(required=True)
    what.add_argument("--item", metavar="ITEM", help="what is promoted")
    what.add_argument("--category", metavar="CATEGORY", help="or all of a category")
    plan.add_argument("-k", type=int, metavar="N", help="at most N seeds")
    money = plan.add_argument_group("money, in minor units")
    money.add_argument("--budget", type=int, metavar="MINOR", help="seeds cost at most this together")
    money.add_argument("--currency", metavar="CODE", help="ISO 4217, needed where money is")
    money.add_argument("--per-user", type=int, metavar="MINOR", help="what a seed costs")
    money.add_argument("--per-friend", type=int, default=0, metavar="MINOR", help="and more for each friend")
    money.add_argument("--cost-attribute", metavar="NAME", help="attribute of users that says what they cost")
    who = plan.add_argument_group("who")
    who.add_argument("--include", type=_ids, default=(), metavar="USERS", help="seeds in any case (u1,u2)")
    who.add_argument("--exclude", type=_ids, default=(), metavar="USERS", help="no seeds (u1,u2)")
    who.add_argument("--quota", type=int, metavar="N", help="at most N seeds of a community")
    who.add_argument("--quota-by", metavar="NAME", help="attribute of users that names it (default: found in the ties)")
    who.add_argument("--what-if", type=_ids, default=(), metavar="USERS", help="tell what these reach (u1,u2)")
    plan.add_argument("--channel", metavar="CHANNEL", help="that it is shared in")
    plan.add_argument("--horizon", type=duration_s, metavar="TIME", help="reached within this time (72h)")
    plan.add_argument("--epsilon", type=float, default=0.1, metavar="E", help="effort, .03 to .5 (default .1)")
    plan.add_argument("--seed", type=int, default=0, metavar="S", help="of the random numbers (default 0)")
    plan.add_argument("--png", type=Path, metavar="FILE", help="draw spread against budget")


def show_plan(arguments: argparse.Namespace) -> int:
    """Plan here and now, without the API."""
    request = _request(arguments)
    request.check()
    if arguments.png and not arguments.png.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {arguments.png.parent} to draw into")
    from workers.planning import make_plan

    with connect() as graph, progress("plan") as show:
        made = make_plan(graph, settings(), request, lambda done, doing: show("percent", int(100 * done), 100, doing))
    if arguments.png:
        from kith.picture import draw_plan

        draw_plan(made, arguments.png)
    if arguments.json:
        print_json(made)
    else:
        _print(made)
        if arguments.png:
            say(f"drawn: {arguments.png}")
    return 0


def _request(arguments: argparse.Namespace) -> PlanRequest:
    from graph.plan_request import CostModel, PlanRequest

    cost = None
    if arguments.per_user is not None or arguments.cost_attribute is not None or arguments.per_friend:
        cost = CostModel(
            per_user_minor=arguments.per_user,
            per_friend_minor=arguments.per_friend,
            attribute=arguments.cost_attribute,
        )
    return PlanRequest(
        item_id=arguments.item,
        category=arguments.category,
        k=arguments.k,
        budget_minor=arguments.budget,
        currency=arguments.currency,
        cost=cost,
        channel=arguments.channel,
        horizon_hours=None if arguments.horizon is None else arguments.horizon / 3_600.0,
        include=arguments.include,
        exclude=arguments.exclude,
        quota_per_community=arguments.quota,
        quota_by=arguments.quota_by,
        epsilon=arguments.epsilon,
        seed=arguments.seed,
        what_if=arguments.what_if,
    )


def _print(made: dict[str, Any]) -> None:
    people, money = made["people"], f" {made['currency'] or ''}".rstrip()
    head = f"{made['itemId'] or made['category']}: model {made['modelVersion']}"
    say(f"{head}, {people['reachable']:,} users can be reached, {people['eligible']:,} may be seeds")
    rows = [
        (e["rank"], e["userId"], e["costMinor"], e["marginalSpread"], e["spreadAlone"], ", ".join(e["reasons"]))
        for e in made["seeds"]
    ]
    table(("rank", "user", "cost", "adds", "alone", "reasons"), rows)
    cost = "" if made["costMinor"] is None else f" for {made['costMinor']:,}{money} (minor units)"
    say(
        f"{len(rows)} seeds reach {made['spread']:.1f} users{cost}: {made['spreadLow']:.1f} to {made['spreadHigh']:.1f}"
    )
    if made["guarantee"] is not None:
        say(f"no choice within these limits reaches more than {made['bestSpreadHigh']:.1f}: at least "
            f"{100 * made['guarantee']:.0f} % of the best")  # fmt: skip
    compared = [(RIVALS[name], e["seeds"], e["costMinor"], e["spread"]) for name, e in made["comparisons"].items()]
    table(("instead", "seeds", "cost", "users reached"), compared)


def _ids(text: str) -> tuple[str, ...]:
    return tuple(part for part in (each.strip() for each in text.split(",")) if part)
