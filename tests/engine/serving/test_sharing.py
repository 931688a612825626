from __future__ import annotations

import pytest

from engine.serving import sharing
from engine.serving.sharing import Candidate


def candidate(user_id: str = "j", **given: object) -> Candidate:
    base = {"strength": 1.0, "sharers_strength": 1.0, "ties_strength": 4.0, "friends": 4, "interest": None}
    return Candidate(user_id, **{**base, **given})  # type: ignore[arg-type]


def test_the_formula_by_hand() -> None:
    # alpha S/D + beta C/N = 0.5 * 3/4 + 0.5 * 0.8/4
    assert sharing.formula(candidate(sharers_strength=3.0, interest=0.8)) == pytest.approx(0.475)
    assert sharing.formula(candidate(interest=None)) == pytest.approx(0.125)
    assert sharing.formula(candidate(sharers_strength=0.0, ties_strength=0.0, friends=0, interest=0.9)) == 0.0
    assert sharing.formula(candidate(sharers_strength=40.0)) == 1.0


def test_history_fades_counts_opened_shares_twice_and_shares_back() -> None:
    assert sharing.history(candidate()) == 0.0
    assert sharing.history(candidate(sent=[(0.0, False)])) == 1.0
    assert sharing.history(candidate(sent=[(0.0, True)])) == 2.0
    assert sharing.history(candidate(sent=[(sharing.HALF_LIFE_S, False)])) == pytest.approx(0.5)
    assert sharing.history(candidate(received=[0.0])) == sharing.RECEIVED_WEIGHT


def test_who_opened_before_ranks_over_who_was_only_sent_to_and_over_a_mere_friend() -> None:
    ranked = sharing.rank(
        [
            candidate("friend"),
            candidate("opened", sent=[(100.0, True)]),
            candidate("sent", sent=[(100.0, False)]),
        ],
        limit=2,
    )
    assert [each.user_id for each in ranked] == ["opened", "sent"]


def test_reasons_say_what_holds() -> None:
    stranger = candidate(strength=None, sharers_strength=0.0, sent=[(1.0, False)])
    assert sharing.reasons(stranger) == ("sharedBefore",)
    close = candidate(sharers_strength=2.0, received=[1.0], interest=0.9, sent=[(1.0, True)])
    assert sharing.reasons(close) == sharing.KNOWN_REASONS


def test_strangers_rank_by_similarity_interest_and_acts_below_the_known() -> None:
    def stranger(name: str, similarity: float | None, interest: float | None, acts: int) -> sharing.Stranger:
        who = candidate(name, strength=None, sharers_strength=0.0, friends=2, interest=interest)
        return sharing.Stranger(who, similarity, acts)

    given = [
        stranger("a", None, None, 1),
        stranger("b", 0.9, 0.8, 0),
        stranger("c", 0.9, 0.8, 3),
        stranger("d", 0.5, None, 0),
    ]
    ranked = sharing.rank_strangers(given, 9, 0.3)
    # means of three: (0.9 + 0.8 + 3/4) / 3, (0.9 + 0.8) / 3, 0.5 / 3 twice (ties by user id), times 0.3
    assert [each.user_id for each in ranked] == ["c", "b", "a", "d"]
    assert [each.score for each in ranked] == pytest.approx([0.245, 0.17, 0.05, 0.05])
    assert ranked[0].probability == pytest.approx(0.5 * 0.8 / 2)
    assert ranked[0].reasons == ("interest", "similarTaste", "interestedInCategory")
    assert ranked[2].reasons == ("interestedInCategory",)
    assert [each.user_id for each in sharing.rank_strangers(given, 1, 0.0)] == ["c"]
