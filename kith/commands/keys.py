"""`kith keys create | list | revoke`: who may call the API."""

from __future__ import annotations

import argparse
from typing import Any

from kith.commands.arguments import add, connect
from kith.terminal import fail, print_json, say, table

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
        print_json({"key": text, "scopes": scopes})
    else:
        say(text)
        say("It is shown once. Send it as `Authorization: Bearer KEY`.")
    return 0


def list_keys(arguments: argparse.Namespace) -> int:
    """List keys with scopes and expiry."""
    from graph import keys

    with connect() as graph:
        found = keys.list_keys(graph)
    if arguments.json:
        print_json({"keys": found})
    else:
        rows = [(k["keyId"], ",".join(k["scopes"]), k["label"], k["expiresAt"], k.get("revokedAt")) for k in found]
        table(("key", "scopes", "label", "expires", "revoked"), rows)
    return 0


def revoke_key(arguments: argparse.Namespace) -> int:
    """Revoke a key."""
    from graph import keys

    with connect() as graph:
        revoked = keys.revoke(graph, arguments.key_id)
    if not revoked:
        fail(f"there is no key {arguments.key_id}")
        return 2
    print_json({"revoked": arguments.key_id}) if arguments.json else say(f"{arguments.key_id} is revoked")
    return 0
