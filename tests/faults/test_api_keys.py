"""S6: keys that are expired, revoked, of the wrong scope or malformed open nothing; a revocation works within 5 s in
every process; only hashes are stored; no secret is in any log.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api.app import create_app
from api.keyring import SCOPE_ATTRIBUTE
from graph import keys
from graph.connection import Graph
from graph.settings import Settings
from tests.faults.conftest import FULL
from tests.workers.processes import ROOT, Server, api_server, environment

Cypher = Callable[..., list[dict[str, Any]]]
REVOKED_WITHIN_S = 5.0
REVOCATIONS = 20 if FULL else 4


@pytest.fixture(scope="module")
def server(
    settings: Settings, graph: Graph, broker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The API in two processes."""
    with api_server(settings, broker_url, tmp_path_factory.mktemp("api")) as running:
        yield running


def ask(port: int, verb: str, path: str, authorization: str | None) -> int:
    """Send one request on a connection of its own and return the status."""
    headers = {"Content-Type": "application/json"}
    if authorization is not None:
        headers["Authorization"] = authorization
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(verb, path, body=b"{}" if verb in ("POST", "PUT") else None, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.fixture(scope="module")
def addresses(server: Server) -> list[tuple[str, str, str]]:
    """Every verb and path of the API that needs a key, with its scope."""
    app = create_app(server.settings)
    found = []
    for rule in app.url_map.iter_rules():
        needed = getattr(app.view_functions[rule.endpoint], SCOPE_ATTRIBUTE, "public")
        if needed in keys.SCOPES and not rule.rule.startswith("/console"):  # pages; tests/integration/test_console.py
            path = re.sub(r"<[^>]+>", "x", rule.rule)
            found += [(verb, path, needed) for verb in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]
    assert len(found) > 20
    return found


def bad_keys(graph: Graph) -> dict[str, str | None]:
    """Return `Authorization` headers that must open nothing, by what is wrong with them."""
    good = keys.create(graph, ["admin"])
    _, key_id, secret = good.split("_")
    expired = keys.create(graph, ["admin"], ttl_s=0.001)
    revoked = keys.create(graph, ["admin"])
    keys.revoke(graph, revoked.split("_")[1])
    other = keys.create(graph, ["admin"])
    flipped = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    time.sleep(0.05)
    return {
        "none": None,
        "empty": "",
        "no scheme": good,
        "no key": "Bearer",
        "blank key": "Bearer  ",
        "wrong scheme": f"Basic {base64.b64encode(f'kith:{good}'.encode()).decode()}",
        "token scheme": f"Token {good}",
        "expired": f"Bearer {expired}",
        "revoked": f"Bearer {revoked}",
        "unknown id": f"Bearer kith_{'0' * 16}_{secret}",
        "flipped secret": f"Bearer kith_{key_id}_{flipped}",
        "another key's secret": f"Bearer kith_{key_id}_{other.split('_')[2]}",
        "the hash for the secret": f"Bearer kith_{key_id}_{keys.hash_of(secret)}",
        "upper case": f"Bearer {good.upper()}",
        "cut": f"Bearer {good[:-1]}",
        "longer": f"Bearer {good}0",
        "twice": f"Bearer {good} {good}",
        "comma": f"Bearer {good}, Bearer {good}",
        "quoted": f'Bearer "{good}"',
        "injection": "Bearer kith_' OR 1=1 //",
        "very long": f"Bearer {'a' * 6000}",
        "bytes": "Bearer kith_\xe9\xff",
    }


def test_bad_keys_open_nothing(server: Server, graph: Graph, addresses: list[tuple[str, str, str]]) -> None:
    bad = bad_keys(graph)
    tried = addresses if FULL else addresses[::4]
    wrong = {
        (what, verb, path): status
        for what, header in bad.items()
        for verb, path, _ in tried
        if (status := ask(server.port, verb, path, header)) != 401
    }
    assert wrong == {}


def test_a_key_opens_its_scope_and_no_other(
    server: Server, graph: Graph, addresses: list[tuple[str, str, str]]
) -> None:
    for given in keys.SCOPES:
        bearer = f"Bearer {keys.create(graph, [given])}"
        for verb, path, needed in addresses:
            status = ask(server.port, verb, path, bearer)
            if given in (needed, "admin"):
                assert status not in (401, 403), (given, verb, path)
                assert status < 500, (given, verb, path)
            else:
                assert status == 403, (given, verb, path, status)


def test_a_revocation_works_within_five_seconds_in_every_process(server: Server, graph: Graph) -> None:
    worst_s = 0.0
    for _ in range(REVOCATIONS):
        text = keys.create(graph, ["read"])
        path, bearer = "/v1/models", f"Bearer {text}"
        assert {ask(server.port, "GET", path, bearer) for _ in range(8)} == {200}
        keys.revoke(graph, text.split("_")[1])
        began = time.monotonic()
        last_good_s = 0.0
        while time.monotonic() - began < REVOKED_WITHIN_S + 1:
            asked_s = time.monotonic() - began
            status = ask(server.port, "GET", path, bearer)
            assert status in (200, 401)
            if status == 200:
                last_good_s = asked_s
        worst_s = max(worst_s, last_good_s)
    assert worst_s < REVOKED_WITHIN_S
    print(f"revocations={REVOCATIONS} last_accepted_after_s={worst_s:.2f}")


def test_a_key_that_expires_while_it_is_used_is_refused_at_once(server: Server, graph: Graph) -> None:
    bearer = f"Bearer {keys.create(graph, ['read'], ttl_s=3.0)}"
    began = time.monotonic()
    accepted_s = refused_s = 0.0
    while time.monotonic() - began < 5.0:
        asked_s = time.monotonic() - began
        if ask(server.port, "GET", "/v1/models", bearer) == 200:
            accepted_s = asked_s
        else:
            refused_s = refused_s or asked_s
    assert 0 < accepted_s < 3.0 + 0.1
    assert refused_s > 2.0


def test_only_hashes_are_stored_and_no_secret_is_written_anywhere(server: Server, graph: Graph, cypher: Cypher) -> None:
    text = keys.create(graph, ["admin"], label="shop")
    secret = text.split("_")[2]
    assert ask(server.port, "GET", "/v1/models", f"Bearer {text}") == 200
    for bad in bad_keys(graph).values():
        ask(server.port, "GET", "/v1/models", bad)
    everything = cypher("MATCH (n) RETURN properties(n) AS p UNION ALL MATCH ()-[r]->() RETURN properties(r) AS p")
    assert secret not in str(everything)
    stored = cypher("MATCH (k:KithKey {keyId: $id}) RETURN k.hash AS hash", id=text.split("_")[1])
    assert re.fullmatch(r"[0-9a-f]{64}", stored[0]["hash"])
    files = [file for file in server.settings.home.rglob("*") if file.is_file()]
    assert server.log in files
    for file in files:
        held = file.read_bytes()
        assert secret.encode() not in held, file
        assert not re.search(rb"kith_[0-9a-f]{16}_[0-9a-f]{16}", held), file


def test_keys_by_the_command_line_as_a_stranger_uses_it(server: Server, graph: Graph) -> None:
    def kith(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kith.cli", "keys", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment(server.settings), capture_output=True, text=True, check=False
        )

    made = json.loads(kith("create", "--scopes", "read, ingest", "--days", "1", "--label", "shop", "--json").stdout)
    assert keys.authenticate(graph, made["key"]) is not None
    shown = kith("create")
    assert re.match(r"kith_[0-9a-f]{16}_[0-9a-f]{64}\n", shown.stdout)
    listed = json.loads(kith("list", "--json").stdout)["keys"]
    mine = next(key for key in listed if key["keyId"] == made["keyId"])
    assert (sorted(mine["scopes"]), mine["label"], mine["revoked"]) == (["ingest", "read"], "shop", False)
    assert made["key"].split("_")[2] not in kith("list").stdout
    ended = kith("revoke", made["key"])
    assert (ended.returncode, made["keyId"] in ended.stdout) == (0, True)
    assert keys.authenticate(graph, made["key"]) is None
    again = kith("revoke", made["keyId"])
    assert again.returncode == 0
    for wrong in (
        ("create", "--scopes", "root"),
        ("create", "--days", "0"),
        ("create", "--days", "nan"),
        ("revoke", "x"),
    ):
        refused = kith(*wrong)
        assert refused.returncode == 2, refused
        assert len(refused.stderr.splitlines()) == 1
