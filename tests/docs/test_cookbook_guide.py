"""The analysts' guide is in step with the cookbook's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph import cookbook

GUIDE = (Path(__file__).parents[2] / "docs" / "cookbook.md").read_text(encoding="utf-8")


def section(question: cookbook.Question) -> str:
    return GUIDE.split(f"### {question.title} (`{question.name}`)", 1)[1].split("\n##", 1)[0]


@pytest.mark.parametrize("name", cookbook.names())
def test_a_question_stands_there_with_parameters_defaults_and_columns(name):
    question = cookbook.question(name)
    said = section(question)
    for parameter in question.parameters:
        assert f"`{parameter.name}` (" in said
        default = (
            f"`{parameter.name}` (`null`" if parameter.default is None else f"`{parameter.name}` ({parameter.default}"
        )
        assert default in said or f"`{parameter.name}` (as above)" in said
    assert [column for column in question.columns if f"`{column}`" not in said] == []
    assert said.startswith(", drawn") == bool(question.draws)
