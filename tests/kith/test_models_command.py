"""`kith models` on a real graph: what is listed, shown, held back, published by force."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from graph import slots
from graph.connection import Graph
from graph.settings import Settings
from kith.cli import main
from tests.graph import small_shop
from tests.graph.test_promotion import version


@pytest.fixture(autouse=True)
def shop(empty: None, graph: Graph, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(slots, "READ_MARGIN_S", 0.0)
    monkeypatch.setenv("KITH_HOME", str(settings.home))
    monkeypatch.setenv("KITH_BOLT_PORT", str(settings.bolt_port))
    monkeypatch.setenv("KITH_READ_TIMEOUT_S", "1")
    small_shop.fill(graph, settings, "first")
    return settings


def asked(capsys: pytest.CaptureFixture[str], *line: str, code: int = 0) -> dict:
    assert main(["models", *line, "--json"]) == code
    out = capsys.readouterr().out.splitlines()
    return orjson.loads(out[-1]) if code == 0 else {}


def test_a_worse_version_is_held_back_until_it_is_forced(shop: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    version("good", 0.4, shop)
    version("bad", 0.2, shop)
    assert asked(capsys, "publish", "good")["published"]["modelVersion"] == "good"
    assert main(["models", "publish", "bad"]) == 1
    said = capsys.readouterr().err
    assert "bad is held back" in said
    assert "kith models publish bad --force" in said
    listed = asked(capsys, "list")
    assert listed["published"]["modelVersion"] == "good"
    assert [(each["modelVersion"], each["heldBack"]) for each in listed["models"]] == [
        ("bad", True),
        ("good", False),
        ("first", False),
    ]
    assert listed["models"][0]["summary"]["ndcg@20"] == 0.2
    assert main(["models", "list"]) == 0
    assert "held back" in capsys.readouterr().out
    assert asked(capsys, "publish", "bad", "--force")["published"]["modelVersion"] == "bad"
    assert asked(capsys, "show", "bad")["comparison"]["isForced"] is True
    assert main(["models", "show", "bad"]) == 0
    assert "published by force" in capsys.readouterr().out
    # Both were live before: going back to either is no promotion.
    assert asked(capsys, "publish", "good")["published"]["modelVersion"] == "good"
    assert asked(capsys, "rollback", "bad")["published"]["modelVersion"] == "bad"


def test_a_version_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "m-none"]) == 2
    assert "m-none" in capsys.readouterr().err


def test_the_curves_of_a_home_without_trainings_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KITH_HOME", str(tmp_path / "new"))
    assert main(["tensorboard"]) == 2
    assert "no curves there yet" in capsys.readouterr().err
