from __future__ import annotations

import pytest

from engine.serving import live
from engine.serving.live import Act, FriendShare

TASTE = 0 * 256 + 255
TASTE_AND_FRIENDS = 0 * 256 + 2


def listed(count: int = 10) -> tuple[list[str], list[float], list[int]]:
    """Items p00, p01, ... with scores 5.0, 4.9, ..."""
    return [f"p{n:02}" for n in range(count)], [5.0 - 0.1 * n for n in range(count)], [TASTE] * count


def test_without_anything_live_the_published_order_stays() -> None:
    chosen = live.blend(*listed(), acts=[], shares=[], excluded=(), limit=3)
    assert [each.item_id for each in chosen] == ["p00", "p01", "p02"]
    assert [each.score for each in chosen] == pytest.approx([1.0, 8 / 9, 7 / 9])
    assert chosen[0].reasons() == ["taste"]


def test_excluded_items_leave_and_the_next_move_up() -> None:
    chosen = live.blend(*listed(), acts=[], shares=[], excluded={"p00", "p02"}, limit=3)
    assert [each.item_id for each in chosen] == ["p01", "p03", "p04"]


def test_neighbours_of_a_like_of_now_gain_in_proportion_to_similarity() -> None:
    act = Act("x", "LIKED", age_s=0, similar=["new", "p09"], similar_scores=[0.8, 0.4])
    chosen = live.blend(*listed(), acts=[act], shares=[], excluded={"x"}, limit=20)
    by_id = {each.item_id: each for each in chosen}
    assert by_id["new"].score == pytest.approx(live.ACT_WEIGHT)
    assert by_id["new"].reasons() == ["recentSimilar"]
    assert by_id["p09"].score == pytest.approx(0.0 + live.ACT_WEIGHT / 2)
    assert by_id["p09"].reasons() == ["recentSimilar", "taste"]


def test_an_act_counts_half_after_its_half_life_and_by_its_type() -> None:
    assert live.act_weight(Act("x", "LIKED", age_s=0)) == 1.0
    assert live.act_weight(Act("x", "LIKED", age_s=live.HALF_LIFE_S)) == 0.5
    assert live.act_weight(Act("x", "LIKED", age_s=-50)) == 1.0
    assert live.act_weight(Act("x", "VIEWED", age_s=0)) < live.act_weight(Act("x", "PURCHASED", age_s=0))
    assert live.act_weight(Act("x", "RATED", age_s=0, rating=5.0)) == 1.0
    assert live.act_weight(Act("x", "RATED", age_s=0, rating=0.0)) == -1.0
    assert live.act_weight(Act("x", "CLICKED", age_s=0)) == 0.0


def test_neighbours_of_what_was_hidden_lose_and_unknown_ones_do_not_appear() -> None:
    act = Act("x", "HIDDEN", age_s=0, similar=["p00", "new"], similar_scores=[1.0, 1.0])
    chosen = live.blend(*listed(), acts=[act], shares=[], excluded=(), limit=20)
    assert "new" not in [each.item_id for each in chosen]
    assert chosen[0].item_id == "p01"


def test_friends_shares_add_up_to_a_limit_and_give_the_reason() -> None:
    shares = [FriendShare("s", age_s=0, strength=1.0) for _ in range(9)]
    chosen = live.blend(
        [], [], [], acts=[], shares=[*shares, FriendShare("t", live.SHARE_HALF_LIFE_S)], excluded=(), limit=5
    )
    assert [(each.item_id, each.score) for each in chosen] == [
        ("s", pytest.approx(live.SHARE_LIMIT)),
        ("t", pytest.approx(live.SHARE_WEIGHT / 2)),
    ]
    assert chosen[0].reasons() == ["friendShared"]


def test_three_likes_in_one_category_raise_its_share_of_the_top_ten() -> None:
    items = [f"{'a' if n % 5 == 0 else 'b'}{n:03}" for n in range(200)]
    scores = [10.0 - 0.05 * n for n in range(200)]
    before = live.blend(items, scores, [TASTE] * 200, acts=[], shares=[], excluded=(), limit=10)
    a_items = [item for item in items if item.startswith("a")]
    acts = [
        Act(
            f"like{n}",
            "LIKED",
            age_s=5,
            similar=a_items[n : n + 20],
            similar_scores=[1.0 - 0.02 * k for k in range(20)],
        )
        for n in range(3)
    ]
    after = live.blend(items, scores, [TASTE] * 200, acts=acts, shares=[], excluded=(), limit=10)
    share = [sum(each.item_id.startswith("a") for each in chosen) / 10 for chosen in (before, after)]
    assert share[0] == 0.2
    assert share[1] >= 0.5


def test_equal_scores_are_ordered_by_id_and_flat_lists_keep_score_one() -> None:
    chosen = live.blend(["b", "a"], [2.0, 2.0], [TASTE] * 2, acts=[], shares=[], excluded=(), limit=2)
    assert [(each.item_id, each.score) for each in chosen] == [("a", 1.0), ("b", 1.0)]


def test_packed_reasons_are_named_largest_first() -> None:
    assert live.unpacked(TASTE_AND_FRIENDS) == (0, 2)
    assert live.unpacked(TASTE) == (0,)
    assert live.unpacked(255 * 256 + 255) == ()
