"""The documents are in step with the code: commands, settings, routes, links."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields
from pathlib import Path

import pytest

from api.app import create_app
from graph.settings import Settings
from kith.cli import parser

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MENTIONED = re.compile(r"`((?:api|benchmarks|engine|graph|kith|tests|workers|docs)/[\w./*-]+)`")


def commands(top: argparse.ArgumentParser, prefix: str = "kith") -> list[str]:
    found = []
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                deeper = commands(command, f"{prefix} {name}")
                found += deeper or [f"{prefix} {name}"]
    return found


def test_every_command_is_documented():
    text = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    assert [command for command in commands(parser()) if f"`{command}" not in text] == []


def test_every_setting_is_documented_with_its_default_line():
    text = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    assert [f.metadata["variable"] for f in fields(Settings) if f"`{f.metadata['variable']}`" not in text] == []


def test_every_documented_setting_exists():
    text = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    known = {f.metadata["variable"] for f in fields(Settings)}
    assert set(re.findall(r"`(KITH_[A-Z0-9_]+|NEO4J_[A-Z]+)`", text)) <= known


def test_every_route_is_documented():
    text = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("api.md", "console.md"))
    app = create_app(Settings.load({"HOME": "/nowhere", "KITH_SIGNING_KEY": "x" * 32, "NEO4J_PASSWORD": "y"}))
    missing = []
    for rule in app.url_map.iter_rules():
        route = re.sub(r"<(?:[^:>]+:)?([^>]+)>", "{}", rule.rule)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            said = re.compile(rf"`{method} {re.escape(route).replace(re.escape('{}'), '[{][A-Za-z]+[}]')}`")
            if not said.search(text):
                missing.append(f"{method} {rule.rule}")
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_dead_link(document):
    dead = []
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        if "://" not in target and not (document.parent / target.split("#")[0]).exists():
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_mentioned_file_exists(document):
    text = document.read_text(encoding="utf-8")
    assert [path for path in MENTIONED.findall(text) if not list(ROOT.glob(path.rstrip("/")))] == []


def test_architecture_fits_a_sitting():
    assert len((ROOT / "docs/architecture.md").read_text(encoding="utf-8").splitlines()) < 200


def test_no_file_is_longer_than_two_sittings():
    sources = [p for top in ("api", "engine", "graph", "kith", "workers") for p in (ROOT / top).rglob("*.py")]
    assert [str(p.relative_to(ROOT)) for p in sources if len(p.read_text(encoding="utf-8").splitlines()) > 400] == []
