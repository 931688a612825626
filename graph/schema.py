"""Constraints and indexes, versioned. `apply` is idempotent and runs before the first write."""

from __future__ import annotations

from graph.connection import Graph
from graph.errors import SchemaError

VERSION = 4
"""The newest schema this code knows."""

STEPS: dict[int, tuple[str, ...]] = {
    1: (
        "schema_key",
        "user_id",
        "item_id",
        "share_id",
        "event_id",
        "purchase_event",
        "credit_id",
        "campaign_id",
        "category_name",
        "model_version",
        "published_key",
        "pending_id",
        "pending_waits_for",
        "ended_tie_key",
        "job_id",
        "key_id",
        "publication_key",
        "sequence_key",
        "snapshot_id",
        "user_ix",
        "item_ix",
        "share_ix",
        "item_category",
        "share_occurred_at",
        "share_root",
        "job_state",
        "influence_score",
        "influence_score_a",
        "influence_score_b",
        "item_text",
        "user_embedding_a",
        "user_embedding_b",
        "item_embedding_a",
        "item_embedding_b",
    ),
    2: ("purchase_share", "share_growth", "locked"),
    3: (
        "session_hash",
        "session_key",
        "pending_created_at",
        "size_model_key",
        "alert_id",
        "alert_raised_at",
    ),
    4: ("item_ingested_at",),
}
"""What each version adds, by name of its block in `schema.cypher`; every statement says IF NOT EXISTS."""

AWAIT_S = 120
COUNTED_SINCE = 2
"""Since this version writers note which cascades change; shares of before, or loaded in bulk, are noted by `apply`."""


def current_version(graph: Graph) -> int:
    """Return the version the graph was last given, 0 for a graph without one.

    Raises:
        SchemaError: the graph is newer than this code.
    """
    version = graph.read("schema.read_version")[0]["version"] or 0
    if version > VERSION:
        raise SchemaError(f"the graph has schema {version}, this Kith knows {VERSION}: update Kith")
    return version


def apply(graph: Graph, *, await_s: int = AWAIT_S) -> int:
    """Bring the graph to `VERSION` and return the version it had before.

    Every statement is run again also when the version is current: a constraint that was dropped by hand comes back.

    Args:
        graph: where.
        await_s: how long one statement may take, and all indexes until they are online; a full graph needs more.

    Raises:
        SchemaError: the graph is newer than this code.
        GraphError: a constraint cannot be made, for example because the data break it.
    """
    before = current_version(graph)
    for version in sorted(STEPS):
        for step in STEPS[version]:
            graph.auto(f"schema.{step}", timeout_s=await_s)
    graph.auto("schema.await_indexes", timeout_s=await_s, seconds=await_s)
    if before < COUNTED_SINCE:
        graph.auto("schema.note_shares", timeout_s=await_s)
        graph.auto("schema.note_purchases", timeout_s=await_s)
    graph.write("schema.write_version", version=VERSION)
    return before


def check(graph: Graph) -> None:
    """Make sure that the graph has exactly this schema; every process that writes calls it at its start.

    Raises:
        SchemaError: the graph is newer, older or has never been prepared, or a constraint is missing.
    """
    version = current_version(graph)
    if version < VERSION:
        raise SchemaError(f"the graph has schema {version}, this Kith needs {VERSION}: run `kith up`")
    present = {row["name"] for row in graph.read("schema.list_constraints")}
    present |= {row["name"] for row in graph.read("schema.list_indexes")}
    present |= {row["name"] for row in graph.read("schema.list_property_keys")}
    if missing := [step for steps in STEPS.values() for step in steps if step not in present]:
        raise SchemaError(f"the graph lacks {', '.join(missing)}: run `kith up`")
