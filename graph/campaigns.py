"""What a plan of a campaign reads of the graph as it is now: who agrees, who was reached, what seeds cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graph.connection import Graph
from graph.errors import ConflictError, InputError, NotFoundError
from graph.plan_request import PlanRequest
from graph.publication import published

PAGE: Final = 5_000
"""Users that one statement looks at."""
TIMEOUT_S: Final = 120.0
MOST_ITEMS: Final = 200
"""Items of a category whose mean interest counts, the first by id."""
MOST_REACHED: Final = 2_000_000
"""Users who acted on an item, at most as many as are looked at."""


@dataclass(frozen=True, slots=True)
class Promoted:
    """What a campaign is for."""

    items: tuple[str, ...]
    """The item, or items of the category."""
    min_age: int
    """Years that users must have; 0: any."""


@dataclass(frozen=True, slots=True)
class Page:
    """Users who agree to `sharing` and `personalisation`, as columns of one length; a column not asked for is empty."""

    ids: list[str]
    costs: list[Any]
    """The attribute's value, None where there is none."""
    places: list[str | None]
    friends: list[int]
    born: list[str | None]
    """Date of birth, ISO 8601."""


def check(graph: Graph, request: PlanRequest) -> None:
    """Make sure that a plan can be made: what is promoted is there, a version is published, those named agree.

    Raises:
        InputError: the request makes no sense, or names users who are not there or do not agree.
        NotFoundError: there is no such item, or none in the category.
        ConflictError: no version is published.
        UnavailableError: Neo4j does not answer.
    """
    request.check()
    promoted(graph, request)
    live_version(graph)
    for name, ids in (("include", request.include), ("whatIf", request.what_if)):
        agreeing = {row["userId"] for row in graph.read("campaigns.agreeing", ids=list(ids))} if ids else set()
        if missing := [each for each in ids if each not in agreeing]:
            detail = f"{missing[0]} is no user who agrees to sharing and personalisation"
            raise InputError(f"{name}: {detail}", [{"pointer": f"/{name}", "detail": detail}])


def live_version(graph: Graph) -> str:
    """Return the published version.

    Raises:
        ConflictError: there is none.
    """
    live = published(graph)
    if live is None:
        raise ConflictError("no version is published yet: train first")
    return live["modelVersion"]


def promoted(graph: Graph, request: PlanRequest) -> Promoted:
    """Return what the request promotes.

    Raises:
        NotFoundError: there is no such item, or none in the category.
    """
    if request.item_id is not None:
        rows = graph.read("campaigns.promoted", item_id=request.item_id)
        if not rows:
            raise NotFoundError(f"no item {request.item_id}")
        return Promoted((request.item_id,), _years(rows[0]["minAge"]))
    (row,) = graph.read("campaigns.items_of_category", category=request.category, most=MOST_ITEMS)
    if not row["items"]:
        raise NotFoundError(f"no item in the category {request.category}")
    return Promoted(tuple(row["items"]), _years(row["minAge"]))


def reached(graph: Graph, item_id: str) -> Sequence[str]:
    """Return who shared the item or acted on it, a view alone does not count; nobody for an item that is not there."""
    rows = graph.read("campaigns.reached", timeout_s=TIMEOUT_S, item_id=item_id, most=MOST_REACHED)
    return rows[0]["ids"] if rows else []


def people(
    graph: Graph,
    *,
    cost: str | None,
    place: str | None,
    with_friends: bool,
    with_age: bool,
    tell: Callable[[], None] = lambda: None,
) -> Iterator[Page]:
    """Yield those who may take part in campaigns, page by page by id.

    Args:
        graph: where from.
        cost: attribute that says what a user costs.
        place: attribute that says where a user belongs.
        with_friends: whether friends are counted.
        with_age: whether dates of birth are read.
        tell: called once a page.
    """
    given = {"cost": cost, "place": place, "with_friends": with_friends, "with_age": with_age, "page": PAGE}
    after = ""
    while True:
        (row,) = graph.read("campaigns.people", timeout_s=TIMEOUT_S, after=after, **given)
        tell()
        if not row["looked"]:
            return
        yield Page(row["ids"], row["costs"], row["places"], row["friends"], row["born"])
        after = row["last"]


def _years(value: object) -> int:
    """Return the age that an item asks for; one that cannot be read asks for more than anybody has."""
    if value is None:
        return 0
    return value if isinstance(value, int) and not isinstance(value, bool) else 1_000
