"""The bounded part of a history: who is in it, and that it is what the whole history gives."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import DataError
from engine.serving.sharetarget import history as module
from engine.serving.sharetarget.candidates import Known, candidates
from engine.serving.sharetarget.history import History, ask, excerpt
from engine.serving.sharetarget.population import nobody
from engine.serving.sharetarget.ties import Ties, no_ties


def test_rows_are_sorted_by_time_and_counted() -> None:
    history = History.of([5, 0], [1, 2], [0, 3], [20, 10])
    assert history.time_s.tolist() == [10, 20]
    assert history.sender.tolist() == [0, 5]
    assert (history.users, history.items) == (6, 3)


def test_bad_columns_are_refused() -> None:
    with pytest.raises(DataError, match="differ in length"):
        History.of([0], [0, 1], [0], [0])
    with pytest.raises(DataError, match="negative"):
        History.of([0], [0], [-1], [0])


def test_what_lies_at_the_question_or_after_is_not_seen() -> None:
    history = History.of([0, 0, 0], [0, 0, 0], [1, 2, 3], [10, 20, 30])
    seen = excerpt(history, ask(np.array([0, 0]), np.array([0, 0]), np.array([20, 21])))
    assert seen.partner[seen.partner_row == 0].tolist() == [1]
    assert seen.partner[seen.partner_row == 1].tolist() == [1, 2]


def test_history_up_to_an_earlier_time() -> None:
    history = History.of([0, 0], [0, 0], [1, 2], [10, 20])
    seen = excerpt(history, ask(np.array([0]), np.array([0]), np.array([100]), np.array([15])))
    assert seen.partner.tolist() == [1]


def test_only_the_newest_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OWN_EVENTS", 3)
    monkeypatch.setattr(module, "PARTNERS", 2)
    monkeypatch.setattr(module, "CIRCLE_EVENTS", 1)
    monkeypatch.setattr(module, "ITEM_EVENTS", 2)
    # 0 shares with 1, 2, 3, 4 in turn; 4 then shares with 5.
    history = History.of([0, 0, 0, 0, 4], [0, 0, 0, 0, 1], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
    seen = excerpt(history, ask(np.array([0]), np.array([0]), np.array([9])))
    assert history.recipient[seen.own_event].tolist() == [2, 3, 4]
    assert seen.partner.tolist() == [3, 4]
    assert seen.circle_event.tolist() == [2, 4]
    assert seen.item_event.tolist() == [2, 3]


def test_candidates_come_from_every_source_and_never_the_user() -> None:
    # 0 -> 1; 2 -> 0; 1 -> 3 (met by a partner); 6 -> 7 with the item; 8 a friend; 9 active.
    history = History.of([0, 2, 1, 6], [0, 0, 0, 5], [1, 0, 3, 7], [1, 2, 3, 4], users=12)
    people = nobody(12)
    people = type(people)(people.counts, people.sends, people.receives, people.nearest, people.alike, np.array([9, 0]))
    ties = Ties.of(np.array([0]), np.array([8]), np.array([2.0]), users=12)
    questions = ask(np.array([0]), np.array([5]), np.array([10]))
    found = candidates(Known(history, people, ties), questions, excerpt(history, questions))
    assert found.user.tolist() == [1, 2, 3, 6, 7, 8, 9]
    assert found.place(np.array([0, 0]), np.array([3, 11])).tolist() == [2, 7]


def test_ties_are_found_from_both_ends_and_totals_may_be_larger() -> None:
    ties = Ties.of(np.array([0, 2]), np.array([1, 0]), np.array([3.0, 1.5]), users=4, friends=np.array([7, 1, 1, 0]))
    assert ties.between(np.array([1, 0, 1]), np.array([0, 2, 2])).tolist() == [3.0, 1.5, 0.0]
    row, friend = ties.friends_of(np.array([0, 3]), 10)
    assert (row.tolist(), friend.tolist()) == ([0, 0], [1, 2])
    assert ties.total.tolist() == [4.5, 3.0, 1.5, 0.0]
    assert ties.friends[0] == 7
    assert no_ties(3).between(np.array([0]), np.array([1])).tolist() == [0.0]
