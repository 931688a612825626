"""Users: writing them and their friendships, and what is known of them and for them."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from api.answers import answer, answer_json, checked_id, jsonable, nothing, upserted_many, upserted_one
from api.keyring import scope
from api.listing import asked_of
from api.recommending import serve
from api.services import services
from api.shapes.answers import (
    Influence,
    Profile,
    Recommendations,
    RecommendationsQuery,
    ShareTargets,
    ShareTargetsQuery,
)
from api.shapes.bodies import MOST_ENTITIES, ConsentAnswer, ConsentBody, FriendBody, Upserted, UserBody, UsersBody
from api.sharing import share_targets
from graph import entities, queries
from graph.errors import InputError, NotFoundError
from graph.values import is_reserved

NORMAL_95 = 1.959964

users = APIBlueprint("users", __name__, tag="users")


@users.put("/v1/users/<user_id>")
@scope("ingest")
@users.input(UserBody, arg_name="body")
@users.output(Upserted)
def put(user_id: str, body: Any) -> Response:
    """Create a user or change what the body names."""
    if not isinstance(body, dict):
        raise InputError("send an object")
    kith = services()
    checked_id(user_id, "userId")
    return upserted_one(entities.upsert_users(kith.graph, kith.settings, [{**body, "userId": user_id}]))


@users.delete("/v1/users/<user_id>")
@scope("admin")
@users.output({}, status_code=204)
def delete(user_id: str) -> Response:
    """Delete a user and everything that led to it."""
    if not entities.delete_user(services().graph, checked_id(user_id, "userId")):
        raise NotFoundError(f"no user {user_id}")
    return nothing()


@users.post("/v1/users:batch")
@scope("ingest")
@users.input(UsersBody, arg_name="body")
@users.output(Upserted)
def put_many(body: Any) -> Response:
    """Create or change up to 5,000 users in one transaction; each is judged alone."""
    if not isinstance(body, list) or not 1 <= len(body) <= MOST_ENTITIES:
        raise InputError(f"send a list of 1 to {MOST_ENTITIES} users")
    kith = services()
    return upserted_many(entities.upsert_users(kith.graph, kith.settings, body))


@users.put("/v1/users/<user_id>/friends/<friend_id>")
@scope("ingest")
@users.input(FriendBody, arg_name="body")
@users.output(Upserted)
def put_friend(user_id: str, friend_id: str, body: Any) -> Response:
    """State that two users are friends; it is the same friendship from either side."""
    if not isinstance(body, dict):
        raise InputError("send an object")
    kith = services()
    tie = {**body, "userId": checked_id(user_id, "userId"), "friendId": checked_id(friend_id, "friendId")}
    return upserted_one(entities.upsert_friends(kith.graph, kith.settings, [tie]))


@users.delete("/v1/users/<user_id>/friends/<friend_id>")
@scope("ingest")
@users.output({}, status_code=204)
def delete_friend(user_id: str, friend_id: str) -> Response:
    """End a friendship."""
    first, second = checked_id(user_id, "userId"), checked_id(friend_id, "friendId")
    if not entities.delete_friend(services().graph, first, second):
        raise NotFoundError(f"{user_id} and {friend_id} are no friends")
    return nothing()


@users.put("/v1/users/<user_id>/consent")
@scope("ingest")
@users.input(ConsentBody, arg_name="body")
@users.output(ConsentAnswer)
def put_consent(user_id: str, body: ConsentBody) -> Response:
    """State what a user agrees to, whole; what is published about a purpose taken back goes at once."""
    chosen = entities.set_consent(services().graph, checked_id(user_id, "userId"), body.consent)
    return answer({"userId": user_id, "consent": chosen})


@users.get("/v1/users/<user_id>/recommendations")
@scope("read")
@users.input(RecommendationsQuery, location="query", arg_name="query")
@users.output(Recommendations)
def recommendations(user_id: str, query: RecommendationsQuery) -> Response:
    """List what a user may want, with reasons; what happened a moment ago counts.

    `strategy` says how: `published` (the live version knows the user), `inductive` (newer than it: its models asked
    now), `friends` and `attributes` (the same without acts), `popular` (nothing to go by, or no consent to
    personalisation: the same for everyone).
    `filled` places at the end hold popular items, because too few others fit.
    """
    kith = services()
    return answer_json(serve(kith, checked_id(user_id, "userId"), asked_of(query, kith.settings.explore)))


@users.get("/v1/users/<user_id>/share-targets")
@scope("read")
@users.input(ShareTargetsQuery, location="query", arg_name="query")
@users.output(ShareTargets)
def targets(user_id: str, query: ShareTargetsQuery) -> Response:
    """List whom a user should send an item to, with reasons, by the shares up to this moment.

    The live version's learned ranker orders them (`strategy` `learned`), or the propagation formula (`formula`).

    Who was sent `KITH_SHARE_CAP` shares within `KITH_SHARE_CAP_HOURS` is left out and counted in `capped`. With
    `strangers=true` users whom this one does not know stand in places that are left.
    """
    kith = services()
    sender = checked_id(user_id, "userId")
    found = share_targets(
        kith, sender, query.item_id, query.limit, channel=query.channel, with_strangers=query.strangers
    )
    return answer(found)


@users.get("/v1/users/<user_id>/influence")
@scope("read")
@users.output(Influence)
def influence(user_id: str) -> Response:
    """Tell how many users a user's share is expected to reach, on whom it works and why."""
    row = queries.user_influence(services().graph, checked_id(user_id, "userId"))
    score, error = row["score"], row["error"]
    return answer(
        {
            "userId": user_id,
            "modelVersion": row["modelVersion"],
            "influenceScore": score,
            "influenceLow": None if score is None else max(score - NORMAL_95 * (error or 0.0), 1.0),
            "influenceHigh": None if score is None else score + NORMAL_95 * (error or 0.0),
            "influencePercentile": row["percentile"],
            "influences": [{**each, "reasons": _why(each)} for each in row["influences"]],
        }
    )


def _why(influenced: dict[str, Any]) -> list[str]:
    """Return what speaks for somebody's acting on a user's shares, the strongest first."""
    speaks = {
        "reshares": influenced["reshares"] > 0,
        "opens": influenced["opens"] > 0,
        "friend": influenced["friendship"] is not None,
        "follows": influenced["follows"],
        "sent": influenced["sent"] > 0,
    }
    return [name for name, does in speaks.items() if does]


@users.get("/v1/users/<user_id>/profile")
@scope("read")
@users.output(Profile)
def profile(user_id: str) -> Response:
    """Tell what is known of a user: attributes, acts by type, favourites, ties, influence."""
    row = queries.user_profile(services().graph, checked_id(user_id, "userId"))
    properties = row.pop("properties")
    attributes = {name: value for name, value in properties.items() if not is_reserved(name)}
    return answer(jsonable({"userId": user_id, **row, "attributes": attributes}))
