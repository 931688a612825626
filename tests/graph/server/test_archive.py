from __future__ import annotations

import os
from pathlib import Path

import pytest

from graph.server import archive


@pytest.fixture
def class_path(tmp_path: Path) -> list[Path]:
    files = [tmp_path / name for name in ("a.jar", "b.jar")]
    for file in files:
        file.write_bytes(b"x")
    return files


def test_another_jar_means_another_archive(class_path: list[Path]) -> None:
    before = archive.path(class_path)
    assert archive.path(class_path) == before
    os.utime(class_path[1], ns=(1, 1))
    assert archive.path(class_path) != before
    assert archive.path(class_path[::-1]) not in (before, archive.path(class_path))


def test_it_is_used_once_it_is_there(class_path: list[Path]) -> None:
    assert archive.is_wanted(class_path)
    assert archive.options(class_path) == []
    archive.path(class_path).write_bytes(b"")
    assert not archive.is_wanted(class_path)
    assert archive.options(class_path)[0] == f"-XX:AOTCache={archive.path(class_path)}"


def test_a_failure_is_not_tried_again_by_itself(class_path: list[Path]) -> None:
    archive.failure(archive.path(class_path)).write_text("out of memory")
    assert not archive.is_wanted(class_path)
    assert archive.options(class_path) == []


def test_old_archives_go(tmp_path: Path) -> None:
    for age, name in enumerate(("start-5.aot", "start-4.aot", "start-3.aot", "start-2.aot", "start-1.aot")):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    archive.prune(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "start-2.aot",
        "start-3.aot",
        "start-4.aot",
        "start-5.aot",
    ]
