"""`kith models list | show | publish | import | rollback`: trained versions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kith.commands.arguments import add, connect, settings
from kith.terminal import print_json, progress, say, table

if TYPE_CHECKING:
    from engine.types import Artifact
    from graph.connection import Graph


def register(commands: Any) -> None:
    """Add the commands on models."""
    group = commands.add_parser("models", help="list, show, publish and roll back trained versions")
    parts = group.add_subparsers(dest="models_command", metavar="ACTION", required=True)
    add(parts, "list", "list the trained versions, newest first: live, held back, or published before", list_versions)
    show = add(parts, "show", "show one version's model card, and why it is published or not", show_version)
    show.add_argument("version", metavar="VERSION")
    publish = add(parts, "publish", "publish a version whose artifact is on this machine", publish_version)
    publish.add_argument("version", metavar="VERSION")
    publish.add_argument("--force", action="store_true", help="also if it is worse than the published version")
    bring = add(
        parts, "import", "check a model that was trained elsewhere, keep it here and publish it", import_version
    )
    bring.add_argument("folder", type=Path, metavar="ARTIFACT")
    bring.add_argument("--force", action="store_true", help="also if it is worse than the published version")
    back = add(
        parts, "rollback", "publish the version before this one (or VERSION) under a new sequence number", rollback
    )
    back.add_argument("version", metavar="VERSION", nargs="?")


def list_versions(arguments: argparse.Namespace) -> int:
    """List the versions."""
    from graph import publication

    with connect() as graph:
        versions = publication.list_models(graph)
        live = publication.published(graph)
    if arguments.json:
        print_json({"published": live, "models": versions})
        return 0
    if not versions:
        say("no model yet: run `kith train --wait`")
        return 0
    rows = [
        (
            "live" if v["live"] else "held back" if v["heldBack"] else "",
            v["modelVersion"],
            v["trainedAt"],
            v["publishedAt"],
            v["publicationSeq"],
            _further(v["summary"].get("lineage")),
            v["summary"].get("ndcg@20"),
        )
        for v in versions
    ]
    table(("state", "version", "trained", "published", "publication", "further from", "NDCG@20"), rows)
    return 0


def _further(lineage: dict[str, Any] | None) -> str:
    """Return the version that one was trained further from, "" for one trained in full."""
    return (lineage or {}).get("base") or ""


def show_version(arguments: argparse.Namespace) -> int:
    """Show one version's card."""
    from graph import publication
    from kith import card

    with connect() as graph:
        model = publication.show_model(graph, arguments.version)
    print_json(model) if arguments.json else card.show(model)
    return 0


def publish_version(arguments: argparse.Namespace) -> int:
    """Publish an artifact of this machine; one that was published before is not compared."""
    from engine import artifact
    from graph import publication

    trained = artifact.read_artifact(settings().artifacts / arguments.version)
    with connect() as graph:
        again = publication.was_published(graph, trained.model_version)
        return _publish(graph, trained, arguments, again=again)


def import_version(arguments: argparse.Namespace) -> int:
    """Take a model folder from another machine, for example one with a GPU."""
    from graph import adoption
    from kith import __version__

    with connect() as graph:
        return _publish(graph, adoption.adopt(graph, settings(), arguments.folder, __version__), arguments)


def _publish(graph: Graph, trained: Artifact, arguments: argparse.Namespace, *, again: bool = False) -> int:
    from graph import promotion, publication

    with progress("publish") as show:

        def tell(part: float, doing: str) -> None:
            show("publish", int(100 * part), 100, doing)

        if again:
            publication.publish(graph, settings(), trained, progress=tell)
        else:
            promotion.promote(graph, settings(), trained, force=arguments.force, progress=tell)
    return _say_live(publication.published(graph), arguments.json)


def rollback(arguments: argparse.Namespace) -> int:
    """Publish an older version under a new sequence number."""
    from graph import publication

    with connect() as graph:
        publication.rollback(graph, settings(), arguments.version)
        live = publication.published(graph)
    return _say_live(live, arguments.json)


def _say_live(live: dict[str, Any] | None, as_json: bool) -> int:
    if as_json:
        print_json({"published": live})
    elif live:
        say(f"live: {live['modelVersion']} (publication {live['publicationSeq']})")
    return 0
