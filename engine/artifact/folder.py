"""Sealed folders: written whole or not at all, and refused when a byte differs.

A sealed folder holds data files, `manifest.json` (what is in it, with each file's sha256) and `side.json` (times and
the hash of `ids.parquet`), so that ids can be erased and times can differ while the manifest stays byte for byte
the same. Both JSON files carry a `seal`, the sha256 of their own canonical content. The hashes show damage and
carelessness; they do not prove who wrote the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.errors import ArtifactError

FORMAT = 1
"""Version of the folders' layout; a reader refuses any other."""
MANIFEST = "manifest.json"
SIDE = "side.json"
IDS = "ids.parquet"
MAX_JSON_BYTES = 16_000_000
"""A manifest or metrics file larger than this is refused unread."""


def write_folder(
    folder: Path, kind: str, fill: Callable[[Path], tuple[dict[str, Any], dict[str, Any]]], replace: bool
) -> None:
    """Write a sealed folder beside its place and rename it there, so that a crash leaves no half folder.

    Args:
        folder: where it goes; may exist if empty.
        kind: what the folder is ("snapshot", "model").
        fill: writes the data files into the folder given and returns the manifest's and the side file's own fields.
        replace: whether a folder that is already there may be replaced.

    Raises:
        ArtifactError: the folder is there, is not empty and may not be replaced.
    """
    folder = Path(folder)
    if _occupied(folder) and not replace:
        raise ArtifactError(f"{folder} is already there; choose another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        fields, side = fill(draft)
        names = sorted(path.name for path in draft.iterdir())
        files = {name: _fingerprint(draft / name) for name in names if name != IDS}
        write_json(draft / MANIFEST, _sealed({"format": FORMAT, "kind": kind, "files": files, **fields}))
        write_json(draft / SIDE, _sealed({"format": FORMAT, "ids": _fingerprint(draft / IDS), **side}))
        _flush(draft)
        draft.chmod(0o755)
        _move_into_place(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def open_folder(folder: Path, kind: str | None, allowed: frozenset[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check every byte of a sealed folder and return (manifest, side).

    Args:
        folder: the folder.
        kind: the kind it must be, or None for any.
        allowed: names of the data files that its kind may hold, `ids.parquet` apart.

    Raises:
        ArtifactError: a file is missing, unknown or altered, or the format or kind is another.
    """
    manifest = read_manifest(folder, kind)
    side = _opened(folder, SIDE)
    files = _files_of(manifest)
    if unknown := set(files) - allowed:
        raise ArtifactError(f"{folder}: unknown file {sorted(unknown)[0]!r} in the manifest")
    for path in Path(folder).iterdir():
        if path.name not in files and path.name not in (MANIFEST, SIDE, IDS):
            raise ArtifactError(f"{folder}: {path.name!r} is not in the manifest")
    for name, fingerprint in {**files, IDS: side.get("ids")}.items():
        if _fingerprint_or_refuse(Path(folder) / name) != fingerprint:
            raise ArtifactError(f"{folder}: {name} is not what the manifest says; the folder is damaged or altered")
    return manifest, side


def read_manifest(folder: Path, kind: str | None = None) -> dict[str, Any]:
    """Return a folder's manifest after checking its seal, format and kind (not the files).

    Raises:
        ArtifactError: no manifest, an altered one, or another format or kind.
    """
    manifest = _opened(folder, MANIFEST)
    if kind is not None and manifest.get("kind") != kind:
        raise ArtifactError(f"{folder}: holds a {manifest.get('kind')!r}, not a {kind}")
    return manifest


def read_json(path: Path) -> Any:
    """Return a JSON file's content.

    Raises:
        ArtifactError: missing, too large or not JSON.
    """
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ArtifactError(f"{path} is larger than {MAX_JSON_BYTES} bytes")
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ArtifactError(f"{path} is missing") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}") from error


def write_json(path: Path, content: Any) -> None:
    """Write JSON with sorted keys, so that equal content is equal bytes.

    Raises:
        ValueError: the content holds a nan or an infinity, which JSON has not.
    """
    path.write_bytes(_rendered(content))


def _rendered(content: Any) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    return {**content, "seal": hashlib.sha256(_rendered(content)).hexdigest()}


def _opened(folder: Path, name: str) -> dict[str, Any]:
    content = read_json(Path(folder) / name)
    if not isinstance(content, dict):
        raise ArtifactError(f"{folder}: {name} is not an object")
    if content.get("format") != FORMAT:
        raise ArtifactError(f"{folder}: format {content.get('format')!r}; this code reads {FORMAT}")
    plain = {key: value for key, value in content.items() if key != "seal"}
    # Compared as bytes, so that white space counts too.
    if _rendered(_sealed(plain)) != (Path(folder) / name).read_bytes():
        raise ArtifactError(f"{folder}: {name} is altered")
    return plain


def _files_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    files = manifest.get("files")
    if not isinstance(files, dict):
        raise ArtifactError("the manifest lists no files")
    return files


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "bytes": path.stat().st_size}


def _fingerprint_or_refuse(path: Path) -> dict[str, Any]:
    # A link could point outside the folder; only plain files count.
    if path.is_symlink() or not path.is_file():
        raise ArtifactError(f"{path} is missing or not a plain file")
    return _fingerprint(path)


def _occupied(folder: Path) -> bool:
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def _flush(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _move_into_place(draft: Path, folder: Path) -> None:
    if not _occupied(folder):
        draft.rename(folder)
        return
    # Two renames: a crash between them leaves the old folder whole under its hidden name.
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    folder.rename(old / folder.name)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
