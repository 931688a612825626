from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from graph.errors import SettingsError
from graph.server import lock

GOOD = "format = 1\nneo4j = '1.0'\n[[jar]]\nat = 'a.b:c:1.0:linux'\nbytes = 3\nsha256 = '" + "0" * 64 + "'\n"


def test_the_checked_in_lock_names_neo4j_the_browser_and_no_host() -> None:
    text = lock.LOCK_FILE.read_text()
    read = lock.read()
    assert {"neo4j-2026.08.1.jar", "neo4j-server-2026.08.1.jar", "neo4j-browser-5.24.0.jar"} <= {
        jar.file_name for jar in read.jars
    }
    assert read.version == "2026.08.1"
    assert "://" not in text


def test_a_line_becomes_a_jar(tmp_path: Path) -> None:
    file = tmp_path / "lock.toml"
    file.write_text(GOOD)
    (jar,) = lock.read(file).jars
    assert (jar.group, jar.artifact, jar.version, jar.classifier, jar.size_bytes) == ("a.b", "c", "1.0", "linux", 3)
    assert jar.file_name == "c-1.0-linux.jar"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("format = 1", "format = 2"),
        ("0" * 64, "0" * 63),
        ("0" * 64, "g" * 64),
        ("a.b:c:1.0:linux", "a.b:c"),
        ("a.b:c:1.0:linux", "a.b:../../c:1.0"),
        ("bytes = 3", "bytes = 'x'"),
        ("[[jar]]", "[[other]]"),
        ("format = 1", "format = "),
    ],
)
def test_a_bad_lock_is_refused_in_one_line(tmp_path: Path, old: str, new: str) -> None:
    file = tmp_path / "lock.toml"
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(SettingsError) as caught:
        lock.read(file)
    assert "\n" not in str(caught.value)


def test_a_lock_made_from_a_folder_reads_back(tmp_path: Path) -> None:
    for path, content in {
        "org/neo4j/neo4j/2.0/neo4j-2.0.jar": b"one",
        "io/netty/epoll/4.2.Final/epoll-4.2.Final-linux-x86_64.jar": b"two",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(content)
    file = tmp_path / "lock.toml"
    file.write_text(lock.make(tmp_path))
    read = lock.read(file)
    assert read.version == "2.0"
    assert [(jar.group, jar.artifact, jar.classifier) for jar in read.jars] == [
        ("io.netty", "epoll", "linux-x86_64"),
        ("org.neo4j", "neo4j", ""),
    ]
    assert read.jars[1].sha256 == hashlib.sha256(b"one").hexdigest()
    assert read.size_bytes == 6
