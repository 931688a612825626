"""What a request for a training becomes: the options of its job."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from api.shapes.jobs import TrainingBody


def test_a_training_is_full_unless_it_is_asked_otherwise() -> None:
    assert TrainingBody().options()["incremental"] is False
    asked = TrainingBody.model_validate({"incremental": True, "seed": 3}).options()
    assert (asked["incremental"], asked["seed"], asked["force"]) == (True, 3, False)


def test_only_true_and_false_say_whether() -> None:
    with pytest.raises(ValidationError):
        TrainingBody.model_validate({"incremental": "from m1"})
