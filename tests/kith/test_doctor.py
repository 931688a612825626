from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from graph.server.process import free_ports, write_secret
from graph.settings import Settings
from kith import doctor
from kith.doctor import Finding


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    bolt, browser, valkey, api = free_ports(4)
    return Settings(
        home=tmp_path, cache=tmp_path / "cache", bolt_port=bolt, browser_port=browser, broker_port=valkey, api_port=api
    )


def found(settings: Settings, name: str) -> Finding:
    return next(finding for finding in doctor.doctor(settings) if finding.name == name)


def test_on_an_empty_machine_every_problem_names_its_cure(settings: Settings) -> None:
    findings = doctor.doctor(settings)
    problems = {finding.name: finding for finding in findings if not finding.ok}
    assert set(problems) >= {"Neo4j's jars", "Neo4j", "broker", "API"}
    assert problems["Neo4j's jars"].cure == "python -m graph.server.fetch"
    assert problems["broker"].cure == "kith up"
    assert all(finding.cure and "\n" not in finding.cure for finding in problems.values())
    assert {"optional wrk", "optional chromium"} <= {finding.name for finding in findings if finding.ok}


def test_an_unknown_setting_is_found_with_the_nearest_known_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITH_API_PROT", "1")
    monkeypatch.setenv("KITH_HOME", str(settings.home))
    finding = next(finding for finding in doctor.doctor() if finding.name == "unknown setting")
    assert (finding.ok, finding.detail) == (False, "KITH_API_PROT")
    assert "KITH_API_PORT" in finding.cure


def test_a_foreign_process_on_our_port_is_named(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", settings.api_port)):
        finding = found(settings, f"port {settings.api_port}")
    assert not finding.ok
    assert str(os.getpid()) in finding.detail
    assert "KITH_API_PORT" in finding.cure


def test_a_secret_that_others_may_read_is_a_problem(settings: Settings) -> None:
    write_secret(settings.signing_key_file, "key")
    assert found(settings, "secret signing-key").ok
    settings.signing_key_file.chmod(0o644)
    finding = found(settings, "secret signing-key")
    assert not finding.ok
    assert finding.cure == f"chmod 600 {settings.signing_key_file}"


def test_settings_are_listed_without_secrets(settings: Settings) -> None:
    detail = found(replace(settings, signing_key="very-secret"), "settings").detail
    assert f"KITH_API_PORT={settings.api_port}" in detail
    assert "very-secret" not in detail


def test_with_an_operators_neo4j_nothing_local_is_asked_for(settings: Settings) -> None:
    elsewhere = replace(settings, neo4j_uri="bolt://127.0.0.1:1", neo4j_password="p")
    names = {finding.name for finding in doctor.doctor(elsewhere)}
    assert not names & {"Java", "Neo4j's jars", f"port {settings.bolt_port}"}
    assert "NEO4J_URI" in found(elsewhere, "Neo4j").cure
