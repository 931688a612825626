"""`kith recommend | share-targets | influencers | similar | audience`: what the API answers, as tables."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.serving.audience import WEIGHT
from kith.commands.arguments import add, fraction, settings
from kith.terminal import print_json, say, table

if TYPE_CHECKING:
    from api.services import Services


def register(commands: Any) -> None:
    """Add the commands that ask."""
    recommend = add(commands, "recommend", "what a user wants, with reasons", show_recommendations)
    recommend.add_argument("user", metavar="USER")
    targets = add(commands, "share-targets", "whom a user should share an item with", show_share_targets)
    targets.add_argument("user", metavar="USER")
    targets.add_argument("item", metavar="ITEM")
    targets.add_argument(
        "--strangers", action="store_true", help="fill places with users whom USER does not know (docs/api.md)"
    )
    targets.add_argument("--channel", metavar="CHANNEL", help="that it would be shared in")
    influencers = add(commands, "influencers", "whose shares reach most users", show_influencers)
    influencers.add_argument("--category", help="only influence in this category")
    similar = add(commands, "similar", "items like an item", show_similar)
    similar.add_argument("item", metavar="ITEM")
    audience = add(commands, "audience", "whom to show an item to", show_audience)
    audience.add_argument("item", metavar="ITEM")
    how = "how far it counts whom users reach, 0 to 1 (default 0.2; docs/api.md)"
    audience.add_argument("--influence", type=fraction, default=WEIGHT, metavar="W", help=how)
    for command in (recommend, targets, influencers, similar, audience):
        command.add_argument("--limit", type=int, default=10, metavar="N", help="at most N rows (default 10)")


@contextmanager
def _services(*, whole: bool = False) -> Iterator[Services]:
    """Open what the API's own answers are made with; `whole` reads all items, not only those of one answer."""
    from api.services import Services

    own = settings()
    opened = Services(own if whole else replace(own, catalogue_items=0))
    try:
        if whole:
            opened.read_ahead()
        yield opened
    finally:
        opened.close()


def show_recommendations(arguments: argparse.Namespace) -> int:
    """Show a user's list."""
    from api.listing import Asked
    from api.recommending import recommend

    with _services(whole=True) as services:
        answer = recommend(services, arguments.user, Asked(arguments.limit))
    if arguments.json:
        print_json(answer)
        return 0
    say(f"{arguments.user}: strategy {answer['strategy']}, model {answer['modelVersion'] or 'none yet'}")
    rows = [(e["rank"], e["itemId"], e["score"], ", ".join(e["reasons"])) for e in answer["items"]]
    table(("rank", "item", "score", "reasons"), rows)
    return 0


def show_share_targets(arguments: argparse.Namespace) -> int:
    """Show to whom a user could send an item."""
    from api.sharing import share_targets

    with _services() as services:
        answer = share_targets(
            services,
            arguments.user,
            arguments.item,
            arguments.limit,
            channel=arguments.channel,
            with_strangers=arguments.strangers,
        )
    if arguments.json:
        print_json(answer)
        return 0
    rows = [(e["rank"], e["userId"], e["score"], e["probability"], ", ".join(e["reasons"])) for e in answer["targets"]]
    table(("rank", "user", "score", "P(acts)", "reasons"), rows, title=f"{arguments.item} from {arguments.user} to")
    if answer["capped"]:
        say(f"{answer['capped']} more were sent enough shares lately (KITH_SHARE_CAP)")
    return 0


def show_influencers(arguments: argparse.Namespace) -> int:
    """Show users by influence score."""
    from graph import queries

    with _services() as services:
        if arguments.category:
            found = queries.category_influencers(services.graph, arguments.category, arguments.limit)
        else:
            found = queries.top_influencers(services.graph, arguments.limit)
    if arguments.json:
        print_json({"category": arguments.category, "influencers": found})
        return 0
    rows = [(rank, e["userId"], e["influenceScore"], e["influencePercentile"]) for rank, e in enumerate(found, start=1)]
    table(("rank", "user", "users reached", "percentile"), rows)
    return 0


def show_similar(arguments: argparse.Namespace) -> int:
    """Show an item's neighbours."""
    from api.similar import similar_items

    with _services() as services:
        answer = similar_items(services, arguments.item, arguments.limit)
    if arguments.json:
        print_json(answer)
        return 0
    say(f"like {arguments.item}: strategy {answer['strategy']}, model {answer['modelVersion'] or 'none yet'}")
    table(("rank", "item", "score"), [(e["rank"], e["itemId"], e["score"]) for e in answer["items"]])
    return 0


def show_audience(arguments: argparse.Namespace) -> int:
    """Show the users to show an item to."""
    from api.audience import audience

    with _services() as services:
        answer, _ = audience(services, arguments.item, limit=arguments.limit, weight=arguments.influence)
    if arguments.json:
        print_json(answer)
        return 0
    totals = answer["totals"]
    say(f"{arguments.item}: {totals['users']} users, model {answer['modelVersion'] or 'none yet'}")
    if answer["reason"]:
        say(f"nobody: {answer['reason']}")
    rows = [
        (e["rank"], e["userId"], e["score"], e["interest"], e["influence"], e["reach"], ", ".join(e["reasons"]))
        for e in answer["users"]
    ]
    table(("rank", "user", "score", "interest", "influence", "reach", "reasons"), rows)
    return 0
