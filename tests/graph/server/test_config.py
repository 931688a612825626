from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from graph.server import config
from graph.settings import Settings

SETTINGS = Settings(home=Path("/h"), cache=Path("/c"), bolt_port=1111, browser_port=2222, neo4j_heap_mb=640)


def test_every_port_is_on_loopback() -> None:
    lines = dict(line.split("=", 1) for line in config.neo4j_conf(SETTINGS).splitlines())
    assert lines["server.default_listen_address"] == "127.0.0.1"
    assert lines["server.bolt.listen_address"] == "127.0.0.1:1111"
    assert lines["server.http.listen_address"] == "127.0.0.1:2222"
    assert lines["server.https.enabled"] == "false"
    assert not [value for value in lines.values() if "0.0.0.0" in value or value == "*"]


def test_it_asks_for_passwords_and_tells_nobody() -> None:
    lines = config.neo4j_conf(SETTINGS).splitlines()
    assert "dbms.security.auth_enabled=true" in lines
    assert "dbms.usage_report.enabled=false" in lines
    assert "client.allow_telemetry=false" in lines
    assert "db.logs.query.enabled=OFF" in lines
    assert "db.tx_log.preallocate=false" in lines


def test_memory_follows_the_settings() -> None:
    settings = replace(SETTINGS, neo4j_page_cache_mb=77)
    assert "server.memory.pagecache.size=77m" in config.neo4j_conf(settings)
    arguments = config.java_arguments(settings, [Path("/j/a.jar"), Path("/j/b.jar")])
    assert '"-Xmx640m"' in arguments.splitlines()
    assert '"-Xms640m"' in arguments.splitlines()
    assert '"/j/a.jar:/j/b.jar"' in arguments.splitlines()
    assert '"-Xms128m"' in config.java_arguments(replace(settings, neo4j_heap_mb=128), []).splitlines()


def test_a_home_with_blanks_and_quotes_stays_one_argument() -> None:
    settings = replace(SETTINGS, home=Path('/my "home\\'))
    assert '"--home-dir=/my \\"home\\\\/neo4j"' in config.java_arguments(settings, []).splitlines()


def test_the_password_line_is_what_neo4j_admin_writes() -> None:
    # Both taken from a file that `neo4j-admin dbms set-initial-password abcdefgh123` of 2026.08.1 left.
    salt = bytes.fromhex("3f0eeef483ac8a1a901640ac4fcde48c2a957f2074c39b464b0f95c55acdbf2a")
    digest = "afb372d94abebe027cab6589b8fa4a8596a7addb12debc3f3f02be846cdc481a"
    assert config.first_password_line("abcdefgh123", salt) == f"neo4j:SHA-256,{digest},{salt.hex()},1024:\n"
