"""Plans of campaigns: what is asked and answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.shapes.parts import Answer, Currency, Identifier, PaidMoney, Query, Strict
from graph.plan_request import (
    CHANNEL_CHARS,
    EPSILON,
    EPSILONS,
    LONGEST_HORIZON_H,
    MOST_EXCLUDED,
    MOST_INCLUDED,
    MOST_SEEDS,
    MOST_WHAT_IF,
    SEED_MAX,
    CostModel,
    PlanRequest,
)
from graph.values import MAX_ID_CHARS, MAX_VALUE_MINOR

Attribute = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
Category = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS)]
Price = Annotated[int, Field(ge=1, le=MAX_VALUE_MINOR)]
Count = Annotated[int, Field(ge=0)]
Spread = Annotated[float, Field(ge=0)]


class CostBody(Strict):
    """What a seed costs in minor units: `perUserMinor + perFriendMinor * friends`, or what an attribute says."""

    per_user_minor: Price | None = None
    per_friend_minor: PaidMoney = 0
    attribute: Annotated[
        Attribute | None,
        Field(
            description="Users whose attribute of this name is a whole number above 0 cost that; others, without "
            "perUserMinor, are no seeds."
        ),
    ] = None


class PlanBody(Strict):
    """What is promoted, with how much, and who is to be among the seeds."""

    item_id: Identifier | None = None
    category: Category | None = None
    k: Annotated[int, Field(ge=1, le=MOST_SEEDS, description="Seeds at most.")] | None = None
    budget_minor: Price | None = None
    currency: Currency | None = None
    cost: CostBody | None = None
    channel: Annotated[str, Field(max_length=CHANNEL_CHARS)] | None = None
    horizon_hours: Annotated[float, Field(gt=0, le=LONGEST_HORIZON_H, allow_inf_nan=False)] | None = None
    include: Annotated[list[Identifier], Field(max_length=MOST_INCLUDED, default_factory=list)]
    exclude: Annotated[list[Identifier], Field(max_length=MOST_EXCLUDED, default_factory=list)]
    quota_per_community: Annotated[int, Field(ge=1, le=MOST_SEEDS)] | None = None
    quota_by: Annotated[
        Attribute | None,
        Field(description="Attribute of users that says where they belong; without it communities are found in ties."),
    ] = None
    epsilon: Annotated[float, Field(ge=EPSILONS[0], le=EPSILONS[1], allow_inf_nan=False)] = EPSILON
    seed: Annotated[int, Field(ge=0, le=SEED_MAX)] = 0
    what_if: Annotated[
        list[Identifier],
        Field(max_length=MOST_WHAT_IF, default_factory=list, description="Tell what these reach, instead of choosing."),
    ]

    def request(self) -> PlanRequest:
        """Return what is asked."""
        given = self.model_dump(exclude={"cost", "include", "exclude", "what_if"})
        cost = None if self.cost is None else CostModel(**self.cost.model_dump())
        lists = {name: tuple(getattr(self, name)) for name in ("include", "exclude", "what_if")}
        return PlanRequest(**given, **lists, cost=cost)


class PlanQuery(Query):
    """How long to wait for the plan."""

    wait: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 2.0


class CostAnswer(Answer):
    """What a seed costs."""

    per_user_minor: int | None
    per_friend_minor: int
    attribute: str | None


class PlannedSeed(Answer):
    """A user whom the campaign starts with; reasons are codes."""

    rank: int
    user_id: str
    cost_minor: int | None
    marginal_spread: Annotated[Spread, Field(description="Users reached beyond those whom the seeds before reach.")]
    spread_alone: Spread
    influence_score: Annotated[float, Field(ge=0, description="As published: of an average item, among everybody.")]
    reasons: list[Literal["included", "influential", "cheap", "newCircle", "taste"]]


class Comparison(Answer):
    """What a simpler choice reaches within the same limits; of random sets the mean of ten."""

    spread: Spread
    cost_minor: int | None
    seeds: float


class Comparisons(Answer):
    """The users of most ties, those of the highest PageRank, and any."""

    top_degree: Comparison
    top_pagerank: Comparison
    random: Comparison


class CurvePoint(Answer):
    """Spread for a part of the money (`costMinor`), or of the seeds where they cost nothing."""

    seeds: float | None = None
    cost_minor: float | None = None
    spread: Spread
    top_degree: Spread
    top_pagerank: Spread
    random: Spread


class PlanPeople(Answer):
    """Users that the plan is about."""

    known: Annotated[Count, Field(description="In the version.")]
    reachable: Annotated[Count, Field(description="Of them still there, agreeing, old enough and not reached before.")]
    reached_before: Annotated[Count, Field(description="Who shared the item or acted on it.")]
    eligible: Annotated[Count, Field(description="Who may be a seed.")]


class CampaignPlan(Answer):
    """Seeds in the order chosen, what they reach in expected users, and what else the money could do."""

    item_id: str | None
    category: str | None
    k: int | None
    budget_minor: int | None
    currency: str | None
    cost: CostAnswer | None
    channel: str | None
    horizon_hours: float | None
    quota_per_community: int | None
    quota_by: str | None
    epsilon: float
    seed: int
    what_if: bool
    model_version: str
    interest: Annotated[
        Literal["item", "category", "average"],
        Field(
            description="Whose interest the ties are fitted to; average: the version does not know what is promoted."
        ),
    ]
    channel_learned: Annotated[
        bool,
        Field(description="Whether what the channel adds was learned from the shop's shares; else it adds nothing."),
    ] = False
    interest_learned: Annotated[
        bool, Field(description="Whether what the item adds was learned from the shop's shares; else it is assumed.")
    ] = False
    people: PlanPeople
    seeds: list[PlannedSeed]
    cost_minor: int | None
    spread: Spread
    spread_low: Spread
    spread_high: Spread
    best_spread_high: Annotated[Spread | None, Field(description="No seeds within the limits reach more.")]
    guarantee: Annotated[
        float | None, Field(description="Share of the best possible spread that these seeds reach at least.")
    ]
    failure_probability: Annotated[float, Field(description="That the bounds do not hold together.")]
    comparisons: Comparisons
    curve: list[CurvePoint]
