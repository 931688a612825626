"""Which encoder newcomers are served with while versions come and go."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from api import encoders
from api.encoders import Encoders
from benchmarks.drawn_model import write_model
from engine.serving.bundle import Bundle


class Slow(Encoders):
    """Loads real folders, and waits before it does when it is told to."""

    def __init__(self, artifacts: Path) -> None:
        super().__init__(artifacts)
        self.loaded: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def _load(self, model_version: str) -> Bundle | None:
        self.go_on.wait(10)
        self.loaded.append(model_version)
        return super()._load(model_version)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifacts")
    for version in ("v1", "v2"):
        write_model(folder / version, 30, 20, np.random.default_rng(0))
    return folder


def test_the_first_encoder_is_waited_for_and_the_next_is_not(artifacts: Path) -> None:
    kept = Slow(artifacts)
    recent, friends = [["item1", "LIKED", 0, None, [], []]], [["user2", 1.0, ["item3", "gone"]]]
    found = kept.rank("v1", recent, friends, {}, 5)
    assert found is not None
    assert (found.known_by, len(found.items), len(found.codes)) == ("history", 5, 5)
    assert found.scores == sorted(found.scores, reverse=True)
    assert "item1" not in found.items
    kept.go_on.clear()
    kept.notice("v2")
    assert kept.rank("v2", recent, friends, {}, 5) is None
    kept.go_on.set()
    kept.wait()
    assert kept.rank("v2", recent, friends, {}, 5) is not None
    assert kept.loaded == ["v1", "v2"]


def test_who_comes_while_the_first_is_loaded_waits_for_it(artifacts: Path) -> None:
    kept = Slow(artifacts)
    kept.go_on.clear()
    kept.notice("v1")
    kept.notice("v1")
    threading.Timer(0.1, kept.go_on.set).start()
    assert kept.rank("v1", [], [["user2", 1.0, []]], {}, 5) is not None
    assert kept.loaded == ["v1"]


def test_one_that_is_not_on_this_machine_is_looked_for_again_later(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Slow(artifacts)
    assert kept.embed_item("absent", {"category": "tea"}) is None
    assert kept.embed_item("absent", {"category": "tea"}) is None
    assert kept.loaded == ["absent"]
    monkeypatch.setattr(encoders, "ABSENT_S", -1.0)
    other = Slow(artifacts)
    for _ in range(2):
        assert other.embed_item("absent", {"category": "tea"}) is None
    assert other.loaded == ["absent", "absent"]
