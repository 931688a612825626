"""Learning and forecasting on a real Neo4j: the same as the engine says of arrays that the test builds itself."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from engine.propagation.cascades import Cascades
from engine.propagation.record import records_at
from engine.propagation.size import fit_sizes, forecast, unusual
from graph import alerts, cascade_history, cascade_reads, cascades, forecasts, monitor, size_model
from graph.cascade_repair import recompute
from graph.connection import Graph
from graph.digest import digest
from graph.events import ingest
from graph.settings import Settings
from tests.graph.shared_cascades import shares_of, write
from workers import forecasting

Cypher = Callable[..., list[dict[str, Any]]]

NOW_S = 1_780_000_000.0
NOW_MS = int(NOW_S * 1000)
DAY_S = 86_400.0
PAST = 130
"""Past cascades: enough for a model and for what is usual."""


def past() -> list[tuple[str, float, list[float], list[str]]]:
    """Return cascades of three to six days ago: name, start, times, users; times in whole milliseconds."""
    generator = np.random.default_rng(5)
    found = []
    for n in range(PAST):
        size = int(generator.integers(6, 30))
        gaps = generator.exponential(400.0, size - 1) + 3.0
        seconds = [0.0, *np.round(np.cumsum(gaps), 3).tolist()]
        users = [f"u{user}" for user in generator.integers(0, 60, size)]
        found.append((f"past{n:03}", float(NOW_S - 6 * DAY_S + round(n * 1_900.0)), seconds, users))
    return found


@pytest.fixture(scope="module")
def shop(graph: Graph, settings: Settings, cypher: Cypher) -> Graph:
    """The past cascades, counted; users u0 to u9 did not agree to analytics."""
    told = [event for cascade in past() for event in shares_of(*cascade)]
    write(graph, settings, told, NOW_S)
    cypher("MATCH (u:User) WHERE u.userId IN $strangers SET u.consent = ['sharing']", strangers=strangers())
    graph.auto("snapshot.number_users", timeout_s=60)
    return graph


@pytest.fixture(autouse=True)
def _fresh(shop: Graph, cypher: Cypher) -> None:
    cypher("MATCH (n) WHERE n:KithSizeModel OR n:KithAlert DETACH DELETE n")
    cypher("MATCH (s:Share) WHERE s.rootShareId STARTS WITH 'run' DETACH DELETE s")
    cypher("MATCH (e:Event) WHERE e.eventId STARTS WITH 'run' DELETE e")
    cypher("MATCH (s:Share) WHERE s.forecastAt IS NOT NULL REMOVE s.forecastAt, s.forecastTimes, s.forecastSizes, "
           "s.forecastLows, s.forecastHighs, s.forecastFrom, s.unusual, s.alertedCodes")  # fmt: skip


def strangers() -> list[str]:
    return [f"u{n}" for n in range(10)]


def index_of(cypher: Cypher) -> dict[str, int]:
    return {row["u"]: row["ix"] for row in cypher("MATCH (u:User) RETURN u.userId AS u, u.ix AS ix")}


def built(cypher: Cypher) -> Any:
    """Return the past as the engine's own arrays, built from the lists above: strangers are all different."""
    numbers = index_of(cypher)
    unknown = iter(range(-1, -10_000, -1))
    users = [
        np.array([next(unknown) if user in strangers() else numbers[user] for user in users])
        for _, _, _, users in past()
    ]
    sizes = [len(each) for each in users]
    seconds = np.concatenate([np.array(seconds) for _, _, seconds, _ in past()])
    start_s = np.array([start for _, start, _, _ in past()])
    return Cascades(start_s, np.concatenate([[0], np.cumsum(sizes)]), seconds, np.concatenate(users))


def running(graph: Graph, settings: Settings, name: str, age_s: float, seconds: list[float], users: list[str]) -> None:
    write(graph, settings, shares_of(name, NOW_S - age_s, seconds, users), NOW_S)


def root(cypher: Cypher, name: str) -> dict[str, Any]:
    return cypher("MATCH (s:Share {shareId: $name}) RETURN properties(s) AS p", name=name)[0]["p"]


def test_history_is_what_was_shared(shop: Graph, cypher: Cypher) -> None:
    found, right = cascade_history.history(shop, NOW_MS), built(cypher)
    order = np.argsort(found.start_s)
    assert found.start_s[order] == pytest.approx(right.start_s)
    assert np.array_equal(np.diff(found.indptr)[order], np.diff(right.indptr))
    taken = found.take(order)
    assert np.array_equal(taken.seconds, right.seconds)
    assert np.array_equal(np.where(taken.user < 0, -1, taken.user), np.where(right.user < 0, -1, right.user))
    assert len(np.unique(taken.user[taken.user < 0])) == (right.user < 0).sum()
    earlier = cascade_history.history(shop, int(1000 * (NOW_S - 5 * DAY_S)))
    assert earlier.end_s <= NOW_S - 5 * DAY_S
    assert len(earlier) == (right.start_s <= NOW_S - 5 * DAY_S).sum()


def test_history_is_bounded_and_takes_the_newest(shop: Graph, monkeypatch: pytest.MonkeyPatch, cypher: Cypher) -> None:
    right = built(cypher)
    times = np.sort(right.start_s[right.cascade_of] + right.seconds)
    monkeypatch.setattr(cascade_history, "MAX_CASCADES", 20)
    assert sorted(cascade_history.history(shop, NOW_MS).start_s) == pytest.approx(right.start_s[-20:])
    monkeypatch.setattr(cascade_history, "MOST_SHARES", 100)
    newest = int((right.start_s >= times[-100]).sum())  # roots among the newest hundred shares
    newest = min(newest, int((np.cumsum(np.diff(right.indptr)[::-1]) <= 100).sum()))
    assert sorted(cascade_history.history(shop, NOW_MS).start_s) == pytest.approx(right.start_s[-newest:])
    monkeypatch.setattr(cascade_history, "MOST_OF_ONE", 10)
    assert np.diff(cascade_history.history(shop, NOW_MS).indptr).max() <= 10


def test_a_forecast_is_what_the_engine_says(
    shop: Graph, settings: Settings, cypher: Cypher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Graph, "now_ms", lambda graph: NOW_MS)
    learned = forecasting.learn(shop)
    right = built(cypher)
    assert (learned.cascades, learned.shares) == (PAST, len(right.seconds))
    model, records = fit_sizes(right, NOW_S), records_at(right, NOW_S)
    assert model is not None
    held = size_model.load(shop)
    assert held is not None
    assert len(held[1].windows) == len(model.windows) > 0
    for found, one in zip(held[1].windows, model.windows, strict=True):
        assert (found.age_s, found.rows) == (one.age_s, one.rows)
        assert found.regression.coefficient == pytest.approx(one.regression.coefficient, abs=1e-6)
    seconds, users = [0.0, 40.0, 95.0, 100.0, 700.0, 1_500.0], ["u3", "u20", "u21", "u20", "u30", "u99"]
    running(shop, settings, "run1", 1_800.0, seconds, users)
    running(shop, settings, "run2", 50.0, [0.0], ["u40"])
    cypher("MATCH (s:Share {shareId: 'run1-5'}) REMOVE s.occurredAt")  # a share without a time is there all the same
    assert forecasting.forecast_due(shop, NOW_MS) == forecasting.Round(2, 2)
    known = index_of(cypher)
    own = records.of(np.array([-1] + [known[user] for user in users[1:5]]))
    said = forecast(model, np.array(seconds[:5]), 1_800.0, own, busy=6)
    stored = root(cypher, "run1")
    assert (stored["forecastSize"], stored["forecastLow"], stored["forecastHigh"], stored["forecastFrom"]) == (
        said.size + 1, said.low + 1, said.high + 1, 6,
    )  # fmt: skip
    lone = forecast(model, np.zeros(1), 50.0, records.of(np.array([known["u40"]])), busy=6)
    assert root(cypher, "run2")["forecastSize"] == lone.size
    shown = cascade_reads.cascade(shop, "run1-3", now_ms=NOW_MS)
    at = "2026-05-28T20:26:40.000Z"
    assert shown["forecasts"] == [{"at": at, "size": said.size + 1, "low": said.low + 1, "high": said.high + 1}]
    assert (shown["forecastAt"], shown["unusual"]) == (at, [])


def test_forecasts_are_no_differences_and_go_with_the_root(shop: Graph, settings: Settings, cypher: Cypher) -> None:
    forecasting.learn(shop)
    child = shares_of("run2", NOW_S - 400, [0.0], ["u41"])[0] | {"parentShareId": "run1"}
    write(shop, settings, [child], NOW_S)
    before = digest(shop)
    assert forecasting.forecast_due(shop, NOW_MS).forecast == 1
    assert digest(shop) == before
    assert recompute(shop, settings).differences == 0
    assert root(cypher, "run2")["forecastSize"] >= 1
    running(shop, settings, "run1", 500.0, [0.0], ["u40"])
    assert not [name for name in root(cypher, "run2") if name.startswith(("forecast", "unusual", "alerted"))]
    assert forecasting.forecast_due(shop, NOW_MS).forecast == 1
    assert root(cypher, "run1")["forecastFrom"] == 2
    assert recompute(shop, settings).differences == 0
    cypher("MATCH (p:KithPending) DELETE p")


def test_a_forecast_is_due_when_it_grew_or_grew_older(shop: Graph, settings: Settings, cypher: Cypher) -> None:
    forecasting.learn(shop)
    running(shop, settings, "run1", 3_600.0, [float(n) for n in range(40)], [f"u{n}" for n in range(40)])

    def made(now_ms: int) -> int:
        return forecasting.forecast_due(shop, now_ms).forecast

    assert [made(NOW_MS), made(NOW_MS + 1)] == [1, 0]
    assert [made(NOW_MS + 179_999), made(NOW_MS + 180_000)] == [0, 1]  # 5 % of an hour
    one = shares_of("run1", NOW_S - 3_600, [0.0] * 43, ["u50"] * 43)[40:]
    write(shop, settings, one[:1], NOW_S)
    assert made(NOW_MS + 180_001) == 0  # 41 of 40: less than 5 %
    write(shop, settings, one[1:2], NOW_S)
    assert made(NOW_MS + 180_002) == 1
    assert root(cypher, "run1")["forecastFrom"] == 42
    assert len(root(cypher, "run1")["forecastTimes"]) == 3
    assert made(NOW_MS + int(4 * DAY_S * 1000)) == 0  # nothing was shared for a day: it is over
    assert forecasts.due(shop, NOW_MS + int(4 * DAY_S * 1000)) == []


def test_a_cascade_that_is_too_large_keeps_its_last_forecast(
    shop: Graph, settings: Settings, cypher: Cypher, monkeypatch: pytest.MonkeyPatch
) -> None:
    forecasting.learn(shop)
    running(shop, settings, "run1", 600.0, [float(n) for n in range(6)], ["u20"] * 6)
    assert forecasting.forecast_due(shop, NOW_MS).forecast == 1
    for module in (cascade_history, forecasts, forecasting):
        monkeypatch.setattr(module, "MOST_OF_ONE", 5)
    assert forecasting.forecast_due(shop, NOW_MS + 3_600_000) == forecasting.Round(0, 0)
    cypher("MATCH (s:Share {shareId: 'run1'}) SET s.cascadeSize = 5")  # not counted yet, but read
    assert forecasting.forecast_due(shop, NOW_MS + 3_600_000) == forecasting.Round(1, 0)
    cypher("MATCH (s:Share {shareId: 'run1'}) SET s.cascadeSize = 6")
    assert root(cypher, "run1")["forecastFrom"] == 6


def test_the_history_for_a_chart_is_thinned(shop: Graph, settings: Settings, cypher: Cypher) -> None:
    running(shop, settings, "run1", 600.0, [0.0], ["u20"])
    before = None
    for n in range(101):
        now_ms = NOW_MS + 1000 * n
        forecasts.write(shop, [forecasts.Forecasted("run1", before, 1, n, n, n + 1, ())], now_ms)
        before = now_ms
    stored = root(cypher, "run1")
    assert stored["forecastSizes"] == [*range(0, 100, 2), 100]
    assert [len(stored[name]) for name in ("forecastTimes", "forecastLows", "forecastHighs")] == [51] * 3
    assert stored["forecastHighs"][-1] == 101


def test_what_is_unusual_is_told_once(
    shop: Graph, settings: Settings, cypher: Cypher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Graph, "now_ms", lambda graph: NOW_MS)
    forecasting.learn(shop)
    # Machine-made: forty shares of three users within a minute. Past ones never have two within three seconds.
    seconds = [1.5 * n for n in range(40)]
    users = [f"u{20 + n % 3}" for n in range(40)]
    running(shop, settings, "run1", 120.0, seconds, users)
    model = fit_sizes(built(cypher), NOW_S)
    assert model is not None
    expected = unusual(model, np.array(seconds), 120.0, users=3)
    assert "burst" in expected and "fewUsers" in expected
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: forecasting.forecast_due(shop, NOW_MS), range(4)))
    assert root(cypher, "run1")["unusual"] == list(expected)
    assert len(root(cypher, "run1")["forecastTimes"]) == 1
    rows = alerts.newest(shop, limit=10)
    assert sorted(row["code"] for row in rows) == sorted(expected)
    assert {(row["shareId"], row["shares"], row["cascadeSize"], row["kind"]) for row in rows} == {
        ("run1", 40, 40, "unusualCascade")
    }
    assert cascade_reads.growing(shop, now_ms=NOW_MS, limit=1)[0]["unusual"] == list(expected)
    told = {row["code"]: row["alerts"] for row in monitor.state(shop, timeout_s=10)["alerts"]}
    assert told == dict.fromkeys(expected, 1)
    cypher("MATCH (a:KithAlert) DELETE a")  # removed because it is old: the root remembers
    assert forecasting.forecast_due(shop, NOW_MS + 600_000).forecast == 1
    assert alerts.newest(shop, limit=10) == []


def test_alerts_are_bounded(shop: Graph, cypher: Cypher, monkeypatch: pytest.MonkeyPatch) -> None:
    cypher("UNWIND range(1, 6) AS n CREATE (:KithAlert {alertId: 'a' + n, kind: 'unusualCascade', code: 'burst', "
           "shareId: 's' + n, shares: n, raisedAt: datetime.realtime() - duration({days: n * 20})})")  # fmt: skip
    alerts.prune(shop)
    assert [row["alertId"] for row in alerts.newest(shop, limit=10)] == ["a1", "a2", "a3", "a4"]
    monkeypatch.setattr(alerts, "MOST_KEPT", 2)
    alerts.prune(shop)
    assert [row["alertId"] for row in alerts.newest(shop, limit=10, code="burst")] == ["a1", "a2"]
    assert alerts.newest(shop, limit=10, code="clockwork") == []


def test_too_little_history_is_said_and_leaves_no_model(
    shop: Graph, monkeypatch: pytest.MonkeyPatch, cypher: Cypher
) -> None:
    forecasting.learn(shop)
    assert monitor.state(shop, timeout_s=10)["sizeModelAgeS"] >= 0
    monkeypatch.setattr(cascade_history, "MAX_CASCADES", 59)
    found = forecasting.learn(shop)
    assert found.windows_s == ()
    assert str(found).startswith("too little to learn how cascades grow: 59 cascades of ")
    assert size_model.load(shop) is None
    assert forecasting.forecast_due(shop, NOW_MS) == forecasting.Round(0, 0)
    assert monitor.state(shop, timeout_s=10)["sizeModelAgeS"] is None


def test_it_is_learned_once_a_day_and_tried_every_hour(shop: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"ms": NOW_MS}
    monkeypatch.setattr(Graph, "now_ms", lambda graph: clock["ms"])

    def due_after(hours: float) -> bool:
        clock["ms"] += int(hours * 3_600_000)
        return forecasting.learn_if_due(shop) is not None

    assert [due_after(0), due_after(23.9), due_after(0.1)] == [True, False, True]
    monkeypatch.setattr(cascade_history, "MAX_CASCADES", 10)
    assert [due_after(24), due_after(0.9), due_after(0.1)] == [True, False, True]


def test_an_older_model_never_takes_the_place_of_a_newer(shop: Graph, cypher: Cypher) -> None:
    past_one = built(cypher)
    records = records_at(past_one, NOW_S)
    size_model.keep(shop, None, records, cascades=2, shares=3, tried_ms=NOW_MS)
    size_model.keep(shop, fit_sizes(past_one, NOW_S), records, cascades=1, shares=1, tried_ms=NOW_MS - 1)
    assert size_model.load(shop) is None
    assert size_model.tried(shop) == size_model.Tried(NOW_MS, None, 2, 3)


def test_a_root_that_joined_meanwhile_gets_no_forecast(shop: Graph, settings: Settings, cypher: Cypher) -> None:
    running(shop, settings, "run1", 600.0, [0.0, 5.0], ["u20", "u21"])
    forecasts.write(shop, [forecasts.Forecasted("run1-1", None, 1, 1, 1, 1, ("burst",))], NOW_MS)
    assert "forecastSize" not in root(cypher, "run1-1")
    assert alerts.newest(shop, limit=10) == []


def test_writers_count_on_while_forecasts_are_written(shop: Graph, settings: Settings, cypher: Cypher) -> None:
    forecasting.learn(shop)
    running(shop, settings, "run1", 600.0, [0.0], ["u20"])
    more = shares_of("run1", NOW_S - 600, [0.0] * 61, ["u20"] * 61)[1:]
    with ThreadPoolExecutor(6) as pool:
        rounds = [pool.submit(forecasting.forecast_due, shop, NOW_MS + n) for n in range(10)]
        writes = [pool.submit(ingest, shop, settings, [one], NOW_S) for one in more]
        counts = [pool.submit(cascades.count, shop, settings) for _ in range(10)]
        assert sum(one.result().accepted for one in writes) == 60
        made = sum(one.result().forecast for one in rounds)
        assert [one.result() >= 0 for one in counts] == [True] * 10
    assert 1 <= len(root(cypher, "run1")["forecastTimes"]) <= made
    assert recompute(shop, settings).differences == 0
