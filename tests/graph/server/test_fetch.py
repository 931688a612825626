from __future__ import annotations

from pathlib import Path

import pytest

from graph.errors import LocalServerError
from graph.server import jars
from graph.server.fetch import fetch
from graph.server.lock import Lock
from graph.settings import Settings

from .conftest import publish


def test_the_cache_is_filled_in_the_locks_order(repository: Path, settings: Settings, lock: Lock) -> None:
    for name in ("alpha", "beta"):
        publish(repository, name, name.encode())
    class_path = fetch(settings, lock, show=False)
    assert [file.name for file in class_path] == ["alpha-1.0.jar", "beta-1.0.jar"]
    assert [file.read_text() for file in class_path] == ["alpha", "beta"]
    assert [entry.name for entry in class_path[0].parent.parent.iterdir()] == [class_path[0].parent.name]


def test_what_is_there_is_not_fetched_again(repository: Path, settings: Settings, lock: Lock) -> None:
    for name in ("alpha", "beta"):
        publish(repository, name, name.encode())
    first = fetch(settings, lock, show=False)[0].stat().st_mtime_ns
    (repository / "g/h/alpha/1.0/alpha-1.0.jar").unlink()
    assert fetch(settings, lock, show=False)[0].stat().st_mtime_ns == first


def test_a_flipped_byte_in_the_cache_is_found_and_fetched_again(
    repository: Path, settings: Settings, lock: Lock
) -> None:
    for name in ("alpha", "beta"):
        publish(repository, name, name.encode())
    broken = fetch(settings, lock, show=False)[1]
    broken.write_bytes(b"bfta")
    assert [jar.artifact for jar in jars.missing(settings, lock, thorough=True)] == ["beta"]
    fetch(settings, lock, show=False, thorough=True)
    assert broken.read_text() == "beta"


def test_another_content_in_the_repository_is_refused(repository: Path, settings: Settings, lock: Lock) -> None:
    publish(repository, "alpha", b"alpha")
    publish(repository, "beta", b"bfta")
    with pytest.raises(LocalServerError, match=r"g\.h:beta:1\.0 was refused .*sha256"):
        fetch(settings, lock, show=False)
    assert [jar.artifact for jar in jars.missing(settings, lock)] == ["beta"]


def test_an_interrupted_fetch_goes_on_where_it_was(repository: Path, settings: Settings, lock: Lock) -> None:
    publish(repository, "alpha", b"alpha")
    with pytest.raises(LocalServerError, match="beta"):
        fetch(settings, lock, show=False)
    publish(repository, "beta", b"beta")
    (repository / "g/h/alpha/1.0/alpha-1.0.jar").unlink()
    assert len(fetch(settings, lock, show=False)) == 2


def test_mavens_own_copy_is_used_and_a_bad_one_is_not(
    repository: Path, settings: Settings, lock: Lock, tmp_path: Path
) -> None:
    publish(tmp_path / "m2", "alpha", b"alpha")
    publish(tmp_path / "m2", "beta", b"bfta")
    publish(repository, "beta", b"beta")
    assert [file.read_text() for file in fetch(settings, lock, show=False)] == ["alpha", "beta"]
    assert (tmp_path / "m2/g/h/alpha/1.0/alpha-1.0.jar").read_text() == "alpha"
