"""A Maven repository of our own on loopback, so that the real resolver has something to resolve."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from graph.server.lock import Jar, Lock
from graph.settings import Settings


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a served Maven repository; the user's configuration names it as the only one."""
    folder = tmp_path / "repository"
    folder.mkdir()
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    configuration = tmp_path / "jgo.conf"
    configuration.write_text(f"[repositories]\nown = http://127.0.0.1:{server.server_port}\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(configuration))
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    monkeypatch.setattr("graph.server.download.BACKOFF_S", 0.01)
    yield folder
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", cache=tmp_path / "cache")


@pytest.fixture
def lock() -> Lock:
    return Lock("1.0", tuple(Jar("g.h", name, "1.0", "", len(name), _sha256(name)) for name in ("alpha", "beta")))


def publish(folder: Path, name: str, content: bytes) -> None:
    """Put a jar into a folder of Maven's layout."""
    file = folder / f"g/h/{name}/1.0/{name}-1.0.jar"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
