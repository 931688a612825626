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
    add(parts, "list", "list the trained versions, newest first", list_versions)
    show = add(parts, "show", "show one version: data, settings, metrics", show_version)
    show.add_argument("version", metavar="VERSION")
    publish = add(parts, "publish", "publish a version whose artifact is on this machine", publish_version)
    publish.add_argument("version", metavar="VERSION")
    bring = add(
        parts, "import", "check a model that was trained elsewhere, keep it here and publish it", import_version
    )
    bring.add_argument("folder", type=Path, metavar="ARTIFACT")
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
        ("*" if v["live"] else "", v["modelVersion"], v["trainedAt"], v["publishedAt"], v["publicationSeq"])
        for v in versions
    ]
    table(("live", "version", "trained", "published", "publication"), rows)
    return 0


def show_version(arguments: argparse.Namespace) -> int:
    """Show one version's card."""
    import orjson

    from graph import publication
    from graph.errors import NotFoundError

    with connect() as graph:
        card = next((m for m in publication.list_models(graph) if m["modelVersion"] == arguments.version), None)
    if card is None:
        raise NotFoundError(f"no model {arguments.version}; `kith models list` names them")
    if arguments.json:
        print_json(card)
    else:
        say(orjson.dumps(card, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY, default=str).decode())
    return 0


def publish_version(arguments: argparse.Namespace) -> int:
    """Publish an artifact of this machine."""
    from engine import artifact

    trained = artifact.read_artifact(settings().artifacts / arguments.version)
    with connect() as graph:
        return _publish(graph, trained, arguments.json)


def import_version(arguments: argparse.Namespace) -> int:
    """Take a model folder from another machine, for example one with a GPU."""
    from graph import adoption
    from kith import __version__

    with connect() as graph:
        return _publish(graph, adoption.adopt(graph, settings(), arguments.folder, __version__), arguments.json)


def _publish(graph: Graph, trained: Artifact, as_json: bool) -> int:
    from graph import publication

    with progress("publish") as show:
        publication.publish(
            graph, settings(), trained, progress=lambda part, doing: show("publish", int(100 * part), 100, doing)
        )
    return _say_live(publication.published(graph), as_json)


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
