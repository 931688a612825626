"""`kith backup` and `kith restore`: graph, models and signing key as one folder, checked byte by byte.

Neo4j Community cannot be copied while it runs, so the stack is stopped for the length of the dump. A restore builds and
checks the new store beside the old one and puts the old one aside only then.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from engine.artifact import verify
from graph import connection, schema
from graph.errors import InputError
from graph.publication import published
from graph.server import config, lock
from graph.server import neo4j as server
from graph.server.admin import run_admin
from graph.server.process import write_secret
from graph.settings import Settings
from kith import stack

FORMAT = 1
DATABASE = "neo4j"
DUMP, ARTIFACTS, SIGNING_KEY, MANIFEST = "neo4j.dump", "artifacts", "signing-key", "manifest.json"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup made."""

    folder: Path
    files: int
    size_bytes: int
    downtime_s: float
    """How long Kith did not answer; 0 when it was not up."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore made."""

    model_version: str | None
    old: Path | None
    """Where the store that was there before lies now."""


def backup(settings: Settings, folder: Path, say: Say) -> Backup:
    """Write a backup into a folder that does not exist yet, or is empty.

    Raises:
        InputError: the graph is an operator's own, there is none, or the folder holds something.
        LocalServerError: the dump failed, or the stack did not stop or start again.
    """
    _need_local(settings, "back it up")
    if not _store(settings).exists():
        raise InputError(f"there is no graph in {settings.home}: nothing to back up")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not empty: choose another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    try:
        with _stopped(settings, say) as downtime:
            say("dumping the graph ...")
            run_admin(settings, ["database", "dump", DATABASE, f"--to-path={draft.absolute()}"])
            _copy_files(settings, draft)
        sizes = _write_manifest(draft)
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Backup(folder, len(sizes), sum(sizes), downtime[0])


def restore(settings: Settings, folder: Path, say: Say, *, force: bool = False) -> Restored:
    """Put a backup's graph, models and signing key in the place of what is there.

    Args:
        settings: the home to restore into; its password stays, or is made.
        folder: what `backup` wrote.
        say: called with a line for every step.
        force: put a graph that is there aside.

    Raises:
        InputError: the graph is an operator's own, Kith is up, a graph is there, or the backup is damaged.
        LocalServerError: the new store could not be made or does not start; nothing has changed.
        SchemaError: the backup is of a newer Kith; nothing has changed.
    """
    _need_local(settings, "restore it")
    if stack.status(settings).processes:
        raise InputError("Kith is up: stop it with kith down")
    is_there = _store(settings).exists()
    if is_there and not force:
        raise InputError(f"there is a graph in {settings.home}: --force puts it aside")
    say("checking the backup ...")
    _check(folder)
    settings.home.mkdir(parents=True, exist_ok=True)
    draft = settings.home / ".restore"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    try:
        version = _build(settings, folder, draft, say)
        old = _swap(settings, draft)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Restored(version, old)


def _need_local(settings: Settings, verb: str) -> None:
    if not settings.is_local_neo4j:
        raise InputError(
            f"the graph is in NEO4J_URI: {verb} with neo4j-admin database dump or load (or your provider's snapshots), "
            f"and copy {settings.artifacts} and {settings.signing_key_file} beside it"
        )


def _store(settings: Settings) -> Path:
    return config.neo4j_home(settings) / "data" / "databases" / DATABASE


@contextlib.contextmanager
def _stopped(settings: Settings, say: Say) -> Iterator[list[float]]:
    """Stop the stack for the length of the block, if it is up; the list holds the downtime afterwards, seconds."""
    downtime = [0.0]
    if stack.status(settings).phase != "up":
        stack.down(settings)  # what a killed supervisor has left may hold the store open
        yield downtime
        return
    say("stopping Kith: it does not answer until the dump is done; a job under way is taken up again afterwards ...")
    began = time.monotonic()
    stack.down(settings)
    try:
        yield downtime
    finally:
        say("starting Kith again ...")
        stack.up(settings, say=say)
        downtime[0] = round(time.monotonic() - began, 1)
        say(f"Kith was down for {downtime[0]:.0f} s")


def _copy_files(settings: Settings, draft: Path) -> None:
    if settings.artifacts.is_dir():
        for model in sorted(settings.artifacts.iterdir()):
            if model.is_dir() and not model.name.startswith("."):
                shutil.copytree(model, draft / ARTIFACTS / model.name)
    if settings.signing_key_file.exists():
        write_secret(draft / SIGNING_KEY, settings.signing_key_file.read_text(encoding="utf-8"))


def _write_manifest(draft: Path) -> list[int]:
    """Write what is in the folder with the sha256 of every file; return the sizes."""
    files = {
        str(file.relative_to(draft)): {"sha256": _sha256(file), "bytes": file.stat().st_size}
        for file in sorted(draft.rglob("*"))
        if file.is_file()
    }
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "createdAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "neo4j": lock.read().version,
        "schema": schema.VERSION,
        "files": files,
    }
    (draft / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    return [file["bytes"] for file in files.values()]


def _check(folder: Path) -> None:
    """Make sure that every byte of the backup is as it was written.

    Raises:
        InputError: it is not; one line that names the file.
    """
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
        files, kind = manifest["files"], manifest["format"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{folder} is no backup: it has no {MANIFEST} that can be read") from None
    if kind != FORMAT or DUMP not in files:
        raise InputError(f"{folder} is a backup of another form ({kind}); this Kith reads {FORMAT}")
    there = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} - {MANIFEST}
    if different := sorted(there ^ set(files)):
        raise InputError(f"{folder / different[0]} is not what the manifest says: missing or foreign")
    for name, expected in files.items():
        if (folder / name).is_symlink() or _sha256(folder / name) != expected["sha256"]:
            raise InputError(f"{folder / name} is not what the manifest says: damaged or altered")


def _build(settings: Settings, folder: Path, draft: Path, say: Say) -> str | None:
    """Make the new store beside the old one, start it once, and return the version that it has published."""
    say("loading the graph ...")
    fresh = server.on_free_ports(replace(settings, home=draft))
    if settings.password_file.exists():
        write_secret(fresh.password_file, settings.password_file.read_text(encoding="utf-8"))
    run_admin(fresh, ["database", "load", DATABASE, f"--from-path={folder.absolute()}"])
    if (folder / ARTIFACTS).is_dir():
        shutil.copytree(folder / ARTIFACTS, fresh.artifacts)
    if (folder / SIGNING_KEY).exists():
        write_secret(fresh.signing_key_file, (folder / SIGNING_KEY).read_text(encoding="utf-8"))
    say("checking that it starts ...")
    with server.running(fresh), connection.connect(fresh) as graph:
        schema.current_version(graph)
        live = published(graph)
    version = live["modelVersion"] if live else None
    if version is not None:
        verify(fresh.artifacts / version)
    return version


def _swap(settings: Settings, draft: Path) -> Path | None:
    """Put the old aside and the new in its place; whatever fails, the old is where it was."""
    aside = settings.home / f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    moved: list[tuple[Path, Path]] = []

    def move(source: Path, target: Path) -> None:
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            source.rename(target)
            moved.append((source, target))

    try:
        for name in ("neo4j", "artifacts", "secrets"):
            move(settings.home / name, aside / name)
            move(draft / name, settings.home / name)
        if not settings.signing_key_file.exists():  # a backup without one: the operator's is in KITH_SIGNING_KEY
            move(aside / "secrets" / SIGNING_KEY, settings.signing_key_file)
    except OSError:
        for source, target in reversed(moved):
            target.rename(source)
        raise
    return aside if aside.exists() else None


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
