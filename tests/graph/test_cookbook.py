"""The analysts' cookbook: every file reads, and answers right on a shop known by heart."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from graph import cookbook, cypher_text, entities, events
from graph.canonical import finish_canonical
from graph.connection import Graph
from graph.errors import InputError, NotFoundError
from graph.settings import Settings
from tests.graph import small_shop
from tests.graph.small_shop import event

NAMES = cookbook.names()

HISTORY = [
    event("l1", "like", "ben", "2026-03-02T10:00:00Z", itemId="i01"),
    event("l2", "like", "ben", "2026-03-02T10:01:00Z", itemId="i02"),
    event("l3", "like", "ben", "2026-03-02T10:02:00Z", itemId="i03"),
    event("l4", "like", "ann", "2026-03-02T11:00:00Z", itemId="i01"),
    event("l5", "like", "ann", "2026-03-02T11:01:00Z", itemId="i02"),
    event("l6", "like", "cat", "2026-03-02T12:00:00Z", itemId="i03"),
    event("l7", "like", "gus", "2026-03-02T12:00:00Z", itemId="i03"),
    event("p1", "purchase", "cat", "2026-03-09T08:00:00Z", itemId="i00", valueMinor=900, currency="EUR"),
    event("p2", "purchase", "ann", "2026-03-12T08:00:00Z", itemId="i00", valueMinor=900, currency="EUR"),
    event("p3", "purchase", "gus", "2026-03-12T08:00:00Z", itemId="i01", valueMinor=900, currency="EUR"),
    event("s0", "share", "cat", "2026-03-01T09:00:00Z", itemId="i01", recipientIds=["ben"]),
    event("s1", "share", "ben", "2026-03-10T10:00:00Z", itemId="i00", recipientIds=["ann", "cat"]),
    event("s2", "share", "ann", "2026-03-10T11:00:00Z", itemId="i00", recipientIds=["dan"], parentShareId="s1"),
    event("s3", "share", "cat", "2026-03-10T12:00:00Z", itemId="i00", recipientIds=["eve"], parentShareId="s1"),
    event("s4", "share", "dan", "2026-03-11T09:00:00Z", itemId="i00", parentShareId="s2"),
    event("s5", "share", "gus", "2026-03-10T13:00:00Z", itemId="i00", parentShareId="s1"),
    event("o1", "open", "ann", "2026-03-10T10:30:00Z", shareId="s1"),
    event("o2", "open", "cat", "2026-03-10T10:40:00Z", shareId="s1"),
    event("o3", "open", "dan", "2026-03-10T11:30:00Z", shareId="s2"),
]
"""A cascade of five on i00 from ben, an older share of i01, and what people liked and bought; gus shows nobody."""


@pytest.fixture(autouse=True, scope="module")
def shop(graph: Graph, settings: Settings) -> None:
    small_shop.fill(graph, settings)
    entities.upsert_users(graph, settings, [{"userId": "gus", "consent": ["personalisation", "sharing"]}])
    entities.upsert_friends(graph, settings, [{"userId": "ben", "friendId": "gus", "strength": 9.0}])
    assert events.ingest(graph, settings, HISTORY, imported=True).rejected == []
    finish_canonical(graph)


def rows(graph: Graph, name: str, **given: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in cookbook.run(graph, name, given, timeout_s=30)]


def test_there_are_at_least_ten_and_three_are_drawn() -> None:
    assert len(NAMES) >= 10
    assert sum(1 for name in NAMES if cookbook.question(name).draws) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_what_it_answers_and_holds_one_reading_statement(name: str) -> None:
    question = cookbook.question(name)
    code = "\n".join(line for line in question.text.splitlines() if not line.lstrip().startswith("//"))
    assert question.text.startswith(f"// {question.title}\n")
    assert len(question.answers) > 20
    assert set(question.draws) <= set(question.columns)
    assert ";" not in code
    assert "Kith" not in code
    assert not re.search(r"\b(CREATE|MERGE|SET|DELETE|REMOVE|LOAD)\b", code)
    assert max(map(len, question.text.splitlines())) <= 120


def test_titles_differ_and_fit_the_drawer_of_favourites() -> None:
    titles = {cookbook.question(name).title for name in NAMES}
    assert len(titles) == len(NAMES)
    assert max(map(len, titles)) <= 31  # what the drawer shows of a name


def test_what_reaches_the_server_is_the_file_with_parameters_for_defaults() -> None:
    ours = cypher_text.load("analytics.why_recommended")
    assert ours.replace("$userId AS userId, $itemId AS itemId", "null AS userId, null AS itemId") == (
        cookbook.question("why_recommended").text
    )


def test_defaults_have_the_types_they_are_written_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cypher_text, "ANALYTICS", tmp_path)
    monkeypatch.setattr(cookbook, "ANALYTICS", tmp_path)
    params = "".join(f"// param {name}: a value\n" for name in "abcde")
    (tmp_path / "typed.cypher").write_text(
        f"// Title\n// It answers nothing.\n{params}// columns: a\n"
        "WITH 'x, y' AS a, -7 AS b, 0.5 AS c, true AS d, null AS e\nRETURN a"
    )
    assert [p.default for p in cookbook.question("typed").parameters] == ["x, y", -7, 0.5, True, None]
    (tmp_path / "loose.cypher").write_text("// Title\n// Answers.\n// columns: a\nWITH 1 AS a\nRETURN a")
    with pytest.raises(ValueError, match="its first line has"):
        cookbook.question("loose")
    (tmp_path / "bare.cypher").write_text("// Title\nRETURN 1 AS a")
    with pytest.raises(ValueError, match="needs a title"):
        cookbook.question("bare")


def test_unknown_questions_and_parameters_are_refused(graph: Graph) -> None:
    with pytest.raises(NotFoundError, match="no question x"):
        cookbook.question("x")
    with pytest.raises(InputError, match="no parameter hours; it has days"):
        cookbook.run(graph, "share_funnel", {"hours": "1"})
    with pytest.raises(InputError, match="must be of type int"):
        cookbook.run(graph, "share_funnel", {"days": "many"})


def test_ben_started_three_reshares_and_ann_one(graph: Graph) -> None:
    assert rows(graph, "reshare_starters") == [
        ("ben", 1, 3, 3.0, 5.0),
        ("ann", 1, 1, 1.0, 1.0),
        ("dan", 1, 0, 0.0, 2.0),
        ("cat", 2, 0, 0.0, 3.0),
    ]


def test_shares_go_along_the_most_likely_paths(graph: Graph, cypher: Any) -> None:
    # Everyone's shares work on ben (.5) and cat (.25): from ann to cat directly is likelier than by way of ben.
    near = [("ann", "ben", [], 1, 0.5, "v1"), ("ann", "cat", [], 1, 0.25, "v1")]
    assert rows(graph, "likely_paths", userId="ann") == near
    assert rows(graph, "likely_paths") == [("ben", "cat", [], 1, 0.25, "v1")]
    cypher(
        "MATCH (cat:User {userId: 'cat'}), (dan:User {userId: 'dan'}) "
        "CREATE (cat)-[:INFLUENCES {probability: 0.8, modelVersion: 'test'}]->(dan)"
    )
    assert rows(graph, "likely_paths", userId="ann") == [*near, ("ann", "dan", ["cat"], 2, 0.2, "v1")]
    cypher("MATCH ()-[r:INFLUENCES {modelVersion: 'test'}]->() DELETE r")


def test_the_formula_tells_its_terms(graph: Graph, cypher: Any) -> None:
    # cat shared i01. Her friends: ann, 3 of whose 5 she is; ben, 1 of whose 11.
    found = {row[1]: row for row in rows(graph, "propagation", itemId="i01")}
    assert set(found) == {"ann", "ben"}
    item, user, sharers, s, d, c, n, tie, interest, probability, version = found["ann"]
    assert (item, user, sharers, s, d, n, version) == ("i01", "ann", 1, 3.0, 5.0, 3, "v1")
    near = (1 + math.cos(1.5 / 39)) / 2
    assert c == pytest.approx(near, abs=1e-3)
    assert tie == pytest.approx(0.5 * 3 / 5, abs=1e-3)
    assert interest == pytest.approx(0.5 * near / 3, abs=1e-3)
    assert probability == pytest.approx(tie + interest, abs=1e-3)
    cypher("MATCH (m:ModelVersion {modelVersion: 'v1'}) SET m.propagationAlpha = 1.0, m.propagationBeta = 0.0")
    assert {row[1]: row[9] for row in rows(graph, "propagation", itemId="i01")} == {
        "ann": pytest.approx(0.6), "ben": pytest.approx(1 / 11, abs=1e-3)
    }  # fmt: skip
    cypher("MATCH (m:ModelVersion) REMOVE m.propagationAlpha, m.propagationBeta")


def test_the_user_form_tells_its_terms(graph: Graph, cypher: Any) -> None:
    # ann has ties of 1 (ben), 3 (cat) and 1 (dan), shared once, and dan reshared that.
    found = {row[1]: row[2:] for row in rows(graph, "influence_terms", userId="ann")}
    assert found["dan"] == (1.0, 5.0, 1, 1, 0.1, 0.5, 0.6, None, "v1")
    assert found["cat"] == (3.0, 5.0, 0, 1, 0.3, 0.0, 0.3, 0.25, "v1")
    cypher(
        "MATCH (m:ModelVersion {modelVersion: 'v1'}) SET m.influenceAlpha = 1.0, m.influenceBeta = 0.25, "
        "m.influenceTieBySender = 0, m.influenceActBySender = 0, m.influenceByReshares = 0"
    )
    # By the receiver: dan's one tie is ann's, cat's are worth 4. dan opened one share, ann's; cat one, ben's.
    found = {row[1]: row[2:] for row in rows(graph, "influence_terms", userId="ann")}
    assert found["dan"] == (1.0, 1.0, 1, 1, 1.0, 0.25, 1.0, None, "v1")
    assert found["cat"] == (3.0, 4.0, 0, 1, 0.75, 0.0, 0.75, 0.25, "v1")
    cypher(
        "MATCH (m:ModelVersion) REMOVE m.influenceAlpha, m.influenceBeta, m.influenceTieBySender, "
        "m.influenceActBySender, m.influenceByReshares"
    )


def test_one_item_spreads_this_week_and_another_did_before(graph: Graph) -> None:
    spreading = ("i00", "thing i00", "books", 5, 4, 0, 5)
    assert rows(graph, "spreading_items") == [spreading]
    assert rows(graph, "spreading_items", days="30") == [spreading, ("i01", "thing i01", "games", 1, 0, 0, 1)]


def test_friends_of_the_most_influential_user_bought_the_first_item(graph: Graph) -> None:
    bought = ("i00", "thing i00", ["ann", "cat"], "2026-03-12T08:00:00+00:00", "v1")
    assert rows(graph, "friends_bought") == [("ben", 1, *bought)]
    assert rows(graph, "friends_bought", userId="dan") == [
        ("dan", 1, "i00", "thing i00", ["ann"], "2026-03-12T08:00:00+00:00", "v1")
    ]


def test_overlap_is_common_over_either(graph: Graph) -> None:
    near = round((1 + math.cos(0.375)) / 2, 3)
    assert rows(graph, "taste_overlap") == [
        ("ben", "ann", 1.0, 3, 3, 2, 50.0, near, ["thing i01", "thing i02"]),
        ("ben", "cat", 1.0, 3, 2, 1, 25.0, near, ["thing i03"]),
    ]


def test_influence_in_a_category_is_influence_times_share_of_likes(graph: Graph) -> None:
    found = [(row[0], row[1], round(row[2], 4)) for row in rows(graph, "category_influencers")]
    assert found == [
        ("books", "cat", 0.4286),  # 3 * 1 / (2 + 5)
        ("books", "ann", 0.125),  # 1 * 1 / (3 + 5)
        ("games", "ben", 0.625),  # 5 * 1 / (3 + 5)
        ("games", "ann", 0.125),
        ("music", "ben", 0.625),
        ("music", "ann", 0.125),
        ("shoes", "ben", 0.625),
        ("shoes", "cat", 0.4286),
    ]
    assert [row[1] for row in rows(graph, "category_influencers", category="books")] == ["cat", "ann"]


def test_a_recommendation_is_shown_with_what_speaks_for_it(graph: Graph) -> None:
    assert [row[0] for row in rows(graph, "why_recommended")] == [
        "(User ben)-[RECOMMENDED]->(Item i00)",
        "(User ben)<-[FRIEND]-(User ann)-[PURCHASED]->(Item i00)",
        "(User ben)-[FRIEND]->(User cat)-[PURCHASED]->(Item i00)",
    ]
    given = {"userId": "ben", "itemId": "i05"}
    paths = [row[0] for row in rows(graph, "why_recommended", **given)]
    assert paths[0] == "(User ben)-[RECOMMENDED]->(Item i05)"
    assert [re.sub("[<>]", "", path) for path in paths[1:]] == ["(User ben)-[LIKED]-(Item i01)-[SIMILAR]-(Item i05)"]


def test_a_neighbourhood_holds_friendships_and_common_items(graph: Graph) -> None:
    assert {row[0] for row in rows(graph, "neighbourhood", userId="ben")} == {
        "(User ann)-[FRIEND]->(User ben)",
        "(User ann)-[FRIEND]->(User cat)",
        "(User ben)-[FRIEND]->(User cat)",
        "(User ann)-[PURCHASED]->(Item i00)",
        "(User cat)-[PURCHASED]->(Item i00)",
        "(User ann)-[LIKED]->(Item i01)",
        "(User ben)-[LIKED]->(Item i01)",
        "(User ann)-[LIKED]->(Item i02)",
        "(User ben)-[LIKED]->(Item i02)",
        "(User ben)-[LIKED]->(Item i03)",
        "(User cat)-[LIKED]->(Item i03)",
    }


def test_the_largest_cascade_is_drawn_from_its_root(graph: Graph) -> None:
    assert rows(graph, "cascade") == [
        ("(User ben)-[SHARED]->(Share s1)", "(Share s1)", "thing i00"),
        ("(User ann)-[SHARED]->(Share s2)", "(Share s2)-[RESHARE_OF]->(Share s1)", "thing i00"),
        ("(User cat)-[SHARED]->(Share s3)", "(Share s3)-[RESHARE_OF]->(Share s1)", "thing i00"),
        (None, "(Share s5)-[RESHARE_OF]->(Share s1)", "thing i00"),
        ("(User dan)-[SHARED]->(Share s4)", "(Share s4)-[RESHARE_OF]->(Share s2)", "thing i00"),
    ]
    assert len(rows(graph, "cascade", rootShareId="s0")) == 1


def test_the_funnel_counts_only_what_came_after_the_share(graph: Graph) -> None:
    assert rows(graph, "share_funnel") == [
        ("books", 5, 4, 3, 1, 75.0, 25.0),
        ("games", 1, 1, 0, 0, 0.0, 0.0),
    ]


def test_a_cold_user_is_named_with_what_friends_like(graph: Graph) -> None:
    found = rows(graph, "cold_users")
    assert [(row[0], *row[2:]) for row in found] == [("dan", 1, ["books", "games", "music"], 20)]


def test_similar_items_come_by_score_and_near_ones_by_vector(graph: Graph) -> None:
    similar = rows(graph, "similar_items", itemId="i00")
    assert similar[0] == ("(Item i00)-[SIMILAR]->(Item i04)", "thing i04", "books", 1.0, "v1")
    assert [row[1] for row in similar] == [f"thing i{n:02}" for n in range(4, 40, 4)]
    near = rows(graph, "vector_search", itemId="i00")
    assert [row[0] for row in near] == [f"i{n:02}" for n in range(1, 21)]
    assert near[-1][3:] == (round((1 + math.cos(1.5 * 20 / 39)) / 2, 3), "v1")


def test_an_items_audience_is_who_has_it_on_the_list_and_has_not_bought_it(graph: Graph) -> None:
    chance = round(1.0 / (1.0 + math.exp(-4.0)), 4)  # the first of everyone's list
    # ann and cat bought i00. Of ben's friends both met it, and so did ann, whom dan has.
    assert rows(graph, "item_audience", itemId="i00") == [
        ("ben", 1, chance, 5.0, 2, 0, "v1"),
        ("dan", 1, chance, 2.0, 1, 0, "v1"),
        ("eve", 1, chance, 4.0, 0, 0, "v1"),
    ]
    # i02 was liked by ben and ann, who are the friends of others
    assert {row[0]: row[4:6] for row in rows(graph, "item_audience", itemId="i02")} == {
        "ann": (3, 2),
        "ben": (2, 1),
        "cat": (2, 0),
        "dan": (1, 0),
        "eve": (0, 0),
    }


@pytest.mark.parametrize("name", NAMES)
def test_nobody_appears_who_did_not_agree_to_analytics(graph: Graph, name: str) -> None:
    parameters = {parameter.name for parameter in cookbook.question(name).parameters}
    for user in ("ben", "gus") if "userId" in parameters else ("",):
        found = rows(graph, name, **({"userId": user} if user else {}))
        assert "gus" not in str(found)
        assert user == "gus" or found
