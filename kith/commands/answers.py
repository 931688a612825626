"""`kith recommend | share-targets | influencers | similar`: what the API answers, as tables."""

from __future__ import annotations

from typing import Any

from kith.commands.arguments import add


def register(commands: Any) -> None:
    """Add the commands that ask."""
    recommend = add(commands, "recommend", "what a user wants, with reasons", show_recommendations)
    recommend.add_argument("user", metavar="USER")
    targets = add(commands, "share-targets", "whom a user should share an item with", show_share_targets)
    targets.add_argument("user", metavar="USER")
    targets.add_argument("item", metavar="ITEM")
    influencers = add(commands, "influencers", "whose shares reach most users", show_influencers)
    influencers.add_argument("--category", help="only influence in this category")
    similar = add(commands, "similar", "items like an item", show_similar)
    similar.add_argument("item", metavar="ITEM")
    for command in (recommend, targets, influencers, similar):
        command.add_argument("--limit", type=int, default=10, metavar="N", help="at most N rows (default 10)")
