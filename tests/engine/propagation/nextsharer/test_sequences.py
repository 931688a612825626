from __future__ import annotations

import numpy as np
import pytest

from engine.errors import DataError
from engine.propagation.nextsharer.sequences import read_folder


def test_cascades_are_sorted_by_start_and_those_of_2_to_500_users_stay(tmp_path):
    long = "".join(f"{1_000 + n} {n}," for n in range(501))
    just = "".join(f"{1_000 + n} {n + 5}," for n in range(500))
    text = f"7 300,8 310,7 320,9 330,\n5 100,\n{long}\n{just}\n8 200,9 200,\n6 200,9 210,\n4 10,4 20,\n"
    (tmp_path / "cascades.txt").write_text(text)
    found, links, ids = read_folder(tmp_path)
    assert np.diff(found.indptr).tolist() == [500, 2, 2, 3]  # of 7's two shares the first counts; 4 is alone
    assert ids[found.user[500:]].tolist() == [8, 9, 6, 9, 7, 8, 9]
    assert found.time_s[500:].tolist() == [200, 200, 200, 210, 300, 310, 330]
    assert found.users == len(ids)
    assert len(links.source) == 0


def test_links_are_read_once_each_and_number_users_without_a_share(tmp_path):
    (tmp_path / "cascades.txt").write_text("10 1,30 2,\n")
    (tmp_path / "edges.txt").write_text("30,10\n20,10\n\n30,10\n20,20\n10,30")
    found, links, ids = read_folder(tmp_path)
    assert ids.tolist() == [10, 20, 30]
    assert found.users == 3
    assert list(zip(ids[links.source], ids[links.target], strict=True)) == [(10, 30), (20, 10), (30, 10)]


@pytest.mark.parametrize("line", ["1;2", "1,2,3", "1,x", "1,", f"1,{10**30}"])
def test_a_malformed_link_is_refused_with_its_line(tmp_path, line):
    (tmp_path / "cascades.txt").write_text("1 1,2 2,\n")
    (tmp_path / "edges.txt").write_text(f"1,2\n{line}\n")
    with pytest.raises(DataError, match=r"edges.txt: line 2: .* is not USER,USER"):
        read_folder(tmp_path)


def test_a_part_holds_nothing_of_the_others():
    from tests.engine.propagation.nextsharer.made_cascades import sequences

    whole = sequences([[0, 1], [2, 3, 4], [5, 6]], 7)
    part = whole.part(1, 2)
    assert part.user.tolist() == [2, 3, 4]
    assert part.indptr.tolist() == [0, 3]
    assert part.user.base is None
    assert whole.take(np.array([2, 0])).user.tolist() == [5, 6, 0, 1]
