"""Bulk load on a real import tool: the ordinary import's graph, or the empty store that was there before."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from engine import world
from graph import bulk, files, schema
from graph.connection import Graph, connect
from graph.digest import digest
from graph.errors import InputError
from graph.server import neo4j as server
from graph.settings import Settings
from tests.graph.test_files import TABLES
from tests.workers.processes import ROOT, environment

Cypher = Callable[..., list[dict[str, Any]]]

AWKWARD = {
    "users": (
        "userId,createdAt,city,age,consent\n"
        'ada,2026-01-02T03:04:05.678Z,"Graz, ""old"" town",36,all\n'
        'bob,,"two\nlines",,none\n'
        "cem,,C:\\temp\\,,sharing|analytics\n"
        "cem,,Bonn,,sharing\n"
    ),
    "items": (
        "itemId,title,category,price,currency,rating,available,tags,code\n"
        "cup,A cup,kitchen,19.99,EUR,4.5,true,red|round,007\n"
        "fan,A fan,home,500,JPY,4,false,a;b|c,008\n"
        "pen,A pen,office,5,,4,false,,\n"
    ),
    "friends": "userId,friendId,since,strength\nbob,ada,2026-01-01,2.5\nada,cem,,\nada,zoe,,1\nada,ada,,\n",
    "follows": TABLES["follows"],
    "interactions": (
        "eventId,userId,itemId,type,occurredAt,valueMinor,currency,rating,device\n"
        "e1,ada,cup,like,2026-01-01T10:00:00Z,,,,phone\n"
        "e2,ada,cup,purchase,2026-01-01T11:00:00Z,1999,EUR,,\n"
        "e3,bob,cup,rate,,,,4,\n"
        ",bob,fan,view,2026-01-01T12:00:00Z,,,,\n"
        ",bob,fan,view,2026-01-01T12:00:00Z,,,,\n"
        ",bob,fan,view,2026-01-01T13:00:00Z,,,,tablet\n"
        ",bob,cup,view,,,,,\n"
        ",dee,jar,save,,,,,\n"
        ",dee,jar,save,,,,,\n"
        "e1,ada,cup,comment,2026-01-01T10:00:00Z,,,,phone\n"
        "s4,ada,cup,comment,2026-01-01T10:00:00Z,,,,phone\n"
    ),
    "shares": (
        "shareId,userId,itemId,occurredAt,channel,parentShareId,recipientId\n"
        "s2,bob,cup,2026-01-03,app,s1,cem\n"
        "s1,ada,cup,2026-01-02,app,,bob\n"
        "s1,ada,cup,2026-01-02,app,,cem\n"
        "s3,cem,cup,2026-01-04,mail,s2,eve\n"
        "late,cem,fan,2026-01-04,mail,gone,\n"
        "later,ada,fan,2026-01-05,mail,late,bob\n"
        "s4,cem,cup,2026-01-04,mail,,eve\n"
        "s5,ada,cup,2026-01-05,mail,s4,eve\n"
    ),
    "opens": (
        "eventId,userId,shareId,occurredAt\n"
        "o1,bob,s1,2026-01-02T01:00:00Z\n,cem,s2,\no2,cem,nowhere,2026-01-02T01:00:00Z\no3,bob,later,\no4,bob,s4,\n"
    ),
}  # fmt: skip


pytestmark = pytest.mark.usefixtures("empty")


@pytest.fixture
def apart(neo4j: Settings, tmp_path: Path) -> Settings:
    """Settings of a local store that has never been started."""
    (tmp_path / "home").mkdir()
    return server.on_free_ports(replace(neo4j, home=tmp_path / "home"))


def written(folder: Path, tables: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def rows_of(file: str) -> list[list[str]]:
    """Return the rows of a quarantine file."""
    with Path(file).open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def said(report: files.ImportReport) -> dict[str, Any]:
    """Return what both imports must say alike."""
    return {
        name: value for name, value in asdict(report).items() if name not in ("quarantine", "seconds", "rows_per_s")
    }


def load_both_ways(graph: Graph, settings: Settings, apart: Settings, folder: Path) -> None:
    """Import the folder both ways: reports, quarantine files and graphs are the same."""
    usual = files.import_folder(graph, settings, folder, quarantine=folder.parent / "usual.csv")
    quick = bulk.load_folder(apart, folder, quarantine=folder.parent / "quick.csv")
    assert said(quick) == said(usual)
    assert bool(quick.quarantine) == bool(usual.quarantine)
    if quick.quarantine:
        assert rows_of(quick.quarantine) == rows_of(usual.quarantine)
    with server.running(apart), connect(apart) as other:
        schema.check(other)
        assert {row["state"] for row in other.read("schema.list_indexes")} == {"ONLINE"}
        assert digest(other) == digest(graph)


def test_a_world_loads_once_to_the_same_graph(
    graph: Graph, settings: Settings, apart: Settings, tmp_path: Path
) -> None:
    made = world.generate(world.WorldSettings(users=120, items=60, events=3_000, seed=3))
    world.write(made, tmp_path / "world")
    load_both_ways(graph, settings, apart, tmp_path / "world")
    with pytest.raises(InputError, match=r"the store is not empty \([\d,]+ Event, "):
        bulk.load_folder(apart, tmp_path / "world")
    assert list(apart.home.glob("bulk-*")) == []


@pytest.mark.long
@pytest.mark.parametrize("unknown", ["create", "refuse"])
def test_awkward_rows_end_the_same(
    graph: Graph, settings: Settings, apart: Settings, tmp_path: Path, unknown: str
) -> None:
    folder = written(tmp_path / "shop", AWKWARD)
    chosen = {"unknown_ids": unknown, "consent_default": () if unknown == "refuse" else settings.consent_default}
    load_both_ways(graph, replace(settings, **chosen), replace(apart, **chosen), folder)


@pytest.mark.long
def test_parquet_of_mixed_types_ends_the_same(
    graph: Graph, settings: Settings, apart: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "columns"
    folder.mkdir()
    pd.DataFrame({"userId": [1, 2], "lists": [[1, 2], []], "names": [["a", "b;c"], ["d"]]}).to_parquet(
        folder / "users.parquet"
    )
    pd.DataFrame(
        {"userId": ["1", "3"], "itemId": ["x", "line\nbreak"], "type": ["like", "view"], "weight": [0.1, 1e300]}
    ).to_parquet(folder / "interactions.parquet")
    load_both_ways(graph, settings, apart, folder)


@pytest.mark.long
def test_public_cascades_load_to_the_same_graph(
    graph: Graph, settings: Settings, apart: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "spread"
    folder.mkdir()
    (folder / "cascades.txt").write_text("1 2 10.5,3 20\n4 1,5 2,4 3\nbad\n")
    (folder / "edges.txt").write_text("1,2\n2,3\n")
    load_both_ways(graph, settings, apart, folder)


def test_only_a_stopped_store_of_our_own(settings: Settings, apart: Settings, tmp_path: Path) -> None:
    folder = written(tmp_path / "shop", TABLES)
    foreign = replace(apart, neo4j_uri="bolt://127.0.0.1:1", neo4j_password="x")
    with pytest.raises(InputError, match="NEO4J_URI names another"):
        bulk.load_folder(foreign, folder)
    with pytest.raises(InputError, match="kith down"):
        bulk.load_folder(settings, folder)  # the test's own server runs on it
    assert list(apart.home.glob("bulk-*")) == []


@pytest.mark.parametrize("victim", ["the tool", pytest.param("the loader", marks=pytest.mark.long)])
def test_killed_in_the_middle_the_store_is_empty_and_starts(apart: Settings, tmp_path: Path, victim: str) -> None:
    made = world.generate(world.WorldSettings(users=300, items=100, events=5_000, seed=3))
    world.write(made, tmp_path / "world")
    child = subprocess.Popen(
        [sys.executable, "-m", "kith.cli", "import", "--bulk", str(tmp_path / "world")],
        cwd=ROOT,
        env=environment(apart),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    tool = wait_for_tool(child.pid)
    if victim == "the tool":
        os.kill(tool, signal.SIGKILL)
        _, problem = child.communicate(timeout=120)
        assert child.returncode == 1
        assert "neo4j-admin database import ended with -9" in problem
        assert list(apart.home.glob("bulk-*")) == []
    else:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate(timeout=120)
    with server.running(apart), connect(apart) as graph:
        assert graph.read("bulk.counts") == [{"nodes": 0, "relationships": 0}]
        schema.apply(graph)  # a store that is prepared and holds nothing else is still empty
    if victim == "the loader":
        assert bulk.load_folder(apart, tmp_path / "world").accepted == 5_000
        assert list(apart.home.glob("bulk-*")) == []


def wait_for_tool(parent: int) -> int:
    """Return the process of the import tool, once it is writing."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                above = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            if above == parent and b"org.neo4j.cli.AdminTool" in words:
                return int(entry.name)
        time.sleep(0.01)
    raise TimeoutError("the import tool did not start")
