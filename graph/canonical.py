"""The published version under the names that analysts use: `embedding`, `RECOMMENDED`, `INFLUENCES`, `SIMILAR`, ...

Copied server side from the live slot after the flip, in batches, so the names may lag behind what the API answers; each
carries its `modelVersion`. Every batch replaces what its nodes had, so a copy that was cut off is simply run again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from engine.types import REASONS
from graph.connection import Graph, Transaction
from graph.pace import Pace

BATCH_NODES, SHARED_NODES = 500, 100
"""Nodes per transaction, and while others use the server; each brings up to 40 relationships and takes as many away."""
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
    pace = Pace(graph)
    whole = (
        _copy(graph, pace, build, "users", lambda: tell(0.6))
        and _copy(graph, pace, build, "items", lambda: tell(0.8))
        and _influential(graph, pace, build)
        and _clear(graph, pace, build)
    )
    tell(1.0)
    return whole


def _live_build(graph: Graph) -> int | None:
    rows = graph.read("publication.published")
    return rows[0]["build"] if rows else None


def _as_copier(tx: Transaction, build: int) -> tuple[str, str] | None:
    """Take the publication's lock, so that two copies of one build cannot interleave.

    Returns:
        Slot and model version; None when the build is not live.
    """
    tx.run("publication.lock")
    rows = tx.run("canonical.start", build=build)
    return (rows[0]["slot"], rows[0]["modelVersion"]) if rows else None


def _copy(graph: Graph, pace: Pace, build: int, kind: str, tell: Callable[[], None]) -> bool:
    """Copy every node of one kind, by ascending id; False when the build is no longer live."""
    after: str | None = ""

    def work(tx: Transaction) -> tuple[bool, str | None]:
        live = _as_copier(tx, build)
        if live is None:
            return False, None
        names = {"reason_names": list(REASONS)} if kind == "users" else {}
        slot, version = live
        limit = pace.rows(BATCH_NODES, SHARED_NODES)
        given = {"after": after, "build": build, "limit": limit, "length": LIST_LENGTH, **names}
        return True, tx.run(f"canonical.{kind}", slot=slot, model_version=version, **given)[0]["last"]

    while after is not None:
        still_live, after = pace.step(lambda: graph.transaction(work))
        if not still_live:
            return False
    tell()
    return True


def _influential(graph: Graph, pace: Pace, build: int) -> bool:
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
            tx.run(name, model_version=live[1], **given)
        return live is not None

    for row in categories:
        given = {"category": row["category"], "users": row["users"]}
        write = partial(graph.transaction, partial(work, name="canonical.write_influential", **given))
        if not pace.step(write):
            return False
    return True


def _clear(graph: Graph, pace: Pace, build: int) -> bool:
    """Take away what belongs to no one any more, then note that the copy is complete."""
    live = graph.read("canonical.start", build=build)
    if not live:
        return False
    version = live[0]["modelVersion"]
    for step, given in (
        ("canonical.clear_categories", {"model_version": version}),
        ("canonical.clear_personal", {}),
        ("canonical.clear_shared", {}),
    ):
        clear = partial(graph.write, step, limit=CLEAR_ROWS, **given)
        while pace.step(clear)[0]["cleared"]:
            pass
    graph.write("canonical.done", build=build)
    return True
