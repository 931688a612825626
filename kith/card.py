"""A model card as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kith.terminal import say, table

METRICS = ("recall@20", "ndcg@20")
ABLATIONS = 24
"""Rows of the ablation that are shown at most."""


def show(model: Mapping[str, Any]) -> None:
    """Print a version as `graph.publication.show_model` has it; a section that the card lacks is left out."""
    card = model["card"]
    say(f"{model['modelVersion']}: {_state(model)}")
    seed = card.get("settings", {}).get("seed", "?")
    say(f"trained {model['trainedAt']} on snapshot {model['snapshotId']} by Kith {model['codeVersion']}, seed {seed}")
    if card.get("lineage"):
        say(f"trained{trained_how(card['lineage']) or ' in full'}")
    _comparison(model.get("comparison"))
    for section, shown in (
        ("data", _data),
        ("choice", _choice),
        ("evaluation", _evaluation),
        ("slices", _slices),
        ("ablation", _ablation),
        ("calibration", _calibration),
        ("sizes", _sizes),
        ("timings", _timings),
    ):
        if card.get(section):
            shown(card[section])
    if card.get("leftOut"):
        say(
            f"\nleft out because the card was too large: {', '.join(card['leftOut'])}; all of it is in the model folder"
        )


def trained_how(lineage: Mapping[str, Any] | None) -> str:
    """Return what is to be said of how a version was trained, "" where nothing is."""
    if not lineage:
        return ""
    if lineage["base"]:
        return f" further from {lineage['base']}, {lineage['trainings']} since {lineage['full']} was trained in full"
    return f" in full all the same: {lineage['why']}" if lineage.get("why") else ""


def _state(model: Mapping[str, Any]) -> str:
    if model["live"]:
        return f"live (publication {model['publicationSeq']}, {model['publishedAt']})"
    return f"held back on {model['heldAt']}" if model["heldBack"] else f"published on {model['publishedAt']}, not live"


def _comparison(found: Mapping[str, Any] | None) -> None:
    if not found:
        return
    verdict = "worse" if found["isWorse"] else "not worse"
    forced = ", published by force" if found.get("isForced") else ""
    against = f" than {found['champion']}" if found.get("champion") else ""
    say(f"compared ({found['rule']}): {verdict}{against}{forced}: {found['reason']}")


def _data(data: Mapping[str, Any]) -> None:
    say(f"\n== Data\n{data['users']:,} users, {data['items']:,} items, {data['positives']:,} pairs of interest")
    if data.get("span"):
        say(f"acts from {data['span']['first']} to {data['span']['last']}, {data['actsWithoutTime']:,} without a time")
    acts = data.get("acts", {})
    if acts:
        table(("act", "number", "weight"), [(name, f"{a['count']:,}", a["weight"]) for name, a in acts.items()])
    if data.get("consent"):
        say(data["consent"])


def _choice(choice: Mapping[str, Any]) -> None:
    on, linear, half = choice["comparedOn"], choice["itemitem"], choice["halfLifeDays"]
    if choice.get("takenFrom"):
        say(f"\n== Taken over from {choice['takenFrom']}")
    else:
        say(f"\n== Chosen on {on['users']:,} users of the cut and {on['coldUsers']:,} stripped of their history")
    for each in linear["compared"]:
        say(f"item-item {each['form']}: best ridge {each['ridge']:g}, NDCG@20 {each['ndcg@20']:.4f}")
    say(f"chosen: {linear['form']}; half-life of an act's weight: {half['chosen'] or 'none'}")
    say(f"GraphSAGE: {choice['encoder']['steps']} steps, the best of {choice['encoder']['checks']} checks")
    for segment in ("warm", "busy", "cold"):
        if choice["weights"].get(segment):
            weights = ", ".join(f"{name} {w:g}" for name, w in choice["weights"][segment].items() if w)
            say(f"weights, {segment} users: {weights}")


def _evaluation(found: Mapping[str, Any]) -> None:
    if not found.get("users"):
        nothing = str(found.get("heldOut", ""))
        why = nothing if nothing.startswith("nothing") else "the data was too small for a cut"
        say(f"\n== Metrics: {why}")
        return
    held_out = f" ({found['heldOut']})" if "heldOut" in found else ""
    say(f"\n== Metrics on {found['users']:,} users of the cut{held_out}")
    measured = [who for who in ("model", "popularity") if who in found]
    names = [name for name in found["model"] if name in found["model"]["interval"]]
    rows = [(name, *(_with_interval(found[who], name) for who in measured)) for name in names]
    headings = {"model": "this version (95 %)", "popularity": "popularity (95 %)"}
    table(("metric", *(headings[who] for who in measured)), rows)


def _slices(found: Mapping[str, Any]) -> None:
    say("\n== Parts of the cut")
    rows = []
    for group, parts in found.items():
        named = {"": parts} if group == "cold" and parts else parts or {}
        rows += [
            (f"{group} {name}".strip(), p["users"], *(_with_interval(p, m) for m in METRICS))
            for name, p in named.items()
        ]
    table(("part", "users", "Recall@20 (95 %)", "NDCG@20 (95 %)"), rows)


def _ablation(found: Mapping[str, Any]) -> None:
    rows = [(name, row["recall@20"], row["ndcg@20"]) for name, row in found.items() if "ndcg@20" in row]
    say("\n== Ablation on the cut's validation part")
    table(("blend", "Recall@20", "NDCG@20"), rows[:ABLATIONS])


def _calibration(found: Mapping[str, Any]) -> None:
    said = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
    say(f"\n== Calibration, crosswise on the cut: {said}")


def _sizes(found: Mapping[str, Any]) -> None:
    mb = (found["tablesBytes"] + found["weightsBytes"]) / 1e6
    say(f"\n== Size: {mb:.1f} MB, {found['weights']:,} weights")


def _timings(found: Mapping[str, Any]) -> None:
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in found["stagesS"].items())
    say(f"== Seconds: {stages}; peak {found['peakMb']:.0f} MB")


def _with_interval(found: Mapping[str, Any], name: str) -> str:
    low, high = found["interval"][name]
    return f"{found[name]:.4f} ({low:.4f} to {high:.4f})"
