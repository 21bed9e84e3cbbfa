"""Values of options that several commands share."""

from __future__ import annotations

import pytest

from cyclevos.cli.options import CorrectionName, parse_correction
from cyclevos.errors import ConfigError


@pytest.mark.parametrize(
    ("setting", "name", "value"),
    [
        ("steps=5", "steps", 5),
        ("stop_at=none", "stop_at", None),
        ("grow_from=None", "grow_from", None),
        ("stop_at=null", "stop_at", None),
        ("rate=1e-3", "rate", 0.001),
        ("project=true", "project", True),
        ("accept=better", "accept", "better"),
    ],
)
def test_values_of_a_correction(setting, name, value):
    correction = parse_correction(CorrectionName.default, [setting])
    assert correction is not None
    assert getattr(correction, name) == value


@pytest.mark.parametrize("setting", ["steps=true", "every=yes", "rate=true", "rate=none", "stop_at=nan", "steps=1e1"])
def test_values_of_another_kind_are_refused(setting):
    with pytest.raises(ConfigError, match=r"The correction's \w+ is .*; expected"):
        parse_correction(CorrectionName.default, [setting])
