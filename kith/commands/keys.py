"""`kith keys create | list | revoke`: who may call the API."""

from __future__ import annotations

import argparse
from typing import Any

from kith.commands.arguments import add, connect
from kith.terminal import print_json, say, table

DAY_S = 86_400


def register(commands: Any) -> None:
    """Add the commands on API keys."""
    group = commands.add_parser("keys", help="create, list and revoke API keys")
    parts = group.add_subparsers(dest="keys_command", metavar="ACTION", required=True)
    create = add(parts, "create", "create a key and print it once", create_key)
    create.add_argument("--scopes", default="read,ingest", help="comma-separated: ingest, read, admin")
    create.add_argument("--days", type=float, default=90, help="days until it expires (default 90)")
    create.add_argument("--label", default="", help="what the key is for")
    add(parts, "list", "list the keys without their secrets", list_keys)
    revoke = add(parts, "revoke", "make a key stop working", revoke_key)
    revoke.add_argument("key_id", metavar="KEY_ID")


def create_key(arguments: argparse.Namespace) -> int:
    """Create a key; only its hash is kept."""
    from graph import keys

    scopes = tuple(scope.strip() for scope in arguments.scopes.split(","))
    with connect() as graph:
        text = keys.create(graph, scopes, ttl_s=arguments.days * DAY_S, label=arguments.label)
    if arguments.json:
        print_json({"key": text, "keyId": text.split("_")[1], "scopes": scopes})
    else:
        say(text)
        say("It is shown once. Send it as `Authorization: Bearer KEY`.")
        say(f"It expires in {arguments.days:g} days; `kith keys revoke {text.split('_')[1]}` ends it before.")
    return 0


def list_keys(arguments: argparse.Namespace) -> int:
    """List keys with scopes and expiry."""
    from graph import keys

    with connect() as graph:
        found = keys.list_keys(graph)
    if arguments.json:
        print_json({"keys": found})
    else:
        rows = [(k["keyId"], _state(k), ",".join(k["scopes"]), k["label"], k["expiresAt"]) for k in found]
        table(("key", "state", "scopes", "label", "expires"), rows)
    return 0


def revoke_key(arguments: argparse.Namespace) -> int:
    """Revoke a key."""
    from graph import keys

    # Who pastes the whole key means its id; its secret goes nowhere.
    whole = keys.SHAPE.fullmatch(arguments.key_id)
    key_id = whole["key_id"] if whole else arguments.key_id
    with connect() as graph:
        keys.revoke(graph, key_id)
    print_json({"revoked": key_id}) if arguments.json else say(f"{key_id} is revoked; within 5 s it opens nothing")
    return 0


def _state(key: dict[str, Any]) -> str:
    return "revoked" if key["revoked"] else "expired" if key["expired"] else "good"
