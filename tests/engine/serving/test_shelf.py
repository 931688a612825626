from __future__ import annotations

import pytest

from engine.serving.shelf import ANY_AGE, Shelf, Wanted, years_between

ROWS = [
    # itemId available kind category brand priceMinor currency minAge createdS
    ["tea", True, None, "drinks", "acme", 500, "EUR", None, 100],
    ["wine", True, "product", "drinks", "bodega", 1200, "EUR", 18, 200],
    ["mug", True, "product", "kitchen", "acme", 900, "USD", None, None],
    ["clip", True, "content", "drinks", None, None, None, None, 300],
    ["gone", False, "product", "drinks", "acme", 100, "EUR", None, 400],
    ["odd", True, "product", "odd", None, None, None, "18+", None],
]
IDS = [row[0] for row in ROWS]


@pytest.fixture
def shelf() -> Shelf:
    made = Shelf()
    made.update(ROWS)
    return made


def fitting(shelf: Shelf, wanted: Wanted, age: int = ANY_AGE) -> list[str]:
    view = shelf.view(wanted, age)
    return [item for item in IDS if view.allows(item)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), ["tea", "wine", "mug", "clip", "odd"]),
        (Wanted(category="drinks"), ["tea", "wine", "clip"]),
        (Wanted(brand="acme"), ["tea", "mug"]),
        (Wanted(kind="product"), ["tea", "wine", "mug", "odd"]),
        (Wanted(kind="content"), ["clip"]),
        (Wanted(currency="EUR", price_min=500, price_max=1200), ["tea", "wine"]),
        (Wanted(currency="EUR", price_min=501), ["wine"]),
        (Wanted(currency="USD", price_max=899), []),
        (Wanted(category="shoes"), []),
        (Wanted(category="drinks", brand="acme"), ["tea"]),
    ],
)
def test_filters_hold_together(shelf: Shelf, wanted: Wanted, expected: list[str]) -> None:
    assert fitting(shelf, wanted) == expected


@pytest.mark.parametrize(("age", "may"), [(0, False), (17, False), (18, True), (ANY_AGE, True)])
def test_age_limits_hold_and_one_that_is_no_number_lets_nobody_of_known_age_in(
    shelf: Shelf, age: int, may: bool
) -> None:
    assert ("wine" in fitting(shelf, Wanted(), age)) == may
    assert ("odd" in fitting(shelf, Wanted(), age)) == (age == ANY_AGE)
    assert "tea" in fitting(shelf, Wanted(), age)


def test_changes_show_in_the_next_view_and_unknown_items_are_named(shelf: Shelf) -> None:
    before = shelf.view()
    shelf.update([["tea", False, None, "drinks", "acme", 500, "EUR", None, 100], ["new", True, *[None] * 7]])
    after = shelf.view()
    assert before.allows("tea")
    assert not after.allows("tea")
    assert after.allows("new")
    assert not after.allows("never")
    assert after.unknown == ["never"]
    shelf.withdraw("new")
    assert not shelf.view().allows("new")


def test_new_items_come_newest_first_and_those_of_unknown_age_last(shelf: Shelf) -> None:
    assert shelf.newest(Wanted(), ANY_AGE, 10) == ["clip", "wine", "tea", "mug", "odd"]
    assert shelf.newest(Wanted(), 0, 2, since_s=100) == ["clip", "tea"]


def test_many_items_fit_on_it() -> None:
    shelf = Shelf()
    shelf.update([[f"i{n}", n % 2 == 0, None, f"c{n % 7}", None, n, "EUR", None, n] for n in range(5_000)])
    view = shelf.view(Wanted(category="c3", currency="EUR", price_max=99))
    assert sum(view.allows(f"i{n}") for n in range(5_000)) == sum(n % 7 == 3 and n % 2 == 0 for n in range(100))
    assert shelf.describe("i8") == shelf.describe("i15")
    assert shelf.describe("none") == (-1, -1)


@pytest.mark.parametrize(
    ("birth", "years"),
    [
        ("2008-11-22", 18),
        ("2008-11-23", 17),
        ("2008-01-01T00:00:00Z", 18),
        ("2026-11-22", 0),
        ("last year", None),
        ("2008-13-01", None),
        ("20081122", None),
    ],
)
def test_years_are_full_years(birth: str, years: int | None) -> None:
    assert years_between(birth, (2026, 11, 22)) == years
