"""On the real server of the test run."""

from __future__ import annotations

import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from graph import connection
from graph.errors import AuthenticationError
from graph.server import archive, fetch, process
from graph.server.neo4j import on_free_ports
from graph.settings import Settings


@pytest.mark.parametrize("password", ["neo4j", "wrong-password"])
def test_another_password_than_the_generated_is_refused(neo4j: Settings, password: str) -> None:
    with (
        connection.connect(replace(neo4j, neo4j_password=password)) as graph,
        pytest.raises(AuthenticationError, match="refused the user name or password"),
    ):
        graph.verify()


def test_it_answers_bolt_and_serves_the_browser(neo4j: Settings) -> None:
    assert process.answers(neo4j)
    with urllib.request.urlopen(f"http://127.0.0.1:{neo4j.browser_port}/browser/", timeout=10) as page:
        assert b"<title>Neo4j Browser</title>" in page.read()


def test_a_broken_archive_is_ignored_and_an_empty_store_is_small(
    neo4j: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "start.aot"
    broken.write_bytes(b"not an archive" * 1000)
    monkeypatch.setattr(archive, "path", lambda _: broken)
    class_path = fetch.fetch(neo4j, show=False)
    assert archive.options(class_path)[0] == f"-XX:AOTCache={broken}"
    settings = on_free_ports(replace(neo4j, home=tmp_path / "home", neo4j_heap_mb=384))
    child = process.start(settings, process.command(settings, class_path, archive.options(class_path)))
    try:
        process.wait_until_ready(settings, child)
        data = settings.home / "neo4j" / "data"
        size = sum(file.stat().st_size for file in data.rglob("*") if file.is_file())
        assert size < 8_000_000
    finally:
        process.stop(child)
