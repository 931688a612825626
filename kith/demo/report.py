"""What the demo asks the API and how it shows the answers."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.world import World, true_spread
from kith.demo.client import Client, path_of
from kith.terminal import say, table

if TYPE_CHECKING:
    from graph.files import ImportReport
    from graph.settings import Settings
    from graph.size_model import Tried

SHOWN_USERS = 3
SHOWN_ITEMS = 5
INFLUENCERS = 8
SPREAD_RUNS = 2_000
LIKES = 3
FEW = 2
"""A category with at most so many of the first ten has room to rise."""
METHODS = ("model", "popularity")


def ask(client: Client, world: World) -> dict[str, Any]:
    """Ask for what the demo shows, over HTTP as a shop would."""
    likes = world.interactions.loc[world.interactions["type"] == "like", "userId"].value_counts()
    users = [str(user) for user in likes.index[: SHOWN_USERS * 50 : 50]]
    return {
        "recommendations": {
            user: client.get(f"/v1/users/{path_of(user)}/recommendations", limit=SHOWN_ITEMS) for user in users
        },
        "influencers": _influencers(client, world),
        "live": _three_likes(client, world, users[0]),
    }


def _influencers(client: Client, world: World) -> list[dict[str, Any]]:
    """Return the top influencers with the true spread of each beside the estimate."""
    found = client.get("/v1/influencers", limit=INFLUENCERS)["influencers"]
    row_of = {user: row for row, user in enumerate(world.users["userId"])}
    rows = np.array([row_of[entry["userId"]] for entry in found], dtype=np.int32)
    truth, _ = true_spread(world, rows, runs=SPREAD_RUNS, rng=np.random.default_rng(0))
    return [{**entry, "trueSpread": float(spread)} for entry, spread in zip(found, truth, strict=True)]


def _three_likes(client: Client, world: World, user: str) -> dict[str, Any]:
    """Let the user like three items of one category and return its share of their first ten before and after."""
    category_of = dict(zip(world.items["itemId"], world.items["category"], strict=True))
    before = _top_categories(client, user, category_of)
    known = set(world.interactions.loc[world.interactions["userId"] == user, "itemId"])
    liked_most = world.interactions.loc[world.interactions["type"] == "like", "itemId"].value_counts().index
    fresh_of = {
        category: [item for item in liked_most if category_of[item] == category and item not in known]
        for category in sorted(set(category_of.values()))
    }
    category = max(fresh_of, key=lambda name: (before[name] <= FEW, len(fresh_of[name])))
    fresh = fresh_of[category][:LIKES]
    now = time.time()
    events = [
        {
            "eventId": f"demo-live-{user}-{item}-{now:.0f}",
            "type": "like",
            "userId": user,
            "itemId": item,
            "occurredAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        }
        for item in fresh
    ]
    client.post("/v1/events", events)
    after = _top_categories(client, user, category_of)
    return {"userId": user, "category": category, "before": before[category], "after": after[category], "of": 10}


def _top_categories(client: Client, user: str, category_of: dict[str, str]) -> Counter[str]:
    answer = client.get(f"/v1/users/{path_of(user)}/recommendations", limit=10)
    return Counter(category_of[entry["itemId"]] for entry in answer["items"])


def loaded(report: ImportReport) -> dict[str, Any]:
    """Return what was loaded."""
    return {
        "rows": report.rows,
        "newEvents": report.accepted,
        "knownEvents": report.duplicates,
        "quarantined": report.quarantined,
        "rowsPerS": report.rows_per_s,
    }


def growth(found: Tried) -> dict[str, Any]:
    """Return what came of learning how cascades grow."""
    is_tried = found.tried_ms is not None
    return {
        "tried": is_tried,
        "learned": found.learned_ms is not None,
        "cascades": found.cascades,
        "shares": found.shares,
    }


def show(settings: Settings, world: World, summary: dict[str, Any], key: str, *, once: bool) -> None:
    """Print the summary as a person reads it."""
    say("\n== What was loaded")
    found = summary["loaded"]
    table(("table", "rows"), found["rows"].items())
    say(f"{found['newEvents']:,} events were new, {found['knownEvents']:,} were there; {found['rowsPerS']:,.0f} rows/s")
    _show_training(summary["training"])
    _show_growth(summary["cascadeModel"])
    _show_answers(summary["answers"], dict(zip(world.items["itemId"], world.items["title"], strict=True)))
    say("\n== Time and memory")
    table(("stage", "seconds"), [(name, round(s, 1)) for name, s in summary["seconds"].items()])
    table(("process", "peak PSS MB"), [(name, round(mb)) for name, mb in summary["memory"].items()])
    if not once:
        _show_addresses(settings, key)


def _show_training(metrics: dict[str, Any]) -> None:
    training, scores = metrics["training"], metrics["evaluation"]
    say(f"\n== Training, scored on {scores['heldOut']}")
    say(
        f"GraphSAGE: {training['epochs']:.0f} epochs, {metrics['timings']['epochS']:.2f} s each on {training['device']}"
    )
    rows = [(name, _interval(scores[name], "recall@20"), _interval(scores[name], "ndcg@20")) for name in METHODS]
    table(("method", "Recall@20 (95 %)", "NDCG@20 (95 %)"), rows)


def _show_growth(found: dict[str, Any]) -> None:
    past = f"{found['cascades']:,} cascades of {found['shares']:,} shares"
    if not found["tried"]:
        say("How cascades grow is still being learned: kith cascades learn says what came of it")
    elif found["learned"]:
        say(f"How cascades grow was learned from {past}; running ones get forecasts (kith cascades list)")
    else:
        say(f"Too little to learn how cascades grow: {past}")


def _interval(found: dict[str, Any], key: str) -> str:
    low, high = found["interval"][key]
    return f"{found[key]:.4f} ({low:.4f} to {high:.4f})"


def _show_answers(answers: dict[str, Any], title_of: dict[str, str]) -> None:
    say("\n== Recommendations, as the API answers")
    for user, answer in answers["recommendations"].items():
        rows = [
            (entry["rank"], entry["itemId"], title_of[entry["itemId"]], entry["score"], _reasons(entry))
            for entry in answer["items"]
        ]
        table(("rank", "item", "title", "score", "reasons"), rows, title=f"{user} ({answer['strategy']})")
    rows = [
        (e["userId"], e["influenceScore"], e["influencePercentile"], e["trueSpread"]) for e in answers["influencers"]
    ]
    say("\n== Top influencers: users reached per share")
    table(("user", "estimate", "percentile", "true spread"), rows)
    live = answers["live"]
    say(
        f"\n== Live: {live['userId']} liked {LIKES} items of {live['category']}: "
        f"{live['before']} -> {live['after']} of the first {live['of']}"
    )


def _reasons(entry: dict[str, Any]) -> str:
    return ", ".join(reason["code"] if isinstance(reason, dict) else str(reason) for reason in entry["reasons"])


def _show_addresses(settings: Settings, key: str) -> None:
    say("\n== Kith stays up")
    say(f"API and its documentation  http://127.0.0.1:{settings.api_port}/docs")
    say(f"Console (log in with key)  http://127.0.0.1:{settings.api_port}/console")
    say(f"API key (7 days)           {key}")
    if settings.is_local_neo4j:
        say(f"Neo4j Browser              http://127.0.0.1:{settings.browser_port}/browser/")
        say(f"  connect to               {settings.bolt_uri}")
        say(f"  login                    {settings.neo4j_user} / {settings.password()}")
    say("stop it with               kith down   (or: make down)")
