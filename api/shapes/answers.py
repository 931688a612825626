"""What the reads answer, and their query parameters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from api.shapes.parts import Answer, Currency, Identifier, Money, Query, ShortText
from engine.serving.audience import WEIGHT
from graph.settings import MOST_EXPLORED

MOST_ROWS = 100
"""Rows of one answer."""

Limit = Annotated[int, Field(ge=1, le=MOST_ROWS)]
Name = Annotated[str, Field(min_length=1, max_length=256)]
Strategy = Literal["published", "inductive", "friends", "attributes", "popular"]


class RecommendationsQuery(Query):
    """Parameters of a list; prices in minor units of `currency`."""

    limit: Limit = 10
    channel: ShortText | None = None
    explain: bool = False
    category: Name | None = None
    brand: Name | None = None
    kind: Literal["product", "content"] | None = None
    price_min: Money | None = None
    price_max: Money | None = None
    currency: Currency | None = None
    diversity: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    explore: Annotated[float, Field(ge=0, le=MOST_EXPLORED, allow_inf_nan=False)] | None = None


class LimitQuery(Query):
    """How many rows."""

    limit: Limit = 10


class ShareTargetsQuery(Query):
    """Parameters of share targets."""

    item_id: Identifier
    limit: Limit = 5
    channel: ShortText | None = None
    strangers: bool = False


class AudienceQuery(Query):
    """Parameters of an item's audience."""

    limit: Limit = 20
    influence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = WEIGHT
    cursor: Annotated[str, Field(max_length=2048)] | None = None


class InfluencersQuery(Query):
    """Parameters of influencers."""

    category: Name | None = None
    limit: Limit = 10
    cursor: Annotated[str, Field(max_length=2048)] | None = None


class ItemsQuery(Query):
    """Parameters of the search for items."""

    q: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    tag: Name | None = None
    category: Name | None = None
    limit: Limit = 20
    cursor: Annotated[str, Field(max_length=2048)] | None = None


class Parts(Answer):
    """What a live score is made of."""

    published: float
    recent_similar: float
    friend_shared: float


class RecommendedItem(Answer):
    """A ranked item with the reasons that weighed most, strongest first."""

    rank: int
    item_id: str
    score: float
    reasons: list[str]
    parts: Parts | None = None
    propensity: float | None = None


class Recommendations(Answer):
    """A user's list."""

    recommendation_id: str
    model_version: str | None
    strategy: Strategy
    filled: int
    items: list[RecommendedItem]


class SimilarItem(Answer):
    """A neighbour of an item."""

    rank: int
    item_id: str
    score: float


class SimilarItems(Answer):
    """Items like an item."""

    item_id: str
    model_version: str | None
    strategy: Literal["published", "inductive", "popular"]
    items: list[SimilarItem]


class ShareTarget(Answer):
    """A user who may like to get the item."""

    rank: int
    user_id: str
    score: float
    probability: Annotated[float, Field(description="P(i->j): that they act on the share if it is sent to them.")]
    probability_by: Annotated[
        Literal["learned", "formula"], Field(description="`formula` where the live version learned nothing of the two.")
    ]
    formula: Annotated[float, Field(description="P(i->j) by the propagation formula.")]
    reasons: list[str]


class ShareTargets(Answer):
    """Whom to send an item to; `capped` others were sent enough lately."""

    user_id: str
    item_id: str
    model_version: str | None
    strategy: Literal["learned", "formula"]
    capped: int
    targets: list[ShareTarget]


class AudienceUser(Answer):
    """A user to show an item to; `influence` is null where consent to sharing is lacking or it is not known."""

    rank: int
    user_id: str
    score: float
    interest: float
    influence: float | None
    reach: int
    reasons: list[str]


class AudienceTotals(Answer):
    """Sums over all pages."""

    users: int
    interest: float
    score: float


class Audience(Answer):
    """Whom to show an item to; `reason` says why nobody; `cursor` leads to the next page of the same version."""

    item_id: str
    model_version: str | None
    publication_seq: int | None
    influence: float
    reason: Literal["unavailable", "noVersion", "nobody"] | None
    totals: AudienceTotals
    users: list[AudienceUser]
    cursor: str | None


class Influencer(Answer):
    """A user whose shares reach others."""

    rank: int
    user_id: str
    influence_score: float
    influence_percentile: float | None
    category_score: float | None = None


class Influencers(Answer):
    """Users by influence; `cursor` leads to the next page of the same version."""

    model_version: str | None
    publication_seq: int | None
    category: str | None
    influencers: list[Influencer]
    cursor: str | None


class Influenced(Answer):
    """Someone whom a user's shares make act, and what speaks for it.

    `reasons`, the strongest first: `reshares` (passed their shares on before), `opens` (opened them), `friend`,
    `follows`, `sent` (was sent some). `friendship` is the strength of the tie, null where they are no friends.
    """

    user_id: str
    probability: float
    reasons: list[Literal["reshares", "opens", "friend", "follows", "sent"]]
    reshares: int
    opens: int
    sent: int
    friendship: float | None
    follows: bool


class Influence(Answer):
    """A user's influence; null where the live version does not know it or consent is lacking.

    `influenceScore` is the expected number of users reached, this one included; with 95 % chance it lies between
    `influenceLow` and `influenceHigh` under the learned probabilities, which have errors of their own.
    """

    user_id: str
    model_version: str | None
    influence_score: float | None
    influence_low: float | None
    influence_high: float | None
    influence_percentile: float | None
    influences: list[Influenced]


class CategoryCount(Answer):
    """Acts in a category."""

    category: str
    count: int


class BrandCount(Answer):
    """Acts on a brand."""

    brand: str
    count: int


class Profile(Answer):
    """What is known of a user."""

    user_id: str
    created_at: str | None
    consent: list[str]
    stub: bool
    attributes: dict[str, Any]
    counts: dict[str, int]
    friends: int
    followers: int
    following: int
    top_categories: list[CategoryCount]
    top_brands: list[BrandCount]
    influence_score: float | None
    influence_percentile: float | None
    model_version: str | None


class Items(Answer):
    """Items found; `cursor` leads to the next page."""

    items: list[dict[str, Any]]
    cursor: str | None


class Live(Answer):
    """The process runs."""

    status: Literal["live"]


class Ready(Answer):
    """Whether requests can be answered."""

    status: Literal["ready"]
    neo4j: str
    broker: Literal["ready", "unavailable"]
    model_version: str | None
