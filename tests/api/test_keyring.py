from __future__ import annotations

import pytest
from werkzeug.test import EnvironBuilder

from api.bodies import StrictRequest
from api.keyring import KEPT_S, ForbiddenError, Keyring, UnauthenticatedError, admit
from graph import keys
from graph.connection import Graph


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def asking(header: str | None) -> StrictRequest:
    headers = {} if header is None else {"Authorization": header}
    return StrictRequest(EnvironBuilder(headers=headers).get_environ())


def test_a_revoked_key_is_good_for_less_than_five_seconds_more(graph: Graph) -> None:
    clock = Clock()
    ring = Keyring(clock)
    text = keys.create(graph, ["read"])
    found = ring.find(graph, text)
    assert found is not None
    keys.revoke(graph, found.key_id)
    assert KEPT_S < 5
    clock.now += KEPT_S - 0.01
    assert ring.find(graph, text) is not None
    clock.now += 0.02
    assert ring.find(graph, text) is None


def test_a_key_opens_what_its_scopes_say_and_admin_opens_all(graph: Graph) -> None:
    ring = Keyring()
    read, admin = keys.create(graph, ["read"]), keys.create(graph, ["admin"])
    assert admit(asking(f"Bearer {read}"), "read", ring, lambda: graph).allows("read")
    assert admit(asking(f"bearer  {admin}"), "ingest", ring, lambda: graph).allows("read")
    with pytest.raises(ForbiddenError):
        admit(asking(f"Bearer {read}"), "ingest", ring, lambda: graph)


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer kith_", "Bearer kith_0123456789abcdef_" + "0" * 64, "Token x"],
)
def test_no_key_or_a_bad_one_is_refused(graph: Graph, header: str | None) -> None:
    with pytest.raises(UnauthenticatedError):
        admit(asking(header), "read", Keyring(), lambda: graph)


def test_a_malformed_key_never_reaches_the_graph() -> None:
    def unreachable() -> Graph:
        raise AssertionError("the graph was asked")

    with pytest.raises(UnauthenticatedError):
        admit(asking("Bearer kith_é"), "read", Keyring(), unreachable)
