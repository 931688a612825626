"""`kith cookbook` on a real graph: what it lists, shows, asks and writes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import orjson
import pytest

from graph import cookbook
from graph.connection import Graph
from graph.settings import Settings
from kith.cli import main
from tests.graph import small_shop


def last_json(capsys: pytest.CaptureFixture[str]) -> dict:
    return orjson.loads(capsys.readouterr().out.splitlines()[-1])


def test_list_names_every_question_with_its_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cookbook", "list", "--json"]) == 0
    questions = {one["name"]: one for one in last_json(capsys)["questions"]}
    assert sorted(questions) == cookbook.names()
    assert [(p["name"], p["default"]) for p in questions["share_funnel"]["parameters"]] == [("days", 30)]
    assert main(["cookbook", "list"]) == 0
    assert "days=30" in capsys.readouterr().out


def test_show_prints_what_is_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cookbook", "show", "cascade"]) == 0
    assert capsys.readouterr().out == cookbook.question("cascade").text


def test_export_writes_an_archive_of_favourites_and_the_style(tmp_path: Path, capsys) -> None:
    assert main(["cookbook", "export", str(tmp_path / "new"), "--json"]) == 0
    archive, style = last_json(capsys)["files"]
    with zipfile.ZipFile(archive) as packed:
        assert sorted(packed.namelist()) == [f"Kith/{name}.cypher" for name in cookbook.names()]
        assert packed.read("Kith/cascade.cypher").decode() == cookbook.question("cascade").text
    assert "node.User" in Path(style).read_text()


def test_run_asks_with_parameters_and_refuses_others(
    graph: Graph, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small_shop.fill(graph, settings)
    monkeypatch.setenv("KITH_HOME", str(settings.home))
    monkeypatch.setenv("KITH_BOLT_PORT", str(settings.bolt_port))
    monkeypatch.setenv("KITH_READ_TIMEOUT_S", "30")
    asked = ["cookbook", "run", "why_recommended", "--param", "userId=eve", "--param", "itemId=i02"]
    assert main([*asked, "--json"]) == 0
    assert last_json(capsys) == {
        "name": "why_recommended",
        "columns": ["path", "rank", "reasons", "modelVersion"],
        "rows": [
            {"path": "(User eve)-[RECOMMENDED]->(Item i02)", "rank": 3, "reasons": ["taste"], "modelVersion": "v1"}
        ],
    }
    assert main(asked) == 0
    assert "Why was this recommended?" in capsys.readouterr().out
    assert main([*asked, "--param", "hours=1"]) == 2
    assert main([*asked, "--param", "userId"]) == 2
    assert main(["cookbook", "run", "nothing"]) == 2
