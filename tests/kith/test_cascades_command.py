"""`kith cascades` on a real graph: what it prints, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from graph import cascades, forecasts
from graph.connection import Graph
from graph.events import ingest
from graph.settings import Settings
from kith.cli import main

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture(autouse=True)
def shared(graph: Graph, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Yesterday ann shared the cup and bob passed it on half an hour later; then ann shared the tea."""
    told = [{"userId": "ann"}, {"userId": "bob", "parentShareId": "s0"}, {"userId": "ann", "itemId": "tea"}]
    events: list[dict[str, Any]] = [
        {
            "eventId": f"s{number}",
            "type": "share",
            "itemId": "cup",
            "occurredAt": (YESTERDAY + number * timedelta(minutes=30)).isoformat(),
            **one,
        }
        for number, one in enumerate(told)
    ]
    assert ingest(graph, settings, events).rejected == []
    while cascades.count(graph, settings):
        pass
    monkeypatch.setenv("KITH_HOME", str(settings.home))
    monkeypatch.setenv("KITH_BOLT_PORT", str(settings.bolt_port))
    monkeypatch.setenv("KITH_READ_TIMEOUT_S", "30")


def test_spread_tells_the_numbers_of_each_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cascades", "spread", "--by", "item", "--maturity", "1h", "--json"]) == 0
    found = orjson.loads(capsys.readouterr().out.splitlines()[-1])
    group, tea = found["groups"]
    assert (tea["key"], tea["shares"], tea["kFactor"], tea["cycleTimeS"]) == ("tea", 1, 0.0, None)
    assert (found["by"], found["maturityS"], found["truncated"]) == ("item", 3600, False)
    assert (group["key"], group["shares"], group["kFactor"], group["cycleTimeS"]) == ("cup", 2, 0.5, 1800.0)
    assert (group["reproductionNumber"], group["amplification"], group["conversionRate"]) == (0.5, 2.0, None)


def test_spread_draws_a_table_or_says_that_there_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cascades", "spread", "--by", "item", "--limit", "1"]) == 0
    drawn = capsys.readouterr().out
    assert "cup" in drawn
    assert "1800" in drawn
    assert drawn.endswith("1 of 2: --limit shows more\n")
    assert main(["cascades", "spread", "--item", "tea", "--since", "2026-01-01", "--until", "2026-02-01"]) == 0
    said = "no such share from 2026-01-01T00:00:00.000Z to 2026-02-01T00:00:00.000Z\n"
    assert capsys.readouterr().out == said


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--since", "soon"], "since is 'soon', which is not an ISO 8601 time"),
        (["--since", "2026-02-01", "--until", "2026-01-01"], "since must be before until"),
        (["--limit", "0"], "limit must be 1 to 366"),
    ],
)
def test_spread_refuses_what_is_out_of_bounds(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cascades", "spread", *words]) == 2
    assert f"kith: {line}\n" in capsys.readouterr().err


def test_learn_says_that_there_is_too_little(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cascades", "learn"]) == 0
    assert "too little to learn how cascades grow: 2 cascades of 3 shares are there;" in capsys.readouterr().out
    assert main(["cascades", "learn", "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out) == {"cascades": 2, "shares": 3, "windows_s": []}


def test_alerts_and_forecasts_are_told(graph: Graph, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cascades", "alerts"]) == 0
    assert capsys.readouterr().out == "no alert\n"
    made = forecasts.Forecasted("s0", None, shares=2, size=5, low=3, high=9, codes=("clockwork",))
    forecasts.write(graph, [made], 1_780_000_000_000)
    assert main(["cascades", "alerts", "--code", "clockwork", "--json"]) == 0
    (alert,) = orjson.loads(capsys.readouterr().out)["alerts"]
    assert (alert["code"], alert["shareId"], alert["shares"], alert["cascadeSize"]) == ("clockwork", "s0", 2, 2)
    assert alert["raisedAt"] == "2026-05-28T20:26:40.000Z"
    assert main(["cascades", "alerts"]) == 0
    assert "clockwork" in capsys.readouterr().out
    assert main(["cascades", "show", "s1"]) == 0
    shown = capsys.readouterr().out
    assert "2026-05-28T20:26:40.000Z" in shown
    assert "shares a day later" in shown
