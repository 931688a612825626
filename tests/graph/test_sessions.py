"""Sessions: hashed, short, gone with their key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graph import keys, sessions
from graph.connection import Graph
from graph.errors import InputError

Cypher = Callable[..., list[dict[str, Any]]]


def key(graph: Graph, *scopes: str, **given: Any) -> keys.Key:
    found = keys.authenticate(graph, keys.create(graph, scopes or ("read",), **given))
    assert found is not None
    return found


def test_a_session_has_the_scopes_of_its_key_until_it_ends(graph: Graph) -> None:
    token = sessions.begin(graph, key(graph, "read", "ingest", label="growth"))
    found = sessions.find(graph, token)
    assert found is not None
    assert (found.scopes, found.label) == (frozenset({"read", "ingest"}), "growth")
    assert 8 * 3600 - 60 < found.expires_in_s <= 8 * 3600
    sessions.end(graph, token)
    sessions.end(graph, token)
    assert sessions.find(graph, token) is None


def test_a_session_ends_with_its_key(graph: Graph) -> None:
    short = sessions.find(graph, sessions.begin(graph, key(graph, ttl_s=60)))
    assert short is not None
    assert 0 < short.expires_in_s <= 60
    chosen = key(graph)
    token = sessions.begin(graph, chosen)
    keys.revoke(graph, chosen.key_id)
    assert sessions.find(graph, token) is None
    with pytest.raises(InputError):
        sessions.begin(graph, chosen)


def test_only_the_hash_is_stored(graph: Graph, cypher: Cypher) -> None:
    token = sessions.begin(graph, key(graph))
    stored = str(cypher("MATCH (s:KithSession) RETURN properties(s) AS s"))
    assert token not in stored
    assert token.removeprefix("kiths_") not in stored


@pytest.mark.parametrize("bad", ["", "kiths_", "kiths_" + "0" * 64, "kiths_" + "g" * 64, "kith_" + "0" * 64, "é"])
def test_what_is_no_session_is_refused(graph: Graph, bad: str) -> None:
    assert sessions.find(graph, bad) is None


def test_sessions_do_not_pile_up(graph: Graph, cypher: Cypher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_PER_KEY", 2)
    chosen = key(graph)
    tokens = [sessions.begin(graph, chosen) for _ in range(3)]
    assert [sessions.find(graph, token) is not None for token in tokens] == [False, True, True]
    cypher("MATCH (s:KithSession {keyId: $id}) SET s.expiresAt = datetime() - duration('PT1S')", id=chosen.key_id)
    assert sessions.find(graph, tokens[2]) is None
    sessions.begin(graph, key(graph))
    assert cypher("MATCH (s:KithSession {keyId: $id}) RETURN count(s) AS n", id=chosen.key_id) == [{"n": 0}]
