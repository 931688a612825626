"""Parts of a snapshot known by hand: nearness, communities, shares that lose their parent."""

from __future__ import annotations

import numpy as np
import pytest

from engine.types import Edges, GraphSnapshot, Nodes
from graph.errors import InputError
from graph.subgraph import SubgraphOptions, restrict


def edges(pairs: list[tuple[int, int]], **columns: list[float]) -> Edges:
    ends = np.array(pairs, dtype=np.int32).reshape(-1, 2)
    dtypes = {"rating": np.float32, "strength": np.float32, "type": np.int8, "occurred_at_s": np.int64}
    typed = {key: np.array(column, dtype=dtypes.get(key, np.int32)) for key, column in columns.items()}
    return Edges(ends[:, 0].copy(), ends[:, 1].copy(), typed)


@pytest.fixture
def chain() -> GraphSnapshot:
    """Users a-b-c-d in a row (friend, follow, share sent); items x, y, z; share s1 (a, x) <- s2 (c, y) <- s3 (d, z)."""
    return GraphSnapshot(
        snapshot_id="s",
        watermark_s=0,
        users=Nodes(np.array(list("abcd"), dtype=object), {"community": np.array([1, 1, 2, 2])}),
        items=Nodes(np.array(list("xyz"), dtype=object), {"category": np.array(["k", "k", "m"], dtype=object)}),
        interactions=edges([(0, 0), (1, 1), (2, 2), (3, 2)], type=[1] * 4, occurred_at_s=[10, 20, 30, -1]),
        friends=edges([(0, 1)], strength=[1.0]),
        follows=edges([(2, 1)]),
        shares=edges([(0, 0), (2, 1), (3, 2)], occurred_at_s=[5, 15, -1], parent=[-1, 0, 1]),
        sends=edges([(1, 3), (0, 1)]),
        opens=edges([(0, 1), (1, 3)], occurred_at_s=[6, 16]),
        share_ids=np.array(["s1", "s2", "s3"], dtype=object),
    )


@pytest.mark.parametrize(("hops", "expected"), [(0, "a"), (1, "ab"), (2, "abc"), (3, "abcd"), (9, "abcd")])
def test_hops_go_along_ties_in_both_directions(chain: GraphSnapshot, hops: int, expected: str) -> None:
    assert "".join(restrict(chain, SubgraphOptions(seeds=("a",), hops=hops)).users.ids) == expected


def test_a_community_keeps_its_users_and_what_they_touched(chain: GraphSnapshot) -> None:
    part = restrict(chain, SubgraphOptions(community="2"))
    assert "".join(part.users.ids) == "cd"
    assert "".join(part.items.ids) == "yz"
    assert part.interactions.source.tolist() == [0, 1]
    assert part.interactions.target.tolist() == [1, 1]
    assert part.share_ids.tolist() == ["s2", "s3"]
    assert part.shares.columns["parent"].tolist() == [-1, 0]
    assert (part.sends.source.tolist(), part.sends.target.tolist()) == ([0], [1])
    assert (part.opens.source.tolist(), part.opens.target.tolist()) == ([0], [1])
    assert len(part.friends) == len(part.follows) == 0


def test_a_category_keeps_who_acted_on_it(chain: GraphSnapshot) -> None:
    part = restrict(chain, SubgraphOptions(category="k"))
    assert "".join(part.users.ids) == "abc"
    assert "".join(part.items.ids) == "xy"
    assert part.share_ids.tolist() == ["s1", "s2"]
    assert len(part.interactions) == 2


def test_since_cuts_events_not_nodes(chain: GraphSnapshot) -> None:
    part = restrict(chain, SubgraphOptions(since="1970-01-01T00:00:15"))
    assert (len(part.users), len(part.items), len(part.friends), len(part.follows)) == (4, 3, 1, 1)
    assert part.interactions.columns["occurred_at_s"].tolist() == [20, 30]
    assert part.share_ids.tolist() == ["s2"]
    assert part.shares.columns["parent"].tolist() == [-1]
    assert part.sends.source.tolist() == [0]
    assert part.opens.columns["occurred_at_s"].tolist() == [16]


def test_everything_is_everything(chain: GraphSnapshot) -> None:
    part = restrict(chain, SubgraphOptions())
    assert (len(part.users), len(part.interactions), len(part.shares), len(part.opens)) == (4, 4, 3, 2)


@pytest.mark.parametrize(
    "options",
    [SubgraphOptions(since="yesterday"), SubgraphOptions(seeds=("nobody",)), SubgraphOptions(seeds=("a",), hops=11)],
)
def test_options_that_make_no_sense_are_refused(chain: GraphSnapshot, options: SubgraphOptions) -> None:
    with pytest.raises(InputError):
        restrict(chain, options)
