"""A user's list: which strategy finds its candidates, the rules that they obey, the live score on top."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

import orjson

from api.listing import Asked, Fitting, arrange, depth_of
from api.services import NEAREST, Services
from engine.serving import live
from engine.serving.shelf import ANY_AGE, years_between
from engine.types import REASONS
from graph import queries
from graph.queries import RecommendationInputs

MOST_UNKNOWN = 500
"""Items that are looked up for one list."""
FRIENDS_CODE = REASONS.index("friends") * 256 + live.NO_REASON
POPULAR = (REASONS.index("popular"),)

Columns = tuple[Sequence[str], Sequence[float], Sequence[int]]


def serve(services: Services, user_id: str, asked: Asked) -> bytes:
    """Return the user's list as the API answers it, in JSON, and have it recorded; that waits for nothing.

    Raises:
        NotFoundError: there is no such user.
        UnavailableError: Neo4j does not answer.
    """
    now = time.time()
    made, is_personal = _list(services, user_id, asked, now)
    answer = orjson.dumps(made)
    services.served.record(answer, user_id if is_personal else None, int(now * 1000), asked.channel)
    return answer


def recommend(services: Services, user_id: str, asked: Asked) -> dict[str, Any]:
    """Return the user's list for somebody who only looks.

    Raises:
        NotFoundError, UnavailableError: as for `serve`.
    """
    return _list(services, user_id, asked, time.time())[0]


def _list(services: Services, user_id: str, asked: Asked, now: float) -> tuple[dict[str, Any], bool]:
    """Return the list, and whether the user agreed to personalisation."""
    inputs = queries.recommendation_inputs(
        services.graph, user_id, now_s=int(now), timeout_s=services.settings.read_timeout_s
    )
    if inputs.model_version is not None:
        services.encoders.notice(inputs.model_version)
        services.new_items.notice(services.graph, inputs.model_version)
    share = asked.explore if inputs.consented else 0.0
    finder = _Finder(services, user_id, inputs, now, asked)
    strategy, chosen = finder.candidates(depth_of(asked, share))
    found = len(chosen)
    if found < asked.limit:
        chosen += finder.popular(chosen, asked.limit - found)
    listed = arrange(services, chosen, asked, share, Fitting(finder.wanted, finder.age, finder.seen, now))
    answer = {
        "recommendationId": listed.identify(services.signer, inputs.model_version, now, asked.channel),
        "modelVersion": inputs.model_version,
        "strategy": strategy,
        "filled": 0 if strategy == "popular" else len(chosen) - found,
        "items": listed.rows,
    }
    return answer, inputs.consented


class _Finder:
    """Finds what may stand in one list."""

    def __init__(
        self, services: Services, user_id: str, inputs: RecommendationInputs, now: float, asked: Asked
    ) -> None:
        self._services = services
        self._user_id = user_id
        self._inputs = inputs
        self._now = now
        self.seen = set(inputs.seen)
        self.wanted, self.age = asked.wanted, self._age()
        self._shelf = services.catalogue.shelf(services.graph)

    def candidates(self, depth: int) -> tuple[str, list[live.Scored]]:
        """Return how candidates were found, and at most `depth` of them, best first."""
        inputs = self._inputs
        if inputs.current and inputs.model_version is not None:
            published = inputs.items, inputs.scores, inputs.reasons
            listed = self._services.new_items.merge(published, inputs.model_version, self._user_id)
            return "published", self._blend(listed, depth)
        if not inputs.consented:
            return "popular", []
        known_by, ranked = self._ranked()
        if inputs.recent and (chosen := self._blend(ranked, depth)):
            return "inductive", chosen
        if known_by in ("friends", "attributes") and (chosen := self._blend(ranked, depth)):
            return known_by, chosen
        rows = queries.items_of_friends(self._services.graph, self._user_id, NEAREST)
        chosen = self._blend(_columns(((row["itemId"], row["score"]) for row in rows), FRIENDS_CODE), depth)
        return ("friends", chosen) if chosen else ("popular", [])

    def popular(self, chosen: Sequence[live.Scored], count: int) -> list[live.Scored]:
        """Return popular items that fit and are not chosen yet; then those that only fit, newest first."""
        excluded = self.seen | {each.item_id for each in chosen}
        top = self._services.popular.top(self._services.graph)

        def fitting(allows: Callable[[str], bool]) -> list[live.Scored]:
            left = ((item, score) for item, score in top if item not in excluded and allows(item))
            return [live.Scored(item, score, codes=POPULAR) for item, score in islice(left, count)]

        found = self._judged(fitting)
        if len(found) == count:
            return found
        excluded |= {each.item_id for each in found}
        others = self._shelf.newest(self.wanted, self.age, count + len(excluded))
        return found + [live.Scored(item) for item in others if item not in excluded][: count - len(found)]

    def _age(self) -> int:
        """Return the user's years; what counts for an unknown age is a setting."""
        known = self._inputs.birth_date
        today = time.gmtime(self._now)
        years = None if known is None else years_between(known, (today.tm_year, today.tm_mon, today.tm_mday))
        if years is None:
            return 0 if self._services.settings.unknown_age == "young" else ANY_AGE
        return max(years, 0)

    def _ranked(self) -> tuple[str, Columns]:
        """Return by what the user is known, and the list of the live version's models, computed now."""
        inputs, nothing = self._inputs, ([], [], [])
        if inputs.model_version is None:
            return "", nothing
        friends, attributes = queries.user_inputs(self._services.graph, self._user_id)
        found = self._services.encoders.rank(inputs.model_version, inputs.recent, friends, attributes, NEAREST)
        return ("", nothing) if found is None else (found.known_by, (found.items, found.scores, found.codes))

    def _blend(self, listed: Columns, depth: int) -> list[live.Scored]:
        acts = [
            live.Act(item, kind, self._now - at_s, rating, similar, scores)
            for item, kind, at_s, rating, similar, scores in self._inputs.recent
        ]
        shares = [live.FriendShare(item, self._now - at_s, strength) for item, _, strength, at_s in self._inputs.shares]

        def best(allows: Callable[[str], bool]) -> list[live.Scored]:
            return live.blend(*listed, acts=acts, shares=shares, excluded=self.seen, limit=depth, allows=allows)

        return self._judged(best)

    def _judged(self, choose: Callable[[Callable[[str], bool]], list[live.Scored]]) -> list[live.Scored]:
        """Return what `choose` chooses of items that fit; those that are not kept here are looked up first."""
        view = self._shelf.view(self.wanted, self.age)
        chosen = choose(view.allows)
        if not view.unknown:
            return chosen
        services = self._services
        beside = services.catalogue.learn(services.graph, view.unknown[:MOST_UNKNOWN])
        self._shelf = services.catalogue.shelf(services.graph)
        kept = self._shelf.view(self.wanted, self.age)
        if beside is None:
            return choose(kept.allows)
        other = beside.view(self.wanted, self.age)
        return choose(lambda item: kept.allows(item) or other.allows(item))


def _columns(listed: Iterable[tuple[str, float]], code: int) -> Columns:
    pairs = list(listed)
    return [item for item, _ in pairs], [score for _, score in pairs], [code] * len(pairs)
