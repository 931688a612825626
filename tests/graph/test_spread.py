"""The spread report on a story that can be checked with a pencil.

The cup, on the first of June (7 shares, 6 of them with a time):

    a1 10:00 ann, by mail, for the campaign `spring`, sent to bob and cem
    ├── b1 10:30 bob, in the app; he opened a1 at 10:20, but it came to him at 10:00: 30 minutes
    │   └── e1 (no time) eve, in the app
    └── d1 11:00 dan, in the app; nobody sent him a1, he opened it at 10:50 (and at 11:30): 10 minutes
        ├── again 12:00 bob, by mail: he is in the cascade already; since d1: 60 minutes
        ├── a2 12:30 ann, by mail: so is she; since d1: 90 minutes
        └── d2 11:40 dan, in the app: his own share, so nobody received anything

The tea, on the ninth: f1 09:00 fay, passed on by b3 09:10 bob. No channel, no campaign, no opens.
Purchases: cem by a1, eve by d2, and one by a1 that was paid back whole. Now is noon of the tenth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from neo4j import GraphDatabase

from graph import cascades, cypher_text, spread
from graph.connection import Graph
from graph.errors import InputError
from graph.events import ingest
from graph.settings import Settings
from tests.graph.spread_model import expected, made_up

Cypher = Callable[..., list[dict[str, Any]]]
Event = dict[str, Any]

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
HOUR_MS = 3_600_000

pytestmark = pytest.mark.usefixtures("empty")


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()


def event(kind: str, event_id: str, user: str | None, when: str | None = None, **fields: Any) -> Event:
    """Return an event; `when` is `DAY HH:MM` of June."""
    told: Event = {"eventId": event_id, "type": kind, **fields}
    if user is not None:
        told["userId"] = user
    if when is not None:
        day, time = when.split()
        told["occurredAt"] = f"2026-06-{int(day):02d}T{time}:00Z"
    return told


def share(
    share_id: str, user: str, when: str | None, parent: str | None = None, item: str = "cup", **more: Any
) -> Event:
    below = {} if parent is None else {"parentShareId": parent}
    return event("share", share_id, user, when, itemId=item, **below, **more)


def bought(event_id: str, user: str, share_id: str) -> Event:
    paid = {"itemId": "cup", "valueMinor": 500, "currency": "EUR", "shareId": share_id}
    return event("purchase", event_id, user, "2 09:00", **paid)


STORY = [
    share("a1", "ann", "1 10:00", channel="mail", campaignId="spring", recipientIds=["bob", "cem"]),
    share("b1", "bob", "1 10:30", "a1", channel="app"),
    share("d1", "dan", "1 11:00", "a1", channel="app"),
    share("e1", "eve", None, "b1", channel="app"),
    share("again", "bob", "1 12:00", "d1", channel="mail"),
    share("a2", "ann", "1 12:30", "d1", channel="mail"),
    share("d2", "dan", "1 11:40", "d1", channel="app"),
    share("f1", "fay", "9 09:00", item="tea"),
    share("b3", "bob", "9 09:10", "f1", item="tea"),
    event("open", "o1", "bob", "1 10:20", shareId="a1"),
    event("open", "o2", "dan", "1 10:50", shareId="a1"),
    event("open", "o3", "dan", "1 11:30", shareId="a1"),
    bought("p1", "cem", "a1"),
    bought("p2", "eve", "d2"),
    bought("p3", "gil", "a1"),
    event("refund", "r3", None, "2 10:00", purchaseEventId="p3", valueMinor=500),
]


def tell(graph: Graph, settings: Settings, events: list[Event]) -> None:
    outcome = ingest(graph, settings, events, now_s=NOW.timestamp(), imported=True)  # or e1 would need a time
    assert (outcome.accepted, outcome.rejected) == (len(events), [])
    while cascades.count(graph, settings):
        pass


def asked(graph: Graph, by: spread.By, **given: Any) -> dict[str | None, dict[str, Any]]:
    """Return the groups of a report by their keys, in its order."""
    found = spread.report(graph, by=by, **{"now_ms": ms(NOW), **given})
    return {group.pop("key"): group for group in found["groups"]}


@pytest.fixture
def story(graph: Graph, settings: Settings) -> Graph:
    tell(graph, settings, STORY)
    return graph


CUP = {
    "shares": 6,  # e1 has no time, so it lies in no window
    "roots": 1,
    "reshares": 6,  # b1 and d1 of a1; e1 of b1; again, a2 and d2 of d1
    "sharers": 3,  # ann, bob, dan
    "newSharers": 3,  # bob by b1, dan by d1, eve by e1
    "opens": 3,
    "conversions": 2,  # p1 and p2
    "completedParents": 6,
    "censoredParents": 0,
    "timedReshares": 4,
    "kFactor": 1.0,
    "reproductionNumber": 1.0,
    "cycleTimeS": 45 * 60.0,  # of 10, 30, 60 and 90 minutes
    "amplification": 7.0,  # e1 is one of the cascade
    "conversionRate": 2 / 3,
}
TEA = {
    "shares": 2,
    "roots": 1,
    "reshares": 1,
    "sharers": 2,
    "newSharers": 1,  # bob is in a cascade of the cup, but this one is another
    "opens": 0,
    "conversions": 0,
    "completedParents": 0,  # 27 hours are not 72
    "censoredParents": 2,
    "timedReshares": 1,
    "kFactor": 0.5,
    "reproductionNumber": None,
    "cycleTimeS": 600.0,
    "amplification": 2.0,
    "conversionRate": None,
}


def test_days_come_newest_first(story: Graph) -> None:
    assert list(asked(story, "day").items()) == [("2026-06-09", TEA), ("2026-06-01", CUP)]


def test_items_come_by_shares(story: Graph) -> None:
    assert list(asked(story, "item").items()) == [("cup", CUP), ("tea", TEA)]


def test_a_share_counts_where_it_was_made_and_its_reshares_with_it(story: Graph) -> None:
    found = asked(story, "channel")
    assert list(found) == ["app", "mail", None]
    assert found[None] == TEA
    assert found["mail"] == {
        "shares": 3,  # a1, again, a2
        "roots": 1,
        "reshares": 2,
        "sharers": 2,
        "newSharers": 2,  # bob by b1, though the id of his later share, below d1, is smaller; dan
        "opens": 3,
        "conversions": 1,
        "completedParents": 3,
        "censoredParents": 0,
        "timedReshares": 2,
        "kFactor": 1.0,
        "reproductionNumber": pytest.approx(2 / 3),
        "cycleTimeS": 20 * 60.0,  # of 10 and 30 minutes
        "amplification": 7.0,
        "conversionRate": 1 / 3,
    }
    assert found["app"] == {
        "shares": 3,  # b1, d1, d2
        "roots": 0,
        "reshares": 4,
        "sharers": 2,
        "newSharers": 1,  # eve
        "opens": 0,
        "conversions": 1,  # p2
        "completedParents": 3,
        "censoredParents": 0,
        "timedReshares": 2,
        "kFactor": 0.5,
        "reproductionNumber": pytest.approx(4 / 3),
        "cycleTimeS": 75 * 60.0,  # of 60 and 90 minutes
        "amplification": None,
        "conversionRate": None,
    }


def test_a_campaign_has_the_shares_that_name_it(story: Graph) -> None:
    found = asked(story, "campaign")
    assert {key: group["shares"] for key, group in found.items()} == {None: 7, "spring": 1}
    spring = found["spring"]
    assert (spring["kFactor"], spring["reproductionNumber"], spring["amplification"]) == (2.0, 2.0, 7.0)
    assert (spring["cycleTimeS"], spring["conversionRate"]) == (20 * 60.0, 1 / 3)


def test_only_old_parents_have_all_their_reshares(story: Graph) -> None:
    noon = ms(datetime(2026, 6, 1, 12, tzinfo=UTC))
    found = asked(story, "item", now_ms=noon - HOUR_MS // 4, until_ms=noon + 12 * HOUR_MS, maturity_s=3600)["cup"]
    # At 11:45 a1 (two reshares) and b1 (one) are an hour old, d1 with its three is not.
    assert (found["completedParents"], found["censoredParents"], found["reproductionNumber"]) == (2, 4, 1.5)
    just = asked(story, "item", now_ms=noon, until_ms=noon + 12 * HOUR_MS, maturity_s=3600)["cup"]
    assert (just["completedParents"], just["reproductionNumber"]) == (3, 2.0)  # d1 is exactly an hour old


def test_a_purchase_counts_once_in_a_group_however_many_shares_are_credited(graph: Graph, settings: Settings) -> None:
    tell(graph, replace(settings, attribution="linear"), STORY)
    assert asked(graph, "item")["cup"]["conversions"] == 2
    found = asked(graph, "channel")  # p2 by d2 and d1 in the app and by a1, p1 by a1
    assert (found["app"]["conversions"], found["mail"]["conversions"]) == (1, 2)


def test_a_person_counts_once_however_many_cascades_they_join(graph: Graph, settings: Settings) -> None:
    early = share("y2", "yan", "1 09:59", "z2", item="mug")  # its clock is wrong: earlier than what it passes on
    shares = [share(f"z{n}", "zoe", "1 10:00", item="mug") for n in (1, 2)]
    own = share("again", "zoe", "1 10:00", "z1", item="mug")  # in the same moment, with a smaller id
    tell(graph, settings, [*shares, own, share("y1", "yan", "1 10:05", "z1", item="mug"), early])
    found = asked(graph, "item")["mug"]
    assert (found["sharers"], found["newSharers"], found["kFactor"]) == (2, 1, 0.5)
    assert (found["reshares"], found["timedReshares"], found["cycleTimeS"]) == (3, 1, 300.0)
    assert found["amplification"] == 2.5  # three shares and two


@pytest.mark.parametrize("seed", range(3))
def test_numbers_are_those_of_the_model(graph: Graph, settings: Settings, seed: int) -> None:
    told = made_up(seed, ms(NOW) - 2 * HOUR_MS)
    events: list[Event] = []
    for one in told:
        place = {"shareId": one["shareId"], "itemId": one["item"], "recipientIds": sorted(one["to"])}
        given = {"parentShareId": one["parent"], "channel": one["channel"], "occurredAt": iso(one["ms"])}
        events.append(event("share", one["shareId"], one["user"], **place, **given))
        events += [
            event("open", f"{one['shareId']}-{n}", user, shareId=one["shareId"], occurredAt=iso(opened))
            for n, (user, opened) in enumerate(one["opens"])
        ]
    tell(graph, settings, events)
    names: tuple[spread.By, ...] = ("item", "channel")
    for by in names:
        found = asked(graph, by, maturity_s=90 * 60)
        right = expected(told, by, completed_ms=ms(NOW) - 90 * 60_000)
        assert {key: {name: found[key][name] for name in group} for key, group in right.items()} == {
            key: pytest.approx(group) for key, group in right.items()
        }
        assert len(found) == len(right)


def test_filters_and_window(story: Graph) -> None:
    assert list(asked(story, "day", item_id="tea")) == ["2026-06-09"]
    assert {key: group["shares"] for key, group in asked(story, "item", channel="mail").items()} == {"cup": 3}
    assert {key: group["shares"] for key, group in asked(story, "day", campaign_id="spring").items()} == {
        "2026-06-01": 1
    }
    assert asked(story, "day", item_id="tea", channel="mail") == {}
    eleven = ms(datetime(2026, 6, 1, 11, tzinfo=UTC))
    later = asked(story, "item", since_ms=eleven, until_ms=eleven + HOUR_MS)["cup"]
    assert (later["shares"], later["reshares"]) == (2, 3)  # d1 and d2, not `again` at 12:00
    assert asked(story, "day", now_ms=ms(NOW) + 30 * 24 * HOUR_MS) == {}  # the default window has passed


def test_limits_say_what_they_cut(story: Graph) -> None:
    whole = spread.report(story, by="day", now_ms=ms(NOW), scanned=8)
    assert (whole["truncated"], whole["groupCount"]) == (False, 2)
    newest = spread.report(story, by="day", now_ms=ms(NOW), scanned=3)
    assert newest["truncated"] is True
    assert [(group["key"], group["shares"]) for group in newest["groups"]] == [("2026-06-09", 2), ("2026-06-01", 1)]
    assert spread.report(story, by="day", now_ms=ms(NOW), scanned=3, channel="app")["truncated"] is True
    first = spread.report(story, by="item", now_ms=ms(NOW), limit=1)
    assert ([group["key"] for group in first["groups"]], first["groupCount"]) == (["cup"], 2)


def test_a_report_of_nothing_says_its_window(graph: Graph) -> None:
    assert spread.report(graph, by="item", now_ms=ms(NOW)) == {
        "by": "item",
        "since": "2026-05-11T12:00:00.000Z",
        "until": "2026-06-10T12:00:00.000Z",
        "maturityS": 259_200,
        "groups": [],
        "groupCount": 0,
        "truncated": False,
    }


@pytest.mark.parametrize(
    ("given", "pointers"),
    [
        ({"by": "week"}, ["/by"]),
        ({"since_ms": ms(NOW)}, ["/since"]),
        ({"since_ms": ms(NOW) - 367 * 24 * HOUR_MS}, ["/since"]),
        ({"until_ms": 0}, ["/since"]),
        ({"until_ms": ms(NOW) + 400 * 24 * HOUR_MS}, ["/until"]),
        ({"maturity_s": 0, "limit": 367}, ["/maturityS", "/limit"]),
    ],
)
def test_what_is_out_of_bounds_is_named(graph: Graph, given: dict[str, Any], pointers: list[str]) -> None:
    with pytest.raises(InputError) as raised:
        spread.report(graph, **{"by": "day", "now_ms": ms(NOW), **given})
    assert [error["pointer"] for error in raised.value.errors] == pointers


def operators(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every operator of a plan with its details."""
    yield plan["operatorType"].split("@")[0], plan["args"].get("Details", "")
    for child in plan.get("children", []):
        yield from operators(child)


def test_it_reads_shares_by_their_time_only(story: Graph, settings: Settings) -> None:
    given = {
        "by": "day", "sinceMs": 0, "untilMs": ms(NOW), "completedMs": 0, "itemId": None, "campaignId": None,
        "channel": None, "scanned": 10, "limit": 10,
    }  # fmt: skip
    login = (settings.neo4j_user, settings.password())
    with GraphDatabase.driver(settings.bolt_uri, auth=login) as driver, driver.session() as session:
        plan = session.run(f"PROFILE {cypher_text.load('spread.report')}", given).consume().profile  # type: ignore[arg-type]
    assert plan is not None
    steps = list(operators(plan))
    starts = [(kind, details) for kind, details in steps if "Scan" in kind or "Seek" in kind]
    assert [kind for kind, _ in starts] == ["NodeIndexSeekByRange"]
    assert "Share(occurredAt)" in starts[0][1]
