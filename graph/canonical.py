"""The published version under the names that analysts use: `embedding`, `RECOMMENDED`, `INFLUENCES`, `SIMILAR`, ...

Copied server side from the live slot after the flip, in batches, so the names may lag behind what the API answers; each
carries its `modelVersion`. Every batch replaces what its nodes had, so a copy that was cut off is simply run again.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.types import REASONS
from graph.connection import Graph, Transaction

BATCH_NODES = 500
"""Nodes per transaction; each brings up to 40 relationships and takes as many away."""
LIST_LENGTH = 20
"""Relationships of one type per node."""
CATEGORY_USERS = 1000
"""Users per category."""
CATEGORIES = 1000
CANDIDATES = 50_000
"""Only so many users, the most influential, are considered per category: a bound on memory at 10^6 users."""
PRIOR_POSITIVES = 5
"""Positives without a category that every user is taken to have: one purchase alone is no taste."""
CLEAR_ROWS = 1000


def finish_canonical(graph: Graph, progress: Callable[[float], None] | None = None) -> bool:
    """Copy the live version to the analysts' names; return False when there is none or another one became live.

    INFLUENTIAL_IN: score = influenceScore x (user's positives in the category) / (all their positives + 5), for the
    1,000 best per category. Users without consent are cleared at the end, so a withdrawal during the copy holds.

    Raises:
        UnavailableError: Neo4j went away; run it again.
    """
    tell = progress or (lambda fraction: None)
    build = _live_build(graph)
    if build is None:
        return False
    whole = (
        _copy(graph, build, "users", lambda: tell(0.6))
        and _copy(graph, build, "items", lambda: tell(0.8))
        and _influential(graph, build)
        and _clear(graph, build)
    )
    tell(1.0)
    return whole


def _live_build(graph: Graph) -> int | None:
    rows = graph.read("publication.published")
    return rows[0]["build"] if rows else None


def _as_copier(tx: Transaction, build: int) -> dict[str, str] | None:
    """Take the publication's lock, so that two copies of one build cannot interleave; None if it is not live."""
    tx.run("publication.lock")
    rows = tx.run("canonical.start", build=build)
    return {"slot": rows[0]["slot"], "model_version": rows[0]["modelVersion"]} if rows else None


def _copy(graph: Graph, build: int, kind: str, tell: Callable[[], None]) -> bool:
    """Copy every node of one kind, by ascending id; False when the build is no longer live."""
    after: str | None = ""

    def work(tx: Transaction) -> tuple[bool, str | None]:
        live = _as_copier(tx, build)
        if live is None:
            return False, None
        names = {"reason_names": list(REASONS)} if kind == "users" else {}
        given = {"after": after, "build": build, "limit": BATCH_NODES, "length": LIST_LENGTH, **names, **live}
        return True, tx.run(f"canonical.{kind}", **given)[0]["last"]

    while after is not None:
        still_live, after = graph.transaction(work)
        if not still_live:
            return False
    tell()
    return True


def _influential(graph: Graph, build: int) -> bool:
    """Write the influential users of each category; False when the build is no longer live."""
    rows = graph.read("canonical.start", build=build)
    if not rows:
        return False
    categories = graph.read(
        "canonical.influential",
        timeout_s=600.0,
        slot=rows[0]["slot"],
        build=build,
        candidates=CANDIDATES,
        prior=PRIOR_POSITIVES,
        length=CATEGORY_USERS,
        categories=CATEGORIES,
    )

    def work(tx: Transaction, name: str, **given: object) -> bool:
        live = _as_copier(tx, build)
        if live is not None:
            tx.run(name, model_version=live["model_version"], **given)
        return live is not None

    for row in categories:
        given = {"category": row["category"], "users": row["users"]}
        if not graph.transaction(lambda tx, given=given: work(tx, "canonical.write_influential", **given)):
            return False
    return True


def _clear(graph: Graph, build: int) -> bool:
    """Take away what belongs to no one any more, then note that the copy is complete."""
    live = graph.read("canonical.start", build=build)
    if not live:
        return False
    version = live[0]["modelVersion"]
    while graph.write("canonical.clear_categories", model_version=version, limit=CLEAR_ROWS)[0]["cleared"]:
        pass
    for step in ("canonical.clear_personal", "canonical.clear_shared"):
        while graph.write(step, limit=CLEAR_ROWS)[0]["cleared"]:
            pass
    graph.write("canonical.done", build=build)
    return True
