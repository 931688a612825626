"""Neo4j's own commands on a store of their own: they run, and a failure is one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from graph.errors import LocalServerError
from graph.server.admin import run_admin
from graph.settings import Settings


@pytest.fixture
def apart(neo4j: Settings, tmp_path: Path) -> Settings:
    """Settings of a home that nothing runs in."""
    return replace(neo4j, home=tmp_path)


def test_a_store_is_made_dumped_and_loaded(apart: Settings, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("userId:ID\nada\nbob\n")
    said = run_admin(
        apart, ["database", "import", "full", "neo4j", f"--nodes=User={people}", f"--report-file={tmp_path}/report"]
    )
    assert "2 nodes" in said
    run_admin(apart, ["database", "dump", "neo4j", f"--to-path={tmp_path}"])
    assert (tmp_path / "neo4j.dump").stat().st_size > 0
    again = replace(apart, home=tmp_path / "again")
    run_admin(again, ["database", "load", "neo4j", f"--from-path={tmp_path}"])
    assert (again.home / "neo4j" / "data" / "databases" / "neo4j" / "neostore").exists()


def test_a_failure_is_one_line(apart: Settings, tmp_path: Path) -> None:
    with pytest.raises(LocalServerError, match="neo4j-admin database import ended with") as refused:
        run_admin(apart, ["database", "import", "full", "neo4j", f"--nodes=User={tmp_path}/nothing.csv"])
    assert "\n" not in str(refused.value)


def test_what_takes_too_long_is_killed(apart: Settings) -> None:
    with pytest.raises(LocalServerError, match="ended with -1"):
        run_admin(apart, ["database", "info"], timeout_s=0.2)
