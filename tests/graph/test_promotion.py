"""A worse version is held back, remembered, and published when it is wanted all the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.artifact import write_artifact
from engine.serving.lineage import Lineage
from engine.types import Artifact
from graph import jobs, monitor, promotion, publication, slots
from graph.connection import Graph
from graph.errors import ConflictError, HeldBackError, NotFoundError, SupersededError
from graph.settings import Settings
from tests.graph import small_shop

Cypher = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def quick(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(slots, "READ_MARGIN_S", 0.0)
    return replace(settings, read_timeout_s=0.2, home=tmp_path)


@pytest.fixture(autouse=True)
def shop(empty: None, graph: Graph, quick: Settings) -> None:
    small_shop.fill(graph, quick, "first")


def version(name: str, value: float | None, settings: Settings, lineage: Lineage | None = None) -> Artifact:
    """A version whose cut says so, with a folder on this machine."""
    metrics: dict[str, Any] = {}
    if value is not None:
        interval = {"ndcg@20": [value - 0.02, value + 0.02]}
        metrics = {"evaluation": {"users": 50, "model": {"ndcg@20": value, "recall@20": value, "interval": interval}}}
    if lineage is not None:
        metrics["lineage"] = lineage.to_json()
    model = replace(small_shop.artifact(name), metrics=metrics)
    tables: dict[str, Any] = {
        "user_embedding": model.user_embedding,
        "item_embedding": model.item_embedding,
        "influence_score": model.influence_score,
        "influence_percentile": model.influence_percentile,
        "influence_error": model.influence_error,
    }
    for table in ("recommended", "similar", "influences"):
        lists = getattr(model, table)
        tables |= {f"{table}_target": lists.target, f"{table}_score": lists.score}
    tables["recommended_reasons"] = model.recommended.reasons
    write_artifact(
        settings.artifacts / name,
        model_version=name,
        snapshot_id="s1",
        code_version="test",
        user_ids=model.user_ids,
        item_ids=model.item_ids,
        tables=tables,
        weights={},
        metrics=metrics,
    )
    return model


def live(graph: Graph) -> str:
    found = publication.published(graph)
    assert found is not None
    return found["modelVersion"]


def states(graph: Graph) -> dict[str, tuple[bool, bool]]:
    return {each["modelVersion"]: (each["live"], each["heldBack"]) for each in publication.list_models(graph)}


def test_a_version_is_published_over_one_without_figures(graph: Graph, quick: Settings) -> None:
    report, comparison = promotion.promote(graph, quick, version("good", 0.3, quick))
    assert (report.publication_seq, comparison["rule"], comparison["isWorse"]) == (2, "none", False)
    assert publication.show_model(graph, "good")["comparison"] == comparison


def test_a_worse_version_is_held_back_and_nothing_changes_for_readers(graph: Graph, quick: Settings) -> None:
    promotion.promote(graph, quick, version("good", 0.3, quick))
    before = publication.published(graph)
    with pytest.raises(HeldBackError, match=r"bad is held back.*good had 0\.3000") as held:
        promotion.promote(graph, quick, version("bad", 0.2, quick))
    assert held.value.verdict["challengerInterval"] == pytest.approx([0.18, 0.22])
    assert publication.published(graph) == before
    assert states(graph) == {"bad": (False, True), "good": (True, False), "first": (False, False)}
    shown = publication.show_model(graph, "bad")
    assert (shown["publicationSeq"], shown["publishedAt"]) == (None, None)
    assert (shown["comparison"]["champion"], shown["comparison"]["championMean"]) == ("good", 0.3)
    assert (quick.artifacts / "bad").is_dir()


def test_force_publishes_what_was_held_back_and_says_so(graph: Graph, quick: Settings) -> None:
    promotion.promote(graph, quick, version("good", 0.3, quick))
    bad = version("bad", 0.2, quick)
    with pytest.raises(HeldBackError):
        promotion.promote(graph, quick, bad)
    report, comparison = promotion.promote(graph, quick, bad, force=True)
    assert (report.publication_seq, comparison["isForced"], comparison["isWorse"]) == (3, True, True)
    assert live(graph) == "bad"
    assert states(graph)["bad"] == (True, False)
    assert publication.show_model(graph, "bad")["comparison"]["isForced"] is True


def test_force_is_only_noted_where_it_was_needed(graph: Graph, quick: Settings) -> None:
    _, comparison = promotion.promote(graph, quick, version("good", 0.3, quick), force=True)
    assert comparison["isForced"] is False


def test_the_first_version_of_a_shop_is_published(graph: Graph, quick: Settings, cypher: Cypher) -> None:
    cypher("MATCH (n) WHERE n:Published OR n:KithPublication OR n:ModelVersion DETACH DELETE n")
    _, comparison = promotion.promote(graph, quick, version("bad", 0.01, quick))
    assert comparison["reason"] == "it is the first version"


def test_the_published_version_is_not_compared_with_itself(graph: Graph, quick: Settings) -> None:
    good = version("good", 0.3, quick)
    promotion.promote(graph, quick, good)
    _, comparison = promotion.promote(graph, quick, good)
    assert comparison["reason"] == "it is the published version"


def test_a_version_that_is_held_back_is_nothing_to_roll_back_to(graph: Graph, quick: Settings) -> None:
    promotion.promote(graph, quick, version("good", 0.3, quick))
    with pytest.raises(HeldBackError):
        promotion.promote(graph, quick, version("bad", 0.2, quick))
    with pytest.raises(NotFoundError):
        publication.rollback(graph, quick, "bad")
    assert publication.rollback(graph, quick)["modelVersion"] == "first"


def test_going_back_to_a_worse_version_is_no_promotion(graph: Graph, quick: Settings) -> None:
    promotion.promote(graph, quick, version("low", 0.1, quick))
    promotion.promote(graph, quick, version("high", 0.4, quick))
    assert publication.rollback(graph, quick)["modelVersion"] == "low"


def test_a_version_is_compared_anew_when_another_was_published_meanwhile(
    graph: Graph, quick: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = promotion.judge
    asked: list[str] = []

    def overtaken(graph: Graph, settings: Settings, artifact: Artifact) -> Any:
        found = judge(graph, settings, artifact)
        if not asked:
            publication.publish(graph, settings, version("better", 0.5, settings))
        asked.append(found[0].reason)
        return found

    monkeypatch.setattr(promotion, "judge", overtaken)
    with pytest.raises(HeldBackError, match=r"better had 0\.5"):
        promotion.promote(graph, quick, version("good", 0.3, quick))
    assert len(asked) == 2
    assert live(graph) == "better"


def test_publishing_over_another_version_than_the_compared_one_changes_nothing(graph: Graph, quick: Settings) -> None:
    with pytest.raises(SupersededError):
        publication.publish(graph, quick, version("good", 0.3, quick), over_seq=7)
    assert live(graph) == "first"


def test_a_worker_that_lost_its_job_cannot_hold_a_version_back(graph: Graph, quick: Settings) -> None:
    job = jobs.create(graph, "train", {})["jobId"]
    old = jobs.claim(graph, job, "w1", lease_s=30)
    assert old is not None
    jobs.forfeit(graph, job, "w1")
    assert jobs.claim(graph, job, "w2", lease_s=30) is not None
    promotion.promote(graph, quick, version("good", 0.3, quick))
    with pytest.raises(ConflictError):
        promotion.promote(graph, quick, version("bad", 0.2, quick), job_fence=old)
    assert "bad" not in states(graph)


def test_a_job_can_end_with_its_version_held_back(graph: Graph) -> None:
    job = jobs.create(graph, "train", {})["jobId"]
    claim = jobs.claim(graph, job, "w1", lease_s=30)
    assert claim is not None
    jobs.hold(graph, claim, {"modelVersion": "bad"}, "bad is held back: worse")
    seen = jobs.get(graph, job)
    assert (seen["state"], seen["message"], seen["error"]) == ("held", "bad is held back: worse", None)
    assert seen["result"] == {"modelVersion": "bad"}
    assert jobs.claim(graph, job, "w2", lease_s=30) is None
    with pytest.raises(ConflictError):
        jobs.finish(graph, claim, {})


def test_models_of_before_have_a_summary_too(graph: Graph, cypher: Cypher) -> None:
    cypher(
        "MATCH (m:ModelVersion {modelVersion: 'first'}) REMOVE m.summary "
        'SET m.metrics = \'{"evaluation": {"model": {"ndcg@20": 0.5}}}\''
    )
    assert publication.list_models(graph)[0]["summary"]["ndcg@20"] == 0.5


def test_a_full_version_is_compared_with_the_one_that_the_published_chain_began_with(
    graph: Graph, quick: Settings
) -> None:
    promotion.promote(graph, quick, version("root", 0.3, quick, Lineage(None, 0, "root", 5)))
    further = version("further", 0.9, quick, Lineage("root", 1, "root", 5))
    _, comparison = promotion.promote(graph, quick, further)
    assert (comparison["rule"], comparison["champion"]) == ("none", "root")
    _, comparison = promotion.promote(graph, quick, version("next", 0.3, quick, Lineage(None, 0, "next", 6)))
    assert (comparison["rule"], comparison["champion"], comparison["championMean"]) == ("recorded", "root", 0.3)
    promotion.promote(graph, quick, version("again", 0.9, quick, Lineage("next", 1, "next", 6)))
    with pytest.raises(HeldBackError) as held:
        promotion.promote(graph, quick, version("bad", 0.2, quick, Lineage(None, 0, "bad", 7)))
    assert held.value.verdict["champion"] == "next"


def test_a_chain_whose_full_version_the_graph_does_not_know_is_not_compared(graph: Graph, quick: Settings) -> None:
    promotion.promote(graph, quick, version("further", 0.9, quick, Lineage("elsewhere", 1, "elsewhere", 5)))
    _, comparison = promotion.promote(graph, quick, version("full", 0.1, quick, Lineage(None, 0, "full", 6)))
    assert (comparison["rule"], comparison["champion"]) == ("none", "further")
    assert "nothing was compared" in comparison["reason"]


def test_the_age_of_the_full_training_is_told(graph: Graph, quick: Settings) -> None:
    promotion.promote(graph, quick, version("good", 0.3, quick))
    state = monitor.state(graph, timeout_s=60)
    assert state["fullTrainingAgeS"] == pytest.approx(state["trainedAgeS"])
    began_s = int(state["serverTimeS"]) - 5_000
    promotion.promote(graph, quick, version("further", 0.3, quick, Lineage("root", 1, "root", began_s)))
    state = monitor.state(graph, timeout_s=60)
    assert state["fullTrainingAgeS"] == pytest.approx(state["serverTimeS"] - began_s, abs=1)


def test_the_folder_that_a_full_version_will_be_compared_with_stays(graph: Graph, quick: Settings) -> None:
    kept = replace(quick, kept_artifacts=0)
    promotion.promote(graph, quick, version("root", 0.3, quick, Lineage(None, 0, "root", 5)))
    for number, name in enumerate(("second", "third"), start=1):
        lineage = Lineage("root" if number == 1 else "second", number, "root", 5)
        promotion.promote(graph, quick, version(name, 0.3, quick, lineage))
    assert publication.list_models(graph)[0]["summary"]["lineage"] == {
        "kind": "incremental",
        "base": "second",
        "trainings": 2,
        "full": "root",
    }
    version("unused", 0.3, quick)
    assert publication.sweep_artifacts(graph, kept) == ["unused"]
    assert sorted(each.name for each in quick.artifacts.iterdir()) == ["root", "second", "third"]
