from __future__ import annotations

import pytest

from api.console import words


def test_values_as_people_read_them() -> None:
    assert [words.count(value) for value in (None, 0, 1234567, 12.6)] == ["–", "0", "1\u202f234\u202f567", "13"]
    assert [words.number(value) for value in (None, 2.0, 1 / 3)] == ["–", "2.00", "0.33"]
    assert words.moment("2026-11-22T14:05:59.123Z") == "2026-11-22 14:05 UTC"
    assert words.moment(None) == "–"


@pytest.mark.parametrize(
    ("currencies", "amounts", "text"),
    [
        ([], [], "0"),
        (None, None, "0"),
        (["EUR"], [123456], "1\u202f234.56 EUR"),
        (["EUR", "JPY"], [5, 3000], "0.05 EUR + 3\u202f000 JPY"),
        (["KWD"], [1500], "1.500 KWD"),
    ],
)
def test_money_has_the_decimals_of_its_currency(currencies: object, amounts: object, text: str) -> None:
    assert words.money({"revenueCurrencies": currencies, "revenueAmounts": amounts}) == text
