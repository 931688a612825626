from __future__ import annotations

import os
import socket
import stat
from dataclasses import replace

import pytest

from graph.errors import LocalServerError
from graph.settings import Settings
from kith.stack import preflight


def test_a_taken_port_names_its_holder_and_the_setting(home: Settings) -> None:
    with socket.create_server(("127.0.0.1", home.bolt_port)), pytest.raises(LocalServerError) as caught:
        preflight.check(home)
    line = str(caught.value)
    assert f"port {home.bolt_port} for Neo4j's Bolt is taken by process {os.getpid()}" in line
    assert "KITH_BOLT_PORT" in line
    assert "\n" not in line


def test_an_operators_server_needs_no_port_here(home: Settings) -> None:
    with socket.create_server(("127.0.0.1", home.bolt_port)):
        preflight.check(replace(home, neo4j_uri="bolt://db", neo4j_password="p"))


def test_too_little_memory_is_told_before_anything_starts(home: Settings) -> None:
    with pytest.raises(LocalServerError, match=r"too little memory: .* KITH_NEO4J_HEAP_MB \(now 99000000\)"):
        preflight.check(replace(home, neo4j_heap_mb=99_000_000))


def test_a_missing_package_is_named(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(preflight.NEEDED_PACKAGES, "no_such_module", "no-such-package")
    with pytest.raises(LocalServerError, match="missing package no_such_module: pip install no-such-package"):
        preflight.check(home)


def test_the_signing_key_is_made_once_and_private(home: Settings) -> None:
    preflight.make_secrets(home)
    key = home.signing_secret()
    assert stat.S_IMODE(home.signing_key_file.stat().st_mode) == 0o600
    preflight.make_secrets(home)
    assert home.signing_secret() == key
