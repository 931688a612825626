"""Champion and challenger: a new version is published unless it is worse than the published one.

`engine.serving.champion` has the rules. What is worse is held back: its folder stays, the graph remembers it with the
comparison, and whoever wants it all the same publishes it with `force`. Going back to a version that was the live one
before is no promotion and is never refused (`graph.publication.rollback`).
"""

from __future__ import annotations

from typing import Any

from engine.serving.champion import Verdict, compare
from engine.serving.lineage import of_card
from engine.types import Artifact
from graph import jobs
from graph.connection import Graph, Transaction
from graph.errors import HeldBackError, NotFoundError, SupersededError
from graph.publication import PublishReport, publish, published, record_of, show_model
from graph.settings import Settings
from graph.slots import Progress

ROUNDS = 3
"""How often a version is compared anew because another one was published meanwhile."""


def promote(
    graph: Graph,
    settings: Settings,
    artifact: Artifact,
    *,
    force: bool = False,
    job_fence: jobs.Claim | None = None,
    progress: Progress | None = None,
) -> tuple[PublishReport, dict[str, Any]]:
    """Publish a version whose folder lies among this machine's, unless it is worse than the published one.

    Args:
        graph: the connection.
        settings: where the folders of models lie.
        artifact: the challenger.
        force: publish it whatever the comparison says; the comparison is kept all the same.
        job_fence: effects happen only while this job is still the worker's.
        progress: told a fraction in [0, 1] and what is being done.

    Returns:
        The report of the publication, and the comparison as JSON-able values.

    Raises:
        HeldBackError: it is worse; the graph remembers it as held back.
        SupersededError: other versions were published again and again meanwhile.
        ArtifactError, InputError, ConflictError, UnavailableError: as in `graph.publication.publish`.
    """
    for _ in range(ROUNDS):
        verdict, over_seq = judge(graph, settings, artifact)
        comparison = {**verdict.to_json(), "isForced": force and verdict.is_worse}
        if verdict.is_worse and not force:
            hold(graph, artifact, comparison, job_fence)
            raise HeldBackError(
                f"{artifact.model_version} is held back: {verdict.reason}; "
                f"`kith models publish {artifact.model_version} --force` publishes it all the same",
                artifact.model_version,
                comparison,
            )
        try:
            report = publish(
                graph,
                settings,
                artifact,
                job_fence=job_fence,
                progress=progress,
                comparison=comparison,
                over_seq=over_seq,
            )
        except SupersededError:
            continue
        return report, comparison
    raise SupersededError("other versions are published faster than this one can be compared with them")


def judge(graph: Graph, settings: Settings, artifact: Artifact) -> tuple[Verdict, int]:
    """Compare a version with the published one; return the verdict and that publication's sequence number.

    Raises:
        ArtifactError: what its folder says of its cut contradicts itself.
    """
    live = published(graph)
    if live is None:
        return Verdict(False, "none", "it is the first version"), 0
    champion, seq = live["modelVersion"], live["publicationSeq"]
    if champion == artifact.model_version:
        return Verdict(False, "none", "it is the published version", champion), seq
    champion, card = _opponent(graph, artifact, champion)
    if champion == artifact.model_version:
        return Verdict(False, "none", "the published version was trained further from it", champion), seq
    folders = settings.artifacts
    return compare(folders / artifact.model_version, artifact.metrics, folders / champion, card), seq


def _opponent(graph: Graph, artifact: Artifact, champion: str) -> tuple[str, dict[str, Any]]:
    """Return the version that a challenger is compared with, and its card.

    That is the published one; for a challenger that was trained in full, where the published one was trained further
    from a full version, it is that full version, if the graph knows it.
    """
    card = show_model(graph, champion)["card"]
    own, other = of_card(artifact.metrics), of_card(card)
    if other is None or not other.is_incremental or (own is not None and own.is_incremental):
        return champion, card
    try:
        return other.full, show_model(graph, other.full)["card"]
    except NotFoundError:
        return champion, card


def hold(graph: Graph, artifact: Artifact, comparison: dict[str, Any], job: jobs.Claim | None) -> None:
    """Remember a version as held back.

    Raises:
        ConflictError: the job is lost.
    """
    record = record_of(artifact, comparison)

    def work(tx: Transaction) -> None:
        if job is not None:
            jobs.check_fence(tx, job)
        tx.run("publication.record_held", **record)

    graph.transaction(work)
