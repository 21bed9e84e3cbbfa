"""Options that change one value of many, each as key=value."""

from __future__ import annotations

from typing import Any

import yaml

from cyclevos.errors import ConfigError


def parse_settings(settings: list[str] | None, option: str) -> dict[str, Any]:
    """Read the values of an option that is given several times, each as key=value.

    Raises:
        ConfigError: one is not.
    """
    values = {}
    for setting in settings or []:
        key, equals, text = setting.partition("=")
        try:
            values[key.strip()] = _setting(text)
        except yaml.YAMLError:
            equals = ""
        if not equals:
            raise ConfigError(f"{option} {setting!r} is not a setting.", "Give key=value, for example steps=5.")
    return values


def _setting(text: str) -> Any:
    """Read a value as YAML, and also what YAML takes for text: none and 1e-3."""
    value = yaml.safe_load(text)
    if not isinstance(value, str):
        return value
    if value.lower() == "none":
        return None
    try:
        return float(value)
    except ValueError:
        return value
