"""What a plan of a campaign is asked with, and what of it is refused; the API, the queue and the terminal share it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from graph.errors import InputError
from graph.values import (
    ATTRIBUTE_NAME,
    MAX_VALUE_MINOR,
    currency_problem,
    id_problem,
    integer_problem,
    is_reserved,
    number_problem,
    text_problem,
)

MOST_SEEDS: Final = 1_000
MOST_INCLUDED: Final = 1_000
MOST_EXCLUDED: Final = 10_000
MOST_WHAT_IF: Final = 1_000
EPSILONS: Final = (0.03, 0.5)
"""The smaller, the more RR sets: the effort grows with 1 / epsilon^2."""
EPSILON: Final = 0.1
LONGEST_HORIZON_H: Final = 24 * 366
SEED_MAX: Final = 2**32 - 1
CHANNEL_CHARS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """What a seed costs, in minor units: a share of its own for each user, and more the more friends there are."""

    per_user_minor: int | None = None
    per_friend_minor: int = 0
    attribute: str | None = None
    """Users whose attribute of this name is a whole number above 0 cost that instead; others, without
    `per_user_minor`, are no seeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """A plan that is asked for."""

    item_id: str | None = None
    category: str | None = None
    k: int | None = None
    """Seeds at most."""
    budget_minor: int | None = None
    currency: str | None = None
    cost: CostModel | None = None
    channel: str | None = None
    horizon_hours: float | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    quota_per_community: int | None = None
    quota_by: str | None = None
    """Attribute of users that says where they belong; None: communities found in the ties."""
    epsilon: float = EPSILON
    seed: int = 0
    what_if: tuple[str, ...] = ()
    """Users whose spread is asked for instead of a choice."""

    def to_json(self) -> dict[str, Any]:
        """Return the request as the API has it."""
        cost = self.cost
        return {
            "itemId": self.item_id,
            "category": self.category,
            "k": self.k,
            "budgetMinor": self.budget_minor,
            "currency": self.currency,
            "cost": None
            if cost is None
            else {
                "perUserMinor": cost.per_user_minor,
                "perFriendMinor": cost.per_friend_minor,
                "attribute": cost.attribute,
            },
            "channel": self.channel,
            "horizonHours": self.horizon_hours,
            "include": list(self.include),
            "exclude": list(self.exclude),
            "quotaPerCommunity": self.quota_per_community,
            "quotaBy": self.quota_by,
            "epsilon": self.epsilon,
            "seed": self.seed,
            "whatIf": list(self.what_if),
        }

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> PlanRequest:
        """Return the request that `to_json` wrote.

        Raises:
            KeyError: it is none.
        """
        cost = told["cost"]
        return cls(
            item_id=told["itemId"],
            category=told["category"],
            k=told["k"],
            budget_minor=told["budgetMinor"],
            currency=told["currency"],
            cost=None
            if cost is None
            else CostModel(
                per_user_minor=cost["perUserMinor"],
                per_friend_minor=cost["perFriendMinor"],
                attribute=cost["attribute"],
            ),
            channel=told["channel"],
            horizon_hours=told["horizonHours"],
            include=tuple(told["include"]),
            exclude=tuple(told["exclude"]),
            quota_per_community=told["quotaPerCommunity"],
            quota_by=told["quotaBy"],
            epsilon=told["epsilon"],
            seed=told["seed"],
            what_if=tuple(told["whatIf"]),
        )

    def check(self) -> None:
        """Refuse what makes no sense; looks at the request alone.

        Raises:
            InputError: names every field that is wrong.
        """
        wrong = [{"pointer": f"/{name}", "detail": why} for name, why in self._problems() if why]
        if wrong:
            raise InputError("; ".join(f"{each['pointer'][1:]} {each['detail']}" for each in wrong), wrong)

    def _problems(self) -> Iterator[tuple[str, str | None]]:
        """Yield each field with what is wrong with it, None where nothing is."""
        if (self.item_id is None) == (self.category is None):
            yield "itemId", "or category: exactly one of them says what is promoted"
        for name, text in (("itemId", self.item_id), ("category", self.category)):
            yield name, None if text is None else id_problem(text)
        yield "channel", None if self.channel is None else text_problem(self.channel, limit=CHANNEL_CHARS)
        yield "k", _whole(self.k, 1, MOST_SEEDS)
        yield "budgetMinor", _whole(self.budget_minor, 1, MAX_VALUE_MINOR)
        yield "quotaPerCommunity", _whole(self.quota_per_community, 1, MOST_SEEDS)
        yield "seed", _whole(self.seed, 0, SEED_MAX)
        yield "epsilon", number_problem(self.epsilon, minimum=EPSILONS[0], maximum=EPSILONS[1])
        if self.horizon_hours is not None:
            yield "horizonHours", _hours_problem(self.horizon_hours)
        if not self.what_if and self.k is None and self.budget_minor is None:
            yield "k", "or budgetMinor says how many seeds there may be"
        yield from self._money_problems()
        yield from self._people_problems()

    def _money_problems(self) -> Iterator[tuple[str, str | None]]:
        if self.budget_minor is not None and self.cost is None:
            yield "cost", "is needed to know what a budget pays for"
        if self.currency is not None:
            yield "currency", currency_problem(self.currency)
        elif self.budget_minor is not None or self.cost is not None:
            yield "currency", "is needed where money is"
        if self.cost is not None:
            yield "cost/perUserMinor", _whole(self.cost.per_user_minor, 1, MAX_VALUE_MINOR)
            yield "cost/perFriendMinor", _whole(self.cost.per_friend_minor, 0, MAX_VALUE_MINOR)
            yield "cost/attribute", _attribute_problem(self.cost.attribute)
            if self.cost.per_user_minor is None and self.cost.attribute is None:
                yield "cost", "names perUserMinor, attribute or both"

    def _people_problems(self) -> Iterator[tuple[str, str | None]]:
        lists = (
            ("include", self.include, MOST_INCLUDED),
            ("exclude", self.exclude, MOST_EXCLUDED),
            ("whatIf", self.what_if, MOST_WHAT_IF),
        )
        for name, ids, most in lists:
            if len(ids) > most:
                yield name, f"names at most {most} users"
            elif len(set(ids)) < len(ids):
                yield name, "names a user twice"
            yield name, next((why for each in ids if (why := id_problem(each))), None)
        if set(self.include) & set(self.exclude):
            yield "exclude", "names a user who must be included"
        if self.what_if and (self.include or self.exclude or self.quota_per_community):
            yield "whatIf", "is a set as it is: leave include, exclude and quotaPerCommunity out"
        if self.quota_by is not None:
            yield "quotaBy", _attribute_problem(self.quota_by)
            if self.quota_per_community is None:
                yield "quotaPerCommunity", "is needed with quotaBy"


def _whole(value: object, least: int, most: int) -> str | None:
    return None if value is None else integer_problem(value, minimum=least, maximum=most)


def _hours_problem(value: float) -> str | None:
    return (
        None
        if math.isfinite(value) and 0 < value <= LONGEST_HORIZON_H
        else f"is above 0 and at most {LONGEST_HORIZON_H}"
    )


def _attribute_problem(name: str | None) -> str | None:
    if name is None or (ATTRIBUTE_NAME.fullmatch(name) and not is_reserved(name)):
        return None
    return "is not the name of an attribute of users"
