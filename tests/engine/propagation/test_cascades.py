from __future__ import annotations

import numpy as np
import pytest

from engine.errors import DataError
from engine.propagation.cascades import cascades_of, from_folder


def write(folder, text: str, **how):
    (folder / "cascades.txt").write_text(text, **how)
    return folder


def test_both_forms_are_read(tmp_path):
    found = from_folder(write(tmp_path, "7 100,8 1.6e+2,9 160,\n\n1 2 50,3 80\n"))
    assert found.start_s.tolist() == [100, 50]
    assert found.indptr.tolist() == [0, 3, 6]
    assert found.seconds.tolist() == [0, 60, 60, 0, 0, 30]
    assert found.user.tolist() == [7, 8, 9, 1, 2, 3]
    assert found.end_s == 160


def test_an_event_that_the_file_was_cut_in_is_left_out(tmp_path):
    assert from_folder(write(tmp_path, "1 10,2 20,\n3 30,4 40,17")).user.tolist() == [1, 2, 3, 4]
    assert from_folder(write(tmp_path, "1 10,2 20")).user.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1 10,2 20,\n3 30,4,5 50,\n", "line 2: '4' is not USER SECONDS"),
        ("1 10,2 20,17\n", "line 1: '17' is not USER SECONDS"),
        ("1 10,2 3 20,\n", "line 1: '2 3 20' is not USER SECONDS"),
        ("1 10,,2 20,\n", "line 1: '' is not USER SECONDS"),
        (",\n", "line 1: '' is not USER SECONDS"),
        ("1 10,x 20,\n", "line 1: a user or a time is not a number"),
        ("1 10,2 later,\n", "line 1: a user or a time is not a number"),
        (f"1 10,{10**30} 20,\n", "line 1: a user or a time is not a number"),
        ("1 10,2 nan,\n", "line 1: a time is not finite or not in seconds"),
        ("1 10,2 1e300,\n", "line 1: a time is not finite or not in seconds"),
        ("1 10,2 20,\n1 20,2 10,\n", "line 2: times go back"),
        ("\n", "line 1: holds no cascade"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path, text, problem):
    with pytest.raises(DataError) as refused:
        from_folder(write(tmp_path, text))
    assert str(refused.value) == f"{tmp_path / 'cascades.txt'}: {problem}"


def test_a_missing_file_or_one_that_is_no_text_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"cascades.txt: line 1: there is no such file"):
        from_folder(tmp_path)
    (tmp_path / "cascades.txt").write_bytes(b"1 10,\n\xff\xfe 20,\n")
    with pytest.raises(DataError, match="is not text in UTF-8"):
        from_folder(tmp_path)


def test_cascades_can_be_chosen_and_cut():
    found = cascades_of([np.array([5.0, 6, 9]), np.array([1.0]), np.array([2.0, 4])], [np.arange(3), [7], [8, 9]])
    assert found.seen_by(1).tolist() == [2, 1, 1]
    chosen = found.take(np.array([2, 0]))
    assert chosen.start_s.tolist() == [2, 5]
    assert chosen.seconds.tolist() == [0, 2, 0, 1, 4]
    assert chosen.user.tolist() == [8, 9, 0, 1, 2]
    cut = chosen.before(1)
    assert cut.indptr.tolist() == [0, 1, 3]
    assert cut.user.tolist() == [8, 0, 1]
    assert found.events_of(np.array([2, 0])).tolist() == [4, 5, 0, 1, 2]


@pytest.mark.parametrize(
    ("times", "users"),
    [([[]], None), ([[1.0, 0.5]], None), ([[np.nan]], None), ([[0.0, np.inf]], None), ([[1.0, 2.0]], [[3]])],
)
def test_times_that_are_none_are_refused(times, users):
    with pytest.raises(DataError):
        cascades_of([np.array(time, float) for time in times], users)
