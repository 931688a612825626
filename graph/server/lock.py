"""The lock of the local Neo4j: which jars, and the sha256 each must have; no host names.

A new lock is made from a folder in Maven's layout (docs/adr/0003 has the command):
`python -m graph.server.lock FOLDER > graph/server/neo4j.lock.toml`.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from graph.errors import SettingsError

LOCK_FILE = Path(__file__).with_name("neo4j.lock.toml")
FORMAT = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Jar:
    """One artifact of the lock: Maven coordinates, size and checksum."""

    group: str
    artifact: str
    version: str
    classifier: str
    size_bytes: int
    sha256: str

    @property
    def file_name(self) -> str:
        """Name of the file, unique within a lock."""
        suffix = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{suffix}.jar"


@dataclass(frozen=True, slots=True)
class Lock:
    """Every jar of one version of the local Neo4j, sorted by file name (the order of the class path)."""

    version: str
    jars: tuple[Jar, ...]

    @property
    def digest(self) -> str:
        """Twelve hex digits that change whenever a jar does."""
        return hashlib.sha256("".join(jar.sha256 for jar in self.jars).encode()).hexdigest()[:12]

    @property
    def size_bytes(self) -> int:
        """Bytes to download into an empty cache."""
        return sum(jar.size_bytes for jar in self.jars)


def read(path: Path = LOCK_FILE) -> Lock:
    """Read and check a lock.

    Raises:
        SettingsError: the file is missing, malformed, or names a jar without a proper checksum.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"the lock {path} cannot be read: {error}; reinstall Kith") from None
    if table.get("format") != FORMAT:
        raise SettingsError(f"the lock {path} has format {table.get('format')}, this Kith reads {FORMAT}")
    jars = tuple(sorted((_jar(path, row) for row in table.get("jar", [])), key=lambda jar: jar.file_name))
    if not jars or len({jar.file_name for jar in jars}) != len(jars):
        raise SettingsError(f"the lock {path} is empty or names one jar twice")
    return Lock(version=str(table["neo4j"]), jars=jars)


def _jar(path: Path, row: dict[str, object]) -> Jar:
    """Turn one line `{at = "group:artifact:version[:classifier]", bytes, sha256}` into a `Jar`."""
    words = str(row.get("at", "")).split(":")
    size, sha256 = row.get("bytes"), str(row.get("sha256", ""))
    if not 3 <= len(words) <= 4 or not all(_WORD.fullmatch(word) for word in words):
        raise SettingsError(f"the lock {path} has a malformed coordinate {row.get('at')!r}")
    if not _SHA256.fullmatch(sha256) or not isinstance(size, int):
        raise SettingsError(f"the lock {path} has no proper size and sha256 for {row['at']}")
    return Jar(words[0], words[1], words[2], words[3] if len(words) > 3 else "", size, sha256)


def make(folder: Path) -> str:
    """Return the text of a lock of every jar under `folder`, which has Maven's layout (group/artifact/version)."""
    jars: list[Jar] = []
    for file in folder.rglob("*.jar"):
        *group, artifact, version, name = file.relative_to(folder).parts
        classifier = name.removeprefix(f"{artifact}-{version}").removesuffix(".jar").removeprefix("-")
        data = file.read_bytes()
        jars.append(Jar(".".join(group), artifact, version, classifier, len(data), hashlib.sha256(data).hexdigest()))
    version = next(jar.version for jar in jars if (jar.group, jar.artifact) == ("org.neo4j", "neo4j"))
    lines = [f"# Made by `python -m graph.server.lock`; see docs/adr/0003.\nformat = {FORMAT}\nneo4j = '{version}'"]
    for jar in sorted(jars, key=lambda jar: jar.file_name):
        at = ":".join(filter(None, (jar.group, jar.artifact, jar.version, jar.classifier)))
        lines.append(f"[[jar]]\nat = '{at}'\nbytes = {jar.size_bytes}\nsha256 = '{jar.sha256}'")
    return "\n\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(make(Path(sys.argv[1])))
