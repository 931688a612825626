"""Keys: shown once, hashed at rest, refused when expired, revoked or wrong."""

from __future__ import annotations

import time

import pytest

from graph import keys
from graph.connection import Graph
from graph.errors import InputError, NotFoundError


def test_a_key_opens_what_its_scopes_say(graph: Graph) -> None:
    text = keys.create(graph, ["read", "ingest"], label="shop")
    key = keys.authenticate(graph, text)
    assert key is not None
    assert (key.scopes, key.label) == (frozenset({"read", "ingest"}), "shop")
    assert key.allows("read")
    assert not key.allows("admin")
    admin = keys.authenticate(graph, keys.create(graph, ["admin"]))
    assert admin is not None
    assert admin.allows("ingest")


def test_only_the_hash_is_stored(graph: Graph) -> None:
    text = keys.create(graph, ["read"])
    secret = text.rsplit("_", 1)[1]
    row = graph.read("keys.find", key_id=text.split("_")[1])[0]
    assert secret not in str(row)
    assert all("hash" not in listed and secret not in str(listed) for listed in keys.list_keys(graph))


def test_what_is_not_a_key_is_refused(graph: Graph) -> None:
    text = keys.create(graph, ["read"])
    prefix, key_id, secret = text.split("_")
    wrong = "0" * 63 + ("1" if secret[-1] != "1" else "2")
    for bad in (
        "",
        "kith",
        text + "0",
        text[:-1],
        text.upper(),
        f"{prefix}_{key_id}_{wrong}",
        f"{prefix}_{'0' * 16}_{secret}",
        text + "\n",
        f"Bearer {text}",
        "kith_' OR 1=1 //_x",
    ):
        assert keys.authenticate(graph, bad) is None, bad
    assert keys.authenticate(graph, text) is not None


def test_expiry_is_the_servers_and_revocation_is_at_once(graph: Graph) -> None:
    short = keys.create(graph, ["read"], ttl_s=0.3)
    assert keys.authenticate(graph, short) is not None
    time.sleep(0.5)
    assert keys.authenticate(graph, short) is None
    text = keys.create(graph, ["read"])
    key = keys.authenticate(graph, text)
    assert key is not None
    keys.revoke(graph, key.key_id)
    keys.revoke(graph, key.key_id)
    assert keys.authenticate(graph, text) is None
    states = {row["keyId"]: (row["revoked"], row["expired"]) for row in keys.list_keys(graph)}
    assert states[key.key_id] == (True, False)
    assert states[short.split("_")[1]] == (False, True)
    with pytest.raises(NotFoundError):
        keys.revoke(graph, "nobody")


@pytest.mark.parametrize(
    ("scopes", "ttl_s"), [([], 60), (["root"], 60), (["read"], 0), (["read"], -1), (["read"], 1e12)]
)
def test_a_key_needs_known_scopes_and_a_sane_lifetime(graph: Graph, scopes: list[str], ttl_s: float) -> None:
    with pytest.raises(InputError):
        keys.create(graph, scopes, ttl_s=ttl_s)
