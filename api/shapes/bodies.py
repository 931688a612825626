"""Bodies: events, users, items, friendships, consent; these models document, `graph` judges (imports use it too)."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, RootModel, model_validator
from pydantic.alias_generators import to_camel

from api.shapes.events import MOST_EVENTS, AnyEvent, Rejected
from api.shapes.parts import ATTRIBUTE_SCHEMA, Answer, Currency, Identifier, Money, Purpose, Strength, Text, Time

MOST_ENTITIES = 5_000
"""Users or items in one request."""


class Open(BaseModel):
    """Known fields; every other one becomes an attribute."""

    model_config = ConfigDict(
        extra="allow", alias_generator=to_camel, json_schema_extra={"additionalProperties": ATTRIBUTE_SCHEMA}
    )


class UserFields(Open):
    """A user; what is left out stays as it is, null removes an attribute."""

    created_at: Time | None = None
    consent: list[Purpose] | None = None


class ItemFields(Open):
    """An item; what is left out stays as it is, null removes an attribute."""

    kind: Text | None = None
    title: Text | None = None
    description: Text | None = None
    category: Text | None = None
    brand: Text | None = None
    price_minor: Money | None = None
    currency: Currency | None = None
    tags: list[Annotated[str, Field(max_length=256)]] | None = None
    created_at: Time | None = None


class UserRow(UserFields):
    """A user of a batch."""

    user_id: Identifier


class ItemRow(ItemFields):
    """An item of a batch."""

    item_id: Identifier


class FriendFields(BaseModel):
    """A friendship."""

    model_config = ConfigDict(extra="forbid")

    since: Time | None = None
    strength: Strength | None = None


class Unjudged(RootModel[Any]):
    """A body that is documented here and judged entry by entry where it is written."""

    @model_validator(mode="wrap")
    @classmethod
    def _pass(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Any:
        return given


class EventsBody(Unjudged):
    """One event, or a list of at most 5,000."""

    root: AnyEvent | Annotated[list[AnyEvent], Field(min_length=1, max_length=MOST_EVENTS)]


class UserBody(Unjudged):
    """A user."""

    root: UserFields


class ItemBody(Unjudged):
    """An item."""

    root: ItemFields


class FriendBody(Unjudged):
    """A friendship."""

    root: FriendFields


class UsersBody(Unjudged):
    """Users."""

    root: Annotated[list[UserRow], Field(min_length=1, max_length=MOST_ENTITIES)]


class ItemsBody(Unjudged):
    """Items."""

    root: Annotated[list[ItemRow], Field(min_length=1, max_length=MOST_ENTITIES)]


class ConsentBody(BaseModel):
    """What a user agrees to, whole."""

    model_config = ConfigDict(extra="forbid", strict=True)

    consent: Annotated[list[Purpose], Field(max_length=3)]


class ConsentAnswer(Answer):
    """What a user agrees to now."""

    user_id: str
    consent: list[Purpose]


class Upserted(Answer):
    """What became of the entities."""

    created: int
    updated: int
    rejected: list[Rejected]
